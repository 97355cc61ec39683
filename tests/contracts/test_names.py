"""One name, one class: a reader who meets a class by its name knows which one it is."""

import ast
from collections import defaultdict
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "holdfast"


def test_no_two_classes_have_one_name():
    places = defaultdict(list)
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{file.relative_to(SOURCE)}:{node.lineno}")
    assert places, "no class was found"
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
