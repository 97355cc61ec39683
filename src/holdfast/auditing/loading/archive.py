"""Networks that come as an archive of code and weights: exported programs (``.pt2``) and TorchScript.

Neither needs the user's Python, but both hold code, and torch's loaders run some of it. So an archive is examined first: its
records are read strictly, its operations are compared with a closed list, and torch gets a new archive of the examined records.
What may do more than compute is refused, unless the user trusts the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import warnings
import zipfile
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from holdfast.auditing.loading.exported import examined_program
from holdfast.auditing.loading.scripted import examined_script
from holdfast.core.checks import as_written
from holdfast.core.errors import InputError, UnsafePickleError
from holdfast.data.records import check_records, read_records, write_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ArchivedNetwork", "archive_form", "open_archive"]

Form = Literal["exported", "torchscript"]


class ArchivedNetwork(nn.Module):
    """The network in an archive; it travels to other processes as the archive.

    Parameters
    ----------
    content : the bytes of the archive
    form : ``"exported"`` or ``"torchscript"``
    trusted : let torch's loader execute what the archive carries; otherwise it is examined first

    Raises
    ------
    UnsafePickleError : it carries more than tensors and allowed operations, and is not `trusted`
    """

    def __init__(self, content: bytes, form: Form, *, trusted: bool = False) -> None:
        super().__init__()
        self.content, self.form, self.trusted = content if trusted else _examined(content, form), form, trusted
        self.network = _exported(self.content, trusted=trusted) if form == "exported" else _torchscript(self.content)

    def extra_repr(self) -> str:
        """Digest of the archive, for the printed network."""
        return f"{self.form}, sha256={hashlib.sha256(self.content).hexdigest()[:16]}"

    def forward(self, x: torch.Tensor) -> Any:
        """What the archived network answers to the batch `x`."""
        return self.network(x)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.content, self.form, self.trusted)


def _reopen(content: bytes, form: Form, trusted: bool) -> ArchivedNetwork:  # noqa: FBT001 (pickle passes positions)
    return ArchivedNetwork(content, form, trusted=trusted)


def archive_form(path: Path) -> Form | None:
    """The form of the archive at `path`, by its content; None for anything else, e.g. a file of ``torch.save``.

    Raises
    ------
    InputError : it is a damaged zip archive, or one that two readers may take for different ones
    """
    if not zipfile.is_zipfile(path):
        return None
    try:
        names = {name.partition("/")[2] or name for name in check_records(path)}
    except InputError as error:
        raise InputError(f"`model` is {path.name!r}: {error}") from error
    if "archive_format" in names or "serialized_exported_program.json" in names:
        return "exported"
    return "torchscript" if "constants.pkl" in names else None


def open_archive(path: Path, form: Form, *, trusted: bool = False) -> ArchivedNetwork:
    """The network in the archive at `path`.

    Raises
    ------
    UnsafePickleError : it carries more than tensors and allowed operations, and is not `trusted`; what it carries is named
    InputError : torch cannot read it
    """
    try:
        return ArchivedNetwork(path.read_bytes(), form, trusted=trusted)
    except InputError as error:
        raise type(error)(f"`model` is {path.name!r}: {error}") from error.__cause__
    except Exception as error:
        what = "an exported program" if form == "exported" else "TorchScript"
        text = " ".join(str(error).split())[:200]
        raise InputError(
            f"`model` is {path.name!r}, which torch {torch.__version__} cannot read as {what} ({type(error).__name__}: {text}); "
            "allowed: a complete archive. Export the network again with this version of torch."
        ) from error


def _examined(content: bytes, form: Form) -> bytes:
    """An archive of the records in `content` that torch's loader needs, after each was examined."""
    records = read_records(content)
    return write_records(examined_program(records) if form == "exported" else examined_script(records))


def _torchscript(content: bytes) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the notes of the load say it
        network = torch.jit.load(io.BytesIO(content), map_location="cpu")
    for module in network.modules():
        if not hasattr(module, "training"):  # a frozen network has no mode, and is in evaluation for ever
            module.training = False
    return network


def _exported(content: bytes, *, trusted: bool) -> nn.Module:
    with _quiet(), contextlib.nullcontext() if trusted else _tensors_only():
        program: nn.Module = torch.export.load(io.BytesIO(content)).module()
    for switch in ("train", "eval"):  # torch replaces them by functions that raise; a program's mode is fixed when it is exported
        program.__dict__.pop(switch, None)
    return program


@contextlib.contextmanager
def _tensors_only() -> Iterator[None]:
    """Torch's own switch that makes each of its loads a tensors-only load, whatever the caller asked for."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    except Exception as error:
        if "weights_only" in str(error).lower() or "weights only" in str(error).lower():
            raise UnsafePickleError(
                "it carries a pickle of more than tensors, which loading would execute; allowed: programs of operations and "
                "tensors. Nothing of it was executed. Export the network again where you trust it, or pass "
                f"{as_written('unsafe_pickle')}."
            ) from error
        raise
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's loader from logging tracebacks of errors that are reported anyway."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
