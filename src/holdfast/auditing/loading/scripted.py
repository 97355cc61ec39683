"""TorchScript archives, examined before torch's loader sees them: loading alone runs code (``__setstate__``).

The code in an archive is TorchScript, whose grammar is part of Python's. It is parsed, never run: each operation must be one that
:mod:`holdfast.auditing.loading.operations` allows, and each other name must be one that the archive itself defines. Torch's
compiler looks up a name after a dot among the methods of a value and then among all operations, so every such name is checked,
whether it is called or not. The pickles beside the code are read as lists of instructions.
"""

from __future__ import annotations

import ast
import pickletools
import re
from typing import TYPE_CHECKING, Any

import torch

from holdfast.auditing.loading.operations import is_allowed, refuse_content
from holdfast.auditing.loading.storages import stated_storages
from holdfast.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["examined_script"]

KEPT = re.compile(r"code/.*\.py|(data|constants)\.pkl|(data|constants)/\d+|version|byteorder|\.data/(version|serialization_id)")
PLAIN = re.compile(r"[\n\t\x20-\x7e]*")
GLOBALS = re.compile(
    r"__torch__[. ].*|collections OrderedDict|torch \w+Storage|torch device|torch \w+\d+|torch per_(tensor|channel)_\w+|torch q\w+"
    r"|builtins complex|torch\._utils _rebuild_(tensor|tensor_v2|qtensor|sparse_tensor|parameter)"
    r"|torch\.jit\._pickle (build_(int|tensor|double|bool)list|restore_type_tag)|torch\.serialization _get_layout"
)
CLASSES = re.compile(r"__torch__\.torch\.classes\.(quantized\.\w+PackedParamsBase|rnn\.CellParamsBase)")
MEMBERS = frozenset({"unpack"})
"""What the classes of `CLASSES` have beside their state."""
NAMED_BY_TEXT = ("getattr", "hasattr", "setattr")


def examined_script(records: Mapping[str, bytes]) -> dict[str, bytes]:
    """The records that torch needs to load this network, after each was examined; what it does not need is left out.

    Parameters
    ----------
    records : of the whole archive, by name

    Raises
    ------
    UnsafePickleError : an operation or a class that is not allowed; it is named
    InputError : the code cannot be parsed, or the archive is not complete
    """
    kept = {name: record for name, record in records.items() if KEPT.fullmatch(name.partition("/")[2])}
    if len({name.partition("/")[0] for name in kept}) != 1:
        raise InputError("its records lie in several folders; allowed: one. Save it again with torch.jit.save.")
    trees = {name: _parsed(name, record) for name, record in kept.items() if name.endswith(".py")}
    defined = {word for tree in trees.values() for word in _defined(tree)}
    for tree in trees.values():
        _Names(defined).visit(tree)
    for name in kept:
        if name.endswith(".pkl"):
            _check_pickle(name, kept)
    return kept


def _parsed(name: str, source: bytes) -> ast.Module:
    try:
        text = source.decode("ascii")
        tree = ast.parse(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise InputError(f"its code {name!r} cannot be parsed ({error}); allowed: what torch.jit.save writes.") from error
    if not PLAIN.fullmatch(text) or "# type:" in text:  # readers disagree about what these are
        raise InputError(f"its code {name!r} cannot be parsed alike by all readers; allowed: what torch.jit.save writes.")
    return tree


def _defined(tree: ast.Module) -> Iterable[str]:
    """Names that the code itself defines: classes, functions, arguments, variables and attributes of classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield from _declared(node)


def _declared(node: ast.Assign | ast.AnnAssign) -> Iterable[str]:
    """The attribute whose name is not an identifier: ``__annotations__["0"] = type``."""
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
            yield str(target.slice.value)


def _is_operation(name: str) -> bool:
    known = torch._C._jit_get_schemas_for_operator  # noqa: SLF001 (torch has no public list of its operations)
    return any(known(f"{namespace}::{name}") for namespace in ("aten", "prim"))


class _Names(ast.NodeVisitor):
    """Refuses the first name in a tree that is neither allowed nor `defined` in the archive."""

    def __init__(self, defined: set[str]) -> None:
        self.defined = defined

    def visit_Name(self, node: ast.Name) -> None:
        """A bare name: a variable, a special form of the compiler, or a type."""
        if node.id in ("torch", "ops", "__torch__") or (node.id not in self.defined and not is_allowed(f"torchscript::{node.id}")):
            refuse_content(f"code that uses {node.id!r} as a value")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """A dotted name: an operation, a class of the archive, or something that belongs to a value."""
        dotted = _dotted(node)
        root = dotted[0]
        if root in ("torch", "ops"):
            namespace = ["aten"] if root == "torch" else dotted[1:-1]
            operation = "::".join([*namespace, dotted[-1]])
            if len(dotted) != (2 if root == "torch" else 3) or not is_allowed(operation):
                refuse_content(f"the operation `{operation}`")
        elif root == "__torch__":
            _check_class(".".join(dotted))
        elif root != "CONSTANTS":
            self._check_member(node.attr)
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        """A call; ``getattr`` names a member by a text, which must be written plainly."""
        if isinstance(node.func, ast.Name) and node.func.id in NAMED_BY_TEXT:
            name = node.args[1] if len(node.args) > 1 else None
            if not isinstance(name, ast.Constant) or not isinstance(name.value, str) or not re.fullmatch(r"[\w. -]+", name.value):
                refuse_content(f"code that names a member by a computed text in {node.func.id!r}")
            self._check_member(name.value)
            for argument in (node.args[0], *node.args[2:]):
                self.visit(argument)
            return
        self.generic_visit(node)

    def _check_member(self, name: str) -> None:
        if any(is_allowed(f"{namespace}::{name}") for namespace in ("aten", "prim")):
            return
        if name not in self.defined | MEMBERS or _is_operation(name):
            refuse_content(f"the operation `{name}`")


def _dotted(node: ast.expr) -> list[str]:
    """The parts of ``a.b.c``; the first part is empty if the root is not a plain name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id if isinstance(node, ast.Name) else "", *reversed(parts)]


def _check_class(name: str) -> None:
    if name.startswith("__torch__.torch.classes") and not CLASSES.match(name):
        refuse_content(f"the class `{name.removeprefix('__torch__.')}`")


def _check_pickle(name: str, records: Mapping[str, bytes]) -> None:
    """Refuse a pickle that asks for a class which torch's reader does not know, or states more numbers than lie beside it."""
    folder = name.removesuffix(".pkl")
    try:
        for instruction, argument, _ in pickletools.genops(records[name]):
            _check_instruction(instruction.name, argument)
        stated = stated_storages(records[name])
    except InputError:
        raise
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
        raise InputError(f"its record {name!r} is damaged ({error}); allowed: what torch.jit.save writes.") from error
    for key, size in stated:
        held = len(records.get(f"{folder}/{key}", b""))
        if size > held:
            raise InputError(
                f"its record {name!r} states {size} bytes for {key!r}, which has {held}; allowed: what torch.jit.save writes."
            )


def _check_instruction(instruction: str, argument: Any) -> None:
    if not is_allowed(f"instruction::{instruction}"):
        raise InputError(f"a pickle in it has the instruction {instruction}; allowed: what torch.jit.save writes.")
    if instruction != "GLOBAL":
        return
    module, _, name = str(argument).partition(" ")
    if not GLOBALS.fullmatch(str(argument)):
        refuse_content(f"the class `{module}.{name}`")
    _check_class(f"{module}.{name}")
