"""The user's code behind a network, piece by piece, as far as Python can read it."""

from __future__ import annotations

import functools
import inspect
import io
import re
import sys
import textwrap
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.core.digest import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

    from torch import nn

__all__ = ["code_files", "source_digests", "without_comments"]

KNOWN = ("torch", "builtins", "holdfast", "collections", "typing", "abc")  # their versions are recorded with the run
HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def source_digests(network: nn.Module) -> dict[str, str]:
    """Digest of the code of each class and function that `network` is made of, by full name; what cannot be read is left out.

    Functions and classes of the user's own modules that this code names are followed; those of installed libraries are not.
    Classes of torch and of holdfast are left out. Comments, blank lines and blanks at line ends do not count.

    Parameters
    ----------
    network : with all its submodules, hooks, and functions and methods among their attributes
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = [piece for module in network.modules() for piece in _pieces(module)]
    while waiting:
        piece = waiting.pop()
        name = f"{piece.__module__}.{piece.__qualname__}"
        if name in seen or str(piece.__module__).partition(".")[0] in KNOWN:
            continue
        seen.add(name)
        waiting += _named_by(piece)
        try:
            found[name] = digest(without_comments(inspect.getsource(piece)))
        except (OSError, TypeError):  # typed at a prompt, or compiled
            continue
    return found


def code_files(network: nn.Module) -> list[Path]:
    """The files of the user's own classes that `network` is made of, that of the network itself first."""
    classes = [kind for module in network.modules() for kind in type(module).__mro__ if _is_own(kind.__module__)]
    files = [getattr(sys.modules.get(kind.__module__), "__file__", None) for kind in classes]
    return [Path(file).resolve() for file in dict.fromkeys(files) if file]


def _named_by(piece: Any) -> Iterator[Any]:
    """The user's own functions and classes that the code of `piece`, a function or class, names as globals of its module."""
    inside = vars(piece).values() if inspect.isclass(piece) else (piece,)
    for value in inside:
        function = getattr(value, "__func__", value)  # of class methods and static methods
        function = inspect.unwrap(function) if callable(function) else None
        if not inspect.isfunction(function):
            continue
        names = set(_names_in(function.__code__))
        named = [function.__globals__[name] for name in names & function.__globals__.keys()]
        named += [part for module in named if inspect.ismodule(module) for name, part in vars(module).items() if name in names]
        for part in named:
            used = inspect.unwrap(part) if inspect.isfunction(part) else part
            if (inspect.isfunction(used) or inspect.isclass(used)) and _is_own(used.__module__):
                yield used


def _names_in(code: CodeType) -> Iterator[str]:
    """What `code`, and the functions within it, name outside of themselves."""
    yield from code.co_names
    for part in code.co_consts:
        if inspect.iscode(part):
            yield from _names_in(part)


def _is_own(module: str | None) -> bool:
    """The user wrote `module`: it is of no library that is installed beside his code."""
    first = str(module).partition(".")[0]
    if first in KNOWN or first in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(str(module)), "__file__", None) or ""
    return not {"site-packages", "dist-packages"} & set(Path(file).parts)


def _pieces(module: nn.Module) -> Iterator[Any]:
    """The classes of `module`, and functions and classes of objects that stand in its place, in its attributes or in its hooks."""
    yield from type(module).__mro__
    hooks = [hook for name in HOOKS for hook in getattr(module, name, {}).values()]
    for value in (*vars(module).values(), *hooks):
        while isinstance(value, functools.partial):
            value = value.func  # noqa: PLW2901 (what the partial calls)
        function = inspect.unwrap(getattr(value, "__func__", value)) if callable(value) else None
        if inspect.isfunction(function) or inspect.isclass(function):
            yield function
        elif function is not None:
            yield from type(function).__mro__


def without_comments(text: str) -> str:
    r"""Python code without comments, blank lines and common indentation; `text` as it is where it is not whole.

    Examples
    --------
    >>> without_comments("def f(x):  # doubles\n\n    return 2 * x\n")
    'def f(x):\n    return 2 * x'
    """
    lines = textwrap.dedent(text).splitlines()
    try:
        for token in tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                lines[row - 1] = lines[row - 1][:column]
    except (tokenize.TokenError, SyntaxError):
        return text
    return re.sub(r"[ \t]+$", "", "\n".join(line for line in lines if line.strip()), flags=re.MULTILINE)
