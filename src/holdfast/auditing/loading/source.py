"""Where a user's network comes from: a Python object, an address of one, an archive, or (refused) a pickled module.

What this version cannot read is refused by name: ONNX files, models on a hub, endpoints behind a URL.
"""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import torch
from torch import nn

from holdfast.auditing.loading import factories, locate
from holdfast.auditing.loading.archive import archive_form, open_archive
from holdfast.auditing.loading.weights import PICKLED, read_tensors_only, refuse_pickle
from holdfast.core.checks import as_written, refuse
from holdfast.core.errors import UnsafePickleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Obtained", "obtain", "refuse_unread"]

CONSENT = "HOLDFAST_UNSAFE_PICKLE"
ARCHIVES = (".pt2", ".ts", ".torchscript")
FORMS = "package.module:factory, path/to/file.py:factory, network.pt2, network.ts or network.torchscript"
UNREAD = {
    "hf:": "models on a hub",
    "http://": "endpoints behind a URL",
    "https://": "endpoints behind a URL",
}


@dataclass(frozen=True, kw_only=True)
class Obtained:
    """A network as it came.

    Parameters
    ----------
    network : the module or callable
    form : ``"module"``, ``"callable"``, ``"exported"`` or ``"torchscript"``
    source : one line that says where it came from
    notes : what the report should say about it
    unsafe : a pickle was executed to read it
    made : a factory has just made it, so that nobody else holds it
    """

    network: Callable[..., Any]
    form: Literal["module", "callable", "exported", "torchscript"]
    source: str
    notes: tuple[str, ...] = ()
    unsafe: bool = False
    made: bool = False


def obtain(
    model: Any,
    *,
    arguments: Iterable[str] | Mapping[str, Any] = (),
    predictor: bool = False,
    unsafe_pickle: bool = False,
) -> Obtained:
    """The network that `model` stands for.

    Parameters
    ----------
    model : ``nn.Module``, callable, path or address
    arguments : for the factory, ``key=value``
    predictor : a function at an address that needs a batch is the network itself, not a factory of one
    unsafe_pickle : execute a pickle to read it, if the user also agrees at the terminal or by ``HOLDFAST_UNSAFE_PICKLE=1``

    Raises
    ------
    UnsafePickleError : the file would execute code
    InputError : nothing is there, or it is not a network
    """
    if isinstance(model, str | Path):
        text = str(model)
        refuse_unread(text, parameter="model")
        if locate.is_address(text):
            return _from_address(text, arguments, predictor=predictor)
        found = _from_path(Path(text), unsafe_pickle=unsafe_pickle)
    else:
        found = _from_object(model, source=f"{type(model).__module__}.{type(model).__qualname__}")
    if arguments:
        refuse("arguments", "is given", allowed="arguments for a factory, as in package.module:factory")
    return found


def refuse_unread(text: str, *, parameter: str) -> None:
    """Refuse what this version does not read: ONNX files, hubs, URLs."""
    kind = next((kind for prefix, kind in UNREAD.items() if text.startswith(prefix)), None)
    if kind is not None:
        refuse(
            parameter, f"is {text!r}, and this version does not reach {kind}", allowed="Python objects and files on this machine"
        )
    if text.lower().endswith(".onnx"):
        remedy = "Pass the PyTorch network it was exported from; only that has gradients and weights."
        refuse(parameter, f"is {text!r}, and this version does not read ONNX", allowed=FORMS, remedy=remedy)


def _from_object(found: Any, *, source: str) -> Obtained:
    if isinstance(found, torch.jit.ScriptModule):
        remedy = "Save it and pass the file, network.ts, or pass the module that it was made from."
        refuse("model", "is a TorchScript object, which cannot be sent to other processes", allowed="an nn.Module", remedy=remedy)
    if isinstance(found, nn.Module):
        return Obtained(network=found, form="module", source=source)
    if isinstance(found, type) or not callable(found):
        kind = f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
        remedy = "Make an instance of it." if isinstance(found, type) else ""
        refuse("model", f"is {kind}", allowed="an nn.Module, or a callable from a batch to scores or labels", remedy=remedy)
    return Obtained(network=found, form="callable", source=source)


