"""Unit and meaning of a dataclass's fields, read from the ``Parameters`` section of its docstring, where they stand once."""

from __future__ import annotations

import inspect
import re

__all__ = ["documented"]

UNITS = ("ohm m^2", "J/(V m)", "A/m", "1/m", "1/V", "V/W", "m^2", "m^3", "ohm", "rad", "Hz", "A", "K", "T", "V", "W", "m", "s")
UNIT = re.compile(rf"\bin ({'|'.join(map(re.escape, UNITS))})(?=[\s,;.:)]|$)")
ENTRY = re.compile(r"^(\w+(?:, \w+)*) : (.*)$")
GREEK = {
    "alpha": "α",
    "beta": "β",
    "eta": "η",
    "nu": "ν",
    "zeta": "ζ",
    "xi": "ξ",
    "tau": "τ",
    "theta": "θ",
    "omega": "ω",
    "pi": "π",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "rho": "ρ",
    "sigma": "σ",
    "phi": "φ",
    "varphi": "φ",
    "chi": "χ",
    "psi": "ψ",
}


def documented(kind: type) -> dict[str, tuple[str, str]]:
    """Meaning and unit of every field that the docstrings of `kind` and its bases explain; the unit is empty where there is none.

    Examples
    --------
    >>> from holdfast.devices.spintronics import MacrospinDevice
    >>> documented(MacrospinDevice)["ms"]
    ('saturation magnetisation, 1e4 to 3e6', 'A/m')
    """
    found: dict[str, tuple[str, str]] = {}
    for part in reversed(kind.__mro__):
        for name, text in _entries(inspect.cleandoc(part.__dict__.get("__doc__") or "")):
            if not text.startswith("as in "):
                found[name] = _meaning(text)
    return found


def _entries(text: str) -> list[tuple[str, str]]:
    """Pairs of name and description of the section ``Parameters``."""
    _, _, section = text.partition("Parameters\n----------\n")
    pairs: list[tuple[str, str]] = []
    names: list[str] = []
    for line in section.splitlines():
        entry = ENTRY.match(line)
        if entry:
            names = entry[1].split(", ")
            pairs += [(name, entry[2]) for name in names]
        elif names and line.startswith(" "):
            pairs = [(name, f"{said} {line.strip()}" if name in names else said) for name, said in pairs]
        elif line.strip():
            break
        else:
            names = []
    return pairs


def _meaning(text: str) -> tuple[str, str]:
    unit = UNIT.search(text)
    words = text if unit is None else text[: unit.start()] + text[unit.end() :]
    words = re.sub(r":\w+:`([^`]*)`", lambda role: _spelled(role[1]), words).replace("``", "").replace("`", "")
    words = re.sub(r",?( scalar or)?( an?)? ?\barray \([^)]*\),? ?|, \(\.\.\., 3\)", "", words)
    return re.sub(r"\s+([,;.)])", r"\1", " ".join(words.split())).lstrip(",;: ").rstrip(" ,"), "" if unit is None else unit[1]


def _spelled(math: str) -> str:
    """TeX as a terminal can show it."""
    math = re.sub(r"\\(mathcal|mathrm|mathbf|hat|bar|text)\b\s*", "", math)
    return re.sub(r"\\(\w+)", lambda word: GREEK.get(word[1], word[1]), math).replace("{", "").replace("}", "")
