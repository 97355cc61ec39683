"""Exported programs, examined before torch's loader sees them: it evaluates texts and executes pickles that the archive carries.

A program is a graph in JSON. Torch finds what a node calls by a dotted name, evaluates the sizes of tensors as Python expressions,
compiles guards, and writes the names of values into the source of a function. So every text in the JSON has one of a few forms:
an allowed operation, an expression of symbols and whole numbers, or a name. What only serves debugging is left out.
"""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

from holdfast.auditing.loading.operations import is_allowed, refuse_content
from holdfast.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["examined_program"]

KEPT = re.compile(
    r"archive_format|archive_version|byteorder|version|\.data/(version|serialization_id)|models/[\w-]+\.json"
    r"|data/(weights|constants|sample_inputs)/[\w-]+(\.json|\.pt)?"
    r"|serialized_(exported_program|state_dict|constants|example_inputs)\.(json|pt)"
)
EXECUTED = re.compile(r"data/constants/(opaque|custom)_obj_.*|data/(aotinductor|executorch)/.*", re.IGNORECASE)
GRAPH = re.compile(r"(.*/)?(models/[\w-]+|serialized_exported_program)\.json")
NAME = re.compile(r"(?!.*\b__\w+__\b)[\w.-]*")
LABEL = re.compile(r"[\w. /:-]*")
VERSION = re.compile(r"[\w.+<= -]*")
TARGET = re.compile(r"torch\.ops\.(\w+)\.(\w+)(?:\.\w+)?|_(operator)\.(\w+)|(math|torch)\.(\w+)")
TREES = (None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict")
POWERS = ("Pow", "PowByNatural", "FloatPow", "LShift")
LONGEST = 2000  # characters of an expression
SYNTAX = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)


def examined_program(records: Mapping[str, bytes]) -> dict[str, bytes]:
    """The records that torch needs to load this program, after each was examined; what it does not need is left out.

    Parameters
    ----------
    records : of the whole archive, by name

    Raises
    ------
    UnsafePickleError : an operation, an expression or a record that is not allowed; it is named
    InputError : the graph is not JSON, or the archive is not complete
    """
    kept: dict[str, bytes] = {}
    for name, record in records.items():
        inside = name if KEPT.fullmatch(name) else name.partition("/")[2]
        if EXECUTED.fullmatch(inside) or EXECUTED.fullmatch(name):
            refuse_content(f"the record {inside!r}", remedy="Export the network without custom objects and without compiling it")
        if KEPT.fullmatch(inside):
            is_text = GRAPH.fullmatch(name) or name.endswith("_config.json")
            kept[name] = json.dumps(_examined(_json(name, record), "")).encode() if is_text else record
    return kept


def _json(name: str, record: bytes) -> Any:
    try:
        return json.loads(record)
    except (ValueError, RecursionError) as error:
        raise InputError(f"its record {name!r} is not JSON ({error}); allowed: what torch.export.save writes.") from error


def _examined(value: Any, key: str) -> Any:
    """`value`, which stands under `key`, without what is only for debugging; refused where a text has an unknown form."""
    if key in ("metadata", "treespec_namedtuple_fields"):
        return {}
    if key == "guards_code":  # Python source that torch compiles; without it torch checks the declared ranges of sizes
        return []
    if isinstance(value, dict):
        for name in value:
            _check_text(NAME, name, "a name")
        return {name: _examined(entry, name) for name, entry in value.items()}
    if isinstance(value, list):
        return [_examined(entry, key) for entry in value]
    if isinstance(value, str):
        _check_value(value, key)
    return value


def _check_value(text: str, key: str) -> None:
    if key in ("target", "as_operator"):
        _check_operation(text)
    elif key == "expr_str":
        _check_expression(text)
    elif key in ("in_spec", "out_spec"):
        _check_tree(text)
    elif key == "torch_version":
        _check_text(VERSION, text, "a version")
    elif key not in ("as_string", "as_strings"):  # the text of an argument is only ever quoted
        _check_text(NAME, text, f"a name under {key!r}")


def _check_text(form: re.Pattern[str], text: str, what: str) -> None:
    if not form.fullmatch(text):
        refuse_content(f"{text[:60]!r} as {what}")


def _check_operation(target: str) -> None:
    match = TARGET.fullmatch(target)
    parts = [part for part in match.groups() if part] if match else []
    if len(parts) != 2 or not is_allowed("::".join(parts)):
        refuse_content(f"the operation `{target[:80]}`")


def _check_tree(text: str) -> None:
    """The containers of inputs and outputs: plain ones, with plain keys."""
    tree = _json("in_spec", text.encode())
    if not isinstance(tree, list) or len(tree) != 2:
        refuse_content("a container in an unknown form")
    pending = [tree[1]]
    while pending:
        node = pending.pop()
        if not isinstance(node, dict) or node.get("type") not in TREES or not isinstance(node.get("children_spec"), list):
            kind = str(node.get("type") if isinstance(node, dict) else node)
            remedy = "Let the network return a tensor, a tuple or a dictionary, e.g. its logits alone, and export it again"
            refuse_content(f"a container of type {kind[:80]!r}", remedy=remedy, trusted=False)
        keys = _json("in_spec", str(node.get("context") or "null").encode())
        for key in keys if isinstance(keys, list) else [] if keys is None else [{}]:
            _check_text(LABEL, key if isinstance(key, str) else "" if isinstance(key, int) else repr(key), "a key")
        pending += node["children_spec"]


def _check_expression(text: str) -> None:
    """An expression of symbols, numbers and the functions of sizes; torch evaluates it as Python."""
    try:
        tree = ast.parse(text[: LONGEST + 1], mode="eval")
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        refuse_content(f"the expression {text[:60]!r}")
    if len(text) > LONGEST or not _is_plain(tree.body) or not _is_small(tree):
        refuse_content(f"the expression {text[:60]!r}")


def _is_plain(node: ast.AST) -> bool:
    """True for arithmetic and comparisons of numbers, symbols and the functions of sizes."""
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or not is_allowed(f"size::{node.func.id}"):
            return False
        first = node.args[:1] if node.func.id == "Symbol" else []
        texts = all(isinstance(part, ast.Constant) and _is_symbol(part.value) for part in first)
        return texts and all(_is_plain(part) for part in (*node.args[len(first) :], *(word.value for word in node.keywords)))
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool | float) or (isinstance(node.value, int) and node.value < 2**64)
    if isinstance(node, ast.Name):
        return _is_symbol(node.id)
    return isinstance(node, SYNTAX) and all(_is_plain(part) for part in ast.iter_child_nodes(node))


def _is_symbol(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[A-Za-z]\w*", text) is not None and "__" not in text


def _is_small(tree: ast.AST) -> bool:
    """True if no power in the expression has another exponent than a small number, or another power inside."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow | ast.LShift):
            inside = [node.left, node.right]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in POWERS:
            inside = node.args
        else:
            continue
        exponent = ast.unparse(inside[-1]) if inside else ""
        if len(inside) != 2 or not re.fullmatch(r"-?\d{1,2}|Integer\(-?\d{1,2}\)", exponent) or not _is_small_base(inside[0]):
            return False
    return True


def _is_small_base(node: ast.AST) -> bool:
    return not any(
        (isinstance(part, ast.BinOp) and isinstance(part.op, ast.Pow | ast.LShift))
        or (isinstance(part, ast.Name) and part.id in POWERS)
        for part in ast.walk(node)
    )
