"""The code of a Markdown page: files that it shows, Python that it runs, and shell sessions."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(?P<head>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line it begins on, and the file it is shown as."""

    language: str
    text: str
    line: int
    file: str = ""


def pages():
    """Every hand-written page: README, CONTRIBUTING and docs/."""
    written = [path for path in sorted((ROOT / "docs").rglob("*.md")) if not {"generated", "gallery", "_build"} & set(path.parts)]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *written]


def blocks(page):
    """The fenced blocks of `page`, in order."""
    content = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(content):
        head, body = match["head"].strip(), match["body"]
        line = content.count("\n", 0, match.start()) + 1
        directive = re.match(r"\{code-block\}\s+(\w+)", head)
        if directive:
            options, _, rest = body.partition("\n\n")
            caption = re.search(r":caption: (.+)", options)
            found.append(Block(directive[1], rest, line, caption[1].strip() if caption else ""))
        else:
            found.append(Block(head, body, line))
    return found


def commands(page):
    """Pairs of line number and command of all shell commands that a page shows, continued lines joined."""
    shown = []
    for block in blocks(page):
        if block.language in {"console", "text", "bash"}:
            for offset, line in enumerate(block.text.splitlines()):
                shown.append((block.line + offset + 1, line.removeprefix("$ ").strip()))
    return shown


def write_files(page, folder):
    """Write the files that `page` shows into `folder`."""
    for block in blocks(page):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
