"""The words of messages: every flag that the package names is one of the command line, and has that name in Python."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import holdfast
from holdfast.auditing.command import flag_of
from holdfast.auditing.options import AuditOptions
from holdfast.cli.app import app
from holdfast.core.checks import as_written

SOURCE = Path(holdfast.__file__).parent
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OTHERS = ("cli/device.py", "devices/", "report/charts/", "report/provenance.py")  # of devices, style sheets and git
ALONE = {"model", "data", "config", "trust", "progress", "settings"}  # further parameters of the public calls


def known_flags(command):
    found = set()
    for name in command:
        if not name.startswith("-"):
            inner = command[name]
            parts = [] if inner.default_command is None else inner.assemble_argument_collection()
            found |= {word for part in parts for word in part.names}
            found |= known_flags(inner)
    return found


@cache
def constants():
    return [
        (file.relative_to(SOURCE).as_posix(), node)
        for file in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call | ast.Constant)
    ]


def test_every_flag_that_a_text_names_exists():
    flags = known_flags(app)
    assert {"--budget", "--skip", "--argument"} <= flags
    named = [
        (file, word)
        for file, node in constants()
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not file.startswith(OTHERS)
        for word in FLAG.findall(node.value)
    ]
    assert len(named) > 50
    assert [place for place in named if place[1] not in flags] == []


def test_every_setting_that_a_message_writes_is_a_parameter_and_a_flag():
    calls = [
        (file, node.args[0].value)
        for file, node in constants()
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "as_written" and isinstance(node.args[0], ast.Constant)
    ]
    assert len(calls) > 30
    assert [call for call in calls if call[1] not in {*AuditOptions.__annotations__, *ALONE}] == []
    flags = known_flags(app)
    assert [call for call in calls if f"--{call[1].replace('_', '-')}" not in flags] == []


@pytest.mark.parametrize("name", sorted(AuditOptions.__annotations__))
def test_a_setting_has_the_flag_that_messages_would_write(name):
    assert flag_of(name) in known_flags(app)
    if flag_of(name) == f"--{name.replace('_', '-')}":
        assert as_written(name, "1").startswith(f"{flag_of(name)} 1 (Python: {name}=")
