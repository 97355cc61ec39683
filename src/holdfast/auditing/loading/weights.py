"""Weights from a file into a network: tensors only, every entry accounted for.

Read are ``.safetensors``, ``.npz`` and what ``torch.save`` writes, the last through torch's own tensors-only reader. A pickle that
asks for anything else is refused by name and none of it is executed. Loading is strict: nothing is left over, nothing is left out.
"""

from __future__ import annotations

import io
import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import torch

from holdfast.auditing.loading.locate import missing_file
from holdfast.auditing.loading.state_names import Tensors, entries_of, implied, is_lazy, renamed
from holdfast.core.checks import as_written, nearest, refuse
from holdfast.core.errors import InputError, UnsafePickleError
from holdfast.data.records import DAMAGE, check_records

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

__all__ = ["PICKLED", "install", "named_globals", "read_tensors_only", "read_weights", "refuse_pickle"]

PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".tar")
CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "params", "weights")
CHECKPOINTS = (*CONTAINERS, "state_dict_ema", "model_ema")
MEMO = ("MEMOIZE", "BINPUT", "LONG_BINPUT")
HARMLESS = re.compile(r"collections\.OrderedDict|torch\._utils\..*|torch\.storage\..*|torch\.\w*Storage|torch\.Size|torch\.\w+\d+")
SHOWN = 4


def read_weights(path: Path) -> tuple[Tensors, tuple[str, ...]]:
    """The named tensors in a file, and notes on what was unwrapped.

    Parameters
    ----------
    path : ``.safetensors``, ``.npz`` or a file of ``torch.save``; a checkpoint such as ``{"state_dict": ..., "epoch": 3}`` is
        unwrapped

    Raises
    ------
    UnsafePickleError : the file asks for more than tensors; the names are given, and how to convert it
    InputError : there is no such file, or it holds no named tensors
    """
    missing_file(path, parameter="weights")
    if path.suffix == ".safetensors":
        content = _read_safetensors(path)
    elif path.suffix == ".npz":
        content = _read_npz(path)
    elif path.suffix in PICKLED:
        content = read_tensors_only(path, parameter="weights")
    else:
        refuse(
            "weights",
            f"is {str(path)!r}, a file with another ending",
            allowed=f".safetensors, .npz, {', '.join(PICKLED)}",
            remedy="Load it into the network in Python and write its state dict once: `torch.save(model.state_dict(), "
            f"'weights.pt')`, then pass {as_written('weights', 'weights.pt')}.",
        )
    return _unwrap(content, path)


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(
            f"`weights` is {path.name!r}, which is not a safetensors file ({error}); allowed: a complete file."
        ) from error


def _read_npz(path: Path) -> Any:
    import numpy as np

    try:
        check_records(path)
        with np.load(path, allow_pickle=False) as archive:
            return {name: torch.from_numpy(archive[name]) for name in archive.files}
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"`weights` is {path.name!r}, which is not an archive of numeric arrays ({why}).") from error


def read_tensors_only(path: Path, *, parameter: str) -> Any:
    """What ``torch.save`` wrote, if it is made of tensors, numbers, text and containers; otherwise refused, nothing executed."""
    import pickle

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of pickle protocols; the answer below says what matters
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            refuse_pickle(path, parameter=parameter, cause=error)
        except Exception as error:
            raise InputError(
                f"`{parameter}` is {path.name!r}, which torch cannot read ({type(error).__name__}); allowed: a complete file that "
                "torch.save wrote."
            ) from error