def _from_address(address: str, arguments: Iterable[str] | Mapping[str, Any], *, predictor: bool) -> Obtained:
    found = locate.find(address)
    if isinstance(found, nn.Module):
        if arguments:
            refuse("arguments", "is given", allowed=f"none, since {address} is a network, not a factory")
        return _from_object(found, source=address)
    if not callable(found):
        refuse("model", f"is a {type(found).__name__} at {address}", allowed="an nn.Module, or a function or class that makes one")
    given = factories.parse_arguments(arguments)
    if predictor and len(set(factories.required(found)) - given.keys()) == 1 and not isinstance(found, type):
        return Obtained(network=found, form="callable", source=address)
    made = factories.call_factory(found, given)
    if isinstance(made, tuple | list) and any(isinstance(part, nn.Module) for part in made):
        refuse("model", f"is {address}, which returns a {type(made).__name__}", allowed="a factory that returns the network alone")
    if not callable(made):
        refuse("model", f"is {address}, which returns a {type(made).__name__}", allowed="a factory that returns an nn.Module")
    with_arguments = f" with {', '.join(f'{key}={value}' for key, value in given.items())}" if given else ""
    return replace(_from_object(made, source=address + with_arguments), made=True)


def _from_path(path: Path, *, unsafe_pickle: bool) -> Obtained:
    if path.suffix in (".safetensors", ".npz"):
        _refuse_weights(path)
    if path.suffix not in (*ARCHIVES, *PICKLED):
        _refuse_unknown(path)
    locate.missing_file(path, parameter="model")
    form = archive_form(path)
    if form is None:
        if path.suffix in ARCHIVES:
            refuse("model", f"is {path.name!r}, which is not an archive of torch.export or torch.jit", allowed=FORMS)
        return _from_pickle(path, unsafe_pickle=unsafe_pickle)
    notes: tuple[str, ...] = ()
    if form == "torchscript":
        notes = (
            "TorchScript is deprecated in torch: export the network with torch.export",
            "the file holds code of its own, which TorchScript's interpreter runs (not Python)",
        )
    try:
        return Obtained(network=open_archive(path, form), form=form, source=path.name, notes=notes)
    except UnsafePickleError:
        if not unsafe_pickle:
            raise
        _consent(path)
        return Obtained(network=open_archive(path, form, trusted=True), form=form, source=path.name, notes=notes, unsafe=True)


def _from_pickle(path: Path, *, unsafe_pickle: bool) -> Obtained:
    """A pickled module: needs `unsafe_pickle` and a confirmation."""
    try:
        read_tensors_only(path, parameter="model")
    except UnsafePickleError:
        if not unsafe_pickle:
            refuse_pickle(path, parameter="model", otherwise=f"If you made the file yourself: {as_written('unsafe_pickle')}.")
    else:
        _refuse_weights(path)
    _consent(path)
    locate.make_importable(Path.cwd())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise locate.blame(error, doing=f"reading {path.name}") from error
    obtained = _from_object(found, source=path.name)
    note = f"{path.name} is a pickle: reading it executed the code that it carries"
    return Obtained(network=obtained.network, form=obtained.form, source=path.name, notes=(note,), unsafe=True)


def _consent(path: Path) -> None:
    """The user's confirmation, or a refusal."""
    if os.environ.get(CONSENT) == "1":
        return
    if sys.stdin is not None and sys.stdin.isatty():
        answer = input(f"Reading {path.name} executes whatever it carries. Go on? [y/N] ")
        if answer.strip().lower() in ("y", "yes"):
            return
    raise UnsafePickleError(
        f"`unsafe_pickle` is set, but reading {path.name!r} executes code and was not confirmed; allowed: a yes at the "
        f"terminal, or {CONSENT}=1 in the environment. Nothing of it was executed."
    )


def _refuse_weights(path: Path) -> NoReturn:
    got = f"is {str(path)!r}, which holds weights without a network"
    factory = as_written("model", "package.module:factory")
    remedy = f"Pass {factory} with {as_written('weights', str(path))}."
    refuse("model", got, allowed="the network's code, and its weights beside it", remedy=remedy)


def _refuse_unknown(path: Path) -> NoReturn:
    got = f"is {str(path)!r}"
    beside = [entry.name for entry in path.parent.iterdir() if entry.suffix in (*ARCHIVES, ".py")] if path.parent.is_dir() else []
    remedy = locate.suggestion(path.name, beside)
    if path.is_dir():
        got += ", a folder"
        remedy = "Write a function that makes the network from it, in a file of your own, and pass it: mynet.py:make."
    elif path.suffix == ".py":
        remedy = f"Say what in it makes the network: {as_written('model', f'{path}:factory')}."
    elif path.is_file():
        got += f", a file with the ending {path.suffix!r}, which is not read" if path.suffix else ", a file without an ending"
        remedy = "Write a function that makes the network from it, in a file of your own, and pass it: mynet.py:make."
    refuse("model", got, allowed=FORMS, remedy=remedy)