def refuse_pickle(path: Path, *, parameter: str, otherwise: str = "", cause: Exception | None = None) -> NoReturn:
    """Refuse a pickle of more than tensors: what it asks for, how to convert it, and what to do `otherwise`."""
    names = named_globals(path)
    if not names:
        raise InputError(f"`{parameter}` is {path.name!r}, which is damaged or not a file of torch.save.") from cause
    asks = ", ".join(f"`{name}`" for name in names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    key = _container_in(path)
    command, file = (
        (f'torch.save(torch.load("{path}", weights_only=False)["{key}"], "weights.pt")', "weights.pt")
        if key
        else ('safetensors.torch.save_file(model.state_dict(), "weights.safetensors")', "weights.safetensors")
    )
    raise UnsafePickleError(
        f"`{parameter}` is {path.name!r}, a pickle that asks for {asks}: reading it would execute code; allowed: files of tensors. "
        f"Nothing of it was executed. Where you trust it, convert it once with `{command}` and pass it with "
        f"{as_written('weights', file)}. {otherwise}".rstrip()
    ) from cause


def _container_in(path: Path) -> str:
    """The key under which a checkpoint holds a mapping of weights, e.g. beside pickled hyperparameters; empty if none is seen.

    A mapping follows its key at once, as an empty dictionary or by the name of the ordered one. Operations are read, not executed.
    """
    texts: list[str] = []
    with suppress(ValueError, IndexError, KeyError, OverflowError):
        for operation, argument, _ in pickletools.genops(_pickle_bytes(path)):
            if "UNICODE" in operation.name:
                texts = [*texts[-2:], str(argument)]
                continue
            ordered = operation.name == "GLOBAL" and argument == "collections OrderedDict"
            named = operation.name == "STACK_GLOBAL" and texts[-2:] == ["collections", "OrderedDict"]
            key = texts[-3:-2] if named else texts[-1:]
            if key and key[0] in CHECKPOINTS and (named or ordered or operation.name == "EMPTY_DICT"):
                return key[0]
            texts = texts if operation.name in MEMO else []
    return ""


def named_globals(path: Path) -> list[str]:
    """The importable names that a pickle or a file of ``torch.save`` asks for, without those of plain tensors; nothing is run."""
    found: dict[str, None] = {}
    content = io.BytesIO(_pickle_bytes(path))
    complete = True
    while complete and content.tell() < len(content.getbuffer()):  # torch's old format: several pickles in a row, then raw numbers
        names, complete = _scan(content)
        found.update(dict.fromkeys(names))
    return [name for name in found if not HARMLESS.fullmatch(name)]


def _scan(content: io.BytesIO) -> tuple[list[str], bool]:
    """Names in the next pickle of `content`, and whether it is complete.

    Operations are read, not executed: a name stands in a GLOBAL operation, or is made of the last two texts put on the stack.
    """
    names: list[str] = []
    texts: list[str] = []
    memo: dict[int, str] = {}
    last = ""
    try:
        for operation, argument, _ in pickletools.genops(content):
            if operation.name in MEMO:
                memo[int(argument) if argument is not None else len(memo)] = last
                continue
            if operation.name == "GLOBAL":
                names.append(str(argument).replace(" ", "."))
            elif operation.name == "STACK_GLOBAL":
                names.append(".".join(texts[-2:]))
            if operation.name in ("BINGET", "LONG_BINGET"):
                last = memo.get(int(argument or 0), "")
            else:
                last = str(argument) if "UNICODE" in operation.name else ""
            texts += [last] if last else []
    except (ValueError, IndexError, KeyError, OverflowError):
        return names, False
    return names, True


def _pickle_bytes(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    try:
        check_records(path)
        with zipfile.ZipFile(path) as archive:
            return b"".join(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
    except DAMAGE:
        return b""


def _is_tensors(content: Any) -> bool:
    if not isinstance(content, Mapping) or not content or not all(isinstance(key, str) for key in content):
        return False
    return all(isinstance(value, torch.Tensor) or key.endswith("_extra_state") for key, value in content.items())


def _unwrap(content: Any, path: Path) -> tuple[Tensors, tuple[str, ...]]:
    """The mapping of names to tensors inside a checkpoint."""
    if _is_tensors(content):
        return dict(content), ()
    if not isinstance(content, Mapping):
        refuse("weights", f"is {path.name!r}, which holds a {type(content).__name__}", allowed="a mapping of names to tensors")
    inside = [key for key, value in content.items() if _is_tensors(value)]
    chosen = next((key for key in CONTAINERS if key in inside), inside[0] if len(inside) == 1 else None)
    if chosen is None:
        holds = ", ".join(map(str, list(content)[:SHOWN])) or "nothing"
        refuse(
            "weights",
            f"is {path.name!r}, which holds {holds}" + (f"; tensors stand in {', '.join(map(str, inside))}" if inside else ""),
            allowed="names and tensors, or one such mapping under a key like 'state_dict'",
        )
    others = [str(key) for key in content if key != chosen]
    ignored = f"; ignored: {', '.join(others)}" if others else ""
    return dict(content[chosen]), (f"weights are taken from {chosen!r} of the checkpoint {path.name}{ignored}",)


def install(model: nn.Module, tensors: Tensors, *, path: Path) -> tuple[str, ...]:
    """Put `tensors`, read from `path`, into `model`, in place; each name must be there on both sides, with the same shape.

    Prefixes and counters of what wrapped the network are taken off (:mod:`.state_names`), and the notes say so. A name that the
    file leaves out is accepted if the network ties it to one that the file has, or counts batches in training with it.

    Raises
    ------
    InputError : the names or shapes differ; missing and unexpected names are listed, each with the nearest name
    """
    own = entries_of(model)
    tensors, notes = renamed(model, tensors)
    have = {name: value for name, value in tensors.items() if isinstance(value, torch.Tensor)}
    without = implied(own, have)
    missing = [name for name in own if name not in have and name not in without]
    unexpected = [name for name in have if name not in own]
    shapes = [
        f"{name} (file {tuple(have[name].shape)}, network {tuple(own[name].shape)})"
        for name in own
        if name in have and not is_lazy(own[name]) and own[name].shape != have[name].shape
    ]
    if missing or unexpected or shapes:
        parts = [
            _listing(missing, "missing", beside=unexpected),
            _listing(unexpected, "unexpected", beside=missing or list(own)),
            _listing(shapes, "of another shape"),
        ]
        refuse(
            "weights",
            f"do not fit the network: {'; '.join(part for part in parts if part)}",
            allowed=f"exactly the {len(own)} entries of the network's state dict",
            remedy=_how_to_fit(model, path),
        )
    try:
        model.load_state_dict({**tensors, **without}, strict=True)
    except RuntimeError as error:
        raise InputError(f"`weights` do not fit the network: {error}") from error
    return notes


def _how_to_fit(model: nn.Module, path: Path) -> str:
    """What to do about weights that do not fit `model`."""
    if hasattr(model, "from_pretrained") and (path.parent / "config.json").is_file():
        call = f"{type(model).__name__}.from_pretrained({str(path.parent.resolve())!r})"
        return (
            "The library that stored them may rename weights when it reads them: let the factory "
            f"return {call} without --weights (Python: weights)."
        )
    return "Build the network that was saved: its class, and its arguments (--argument, Python: arguments)."


def _listing(names: list[str], what: str, *, beside: list[str] | None = None) -> str:
    if not names:
        return ""
    close = [nearest(name, beside or []) for name in names[:SHOWN]]
    shown = [f"{name} (nearest: {near})" if near else name for name, near in zip(names, close, strict=False)]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {what}: {', '.join(shown)}{more}"
