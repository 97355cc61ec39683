"""Writes the reference from the package: commands from ``--help``, settings and report from their schemas, a page a package."""

import inspect
import os
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from sphinx.pycode import ModuleAnalyzer

LAYERS = ("auditing", "studies", "report", "bayes", "shift", "quantize", "hardware", "attacks", "nets", "data", "devices", "core")


def _fenced(text, language=""):
    return [f"```{language}", *text.strip("\n").splitlines(), "```", ""]


def _table(header, rows):
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows),
        "",
    ]


def _ticks(text):
    """The docstrings' double ticks and roles as Markdown's code."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda found: f"`{found[1]}`", text)
    return text.replace("``", "`")


def _help(*words):
    environment = os.environ | {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    asked = subprocess.run(  # noqa: S603 (fixed words)
        [sys.executable, "-c", "from holdfast.cli import main; main()", *words, "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return asked.stdout


def _commands(app, words=()):
    for name in sorted(name for name in app if not name.startswith("-")):
        yield (*words, name)
        yield from _commands(app[name], (*words, name))


def command_line():
    """Every command with its help, as the shell shows it."""
    from holdfast.cli import app

    lines = [
        "# Command line",
        "",
        "Every command prints this help with `--help`; the text below is that help.",
        "What the exit codes mean stands in [](../../howto/gates.md).",
        "",
        "## `holdfast`",
        "",
        *_fenced(_help(), "text"),
    ]
    for words in _commands(app):
        lines += [f"## `holdfast {' '.join(words)}`", "", *_fenced(_help(*words), "text")]
    return lines


def _type(entry):
    if "const" in entry:
        return f"`{entry['const']!r}`"
    if "enum" in entry:
        return ", ".join(f"`{item}`" for item in entry["enum"])
    if "$ref" in entry:
        name = entry["$ref"].rsplit("/", 1)[-1]
        return "any JSON" if name == "JsonValue" else f"[{name}](#{name.lower()})"
    if "anyOf" in entry:
        return " or ".join(dict.fromkeys(_type(option) for option in entry["anyOf"]))
    if entry.get("type") == "array":
        inner = entry.get("items") or (entry.get("prefixItems") or [{}])[0]
        return f"list of {_type(inner)}"
    if entry.get("type") == "object":
        inner = entry.get("additionalProperties")
        return f"mapping to {_type(inner)}" if isinstance(inner, dict) else "mapping"
    return entry.get("type", "any JSON")


def _fields(schema):
    return _table(
        ("key", "value", "meaning"),
        [(f"`{name}`", _type(entry), _ticks(entry.get("description", ""))) for name, entry in schema.get("properties", {}).items()],
    )


def report_schema():
    """``report.json``, record by record."""
    from holdfast.report import json_schema

    schema = json_schema()
    lines = [
        "# report.json",
        "",
        "Version 1 of the schema is called `holdfast.report/1`; `holdfast schema report` prints it as JSON Schema (draft 2020-12).",
        "A key that the schema does not know is refused, and a number that is not finite is written as null.",
        "",
        "## Document",
        "",
        "The file itself.",
        "",
        *_fields(schema),
    ]
    for name, part in sorted(schema["$defs"].items()):
        if name != "JsonValue":
            lines += [f"## {name}", "", _ticks(part.get("description", "").split("\n\n")[0]), "", *_fields(part)]
    return lines


def _flag(key):
    """The flag that sets `key`, and what its help says."""
    from holdfast.auditing.command import flag_of
    from holdfast.cli.flags import AuditFlags

    name = flag_of(key)
    documented = ModuleAnalyzer.for_module(AuditFlags.__module__).find_attr_docs()
    return f"`{name}`", " ".join(documented.get((AuditFlags.__name__, name.strip("-").replace("-", "_")), [])).strip()


def _meanings(kind):
    """What the docstring of a stress says about each setting."""
    lines = inspect.getdoc(kind).partition("Parameters\n")[2].splitlines()[1:]
    found = {}
    for line in lines:
        name, colon, text = line.partition(" : ")
        if colon and not line.startswith(" "):
            found |= dict.fromkeys((part.strip() for part in name.split(",")), text)
            last = name.split(",")
        elif line.strip():
            found |= {part.strip(): f"{found[part.strip()]} {line.strip()}" for part in last}
    return found


def _settings_rows(model, prefix=""):
    from pydantic import BaseModel

    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        if inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel):
            yield from _settings_rows(field.annotation, f"{key}.")
        elif not str(field.annotation).startswith("dict"):
            default = field.get_default(call_default_factory=True)
            flag, words = _flag(key)
            yield f"`{key}`", flag, "" if default in {None, ()} else f"`{default}`", _ticks(field.description or words)


def configuration():
    """The keys of the configuration file, and the settings of every stress."""
    from holdfast.auditing import AuditSettings, catalogue
    from holdfast.auditing.stresses import known_stresses

    lines = [
        "# Configuration",
        "",
        "An audit reads one TOML file (`holdfast audit -c audit.toml`), then `--set KEY=VALUE`, then the other flags.",
        "The later ones win.",
        "An unknown key is refused and the nearest known one is named.",
        "`holdfast audit --print-config` writes the resolved file, `holdfast schema config` its JSON Schema.",
        "",
        "## Keys",
        "",
        *_table(("key", "flag", "default", "meaning"), _settings_rows(AuditSettings)),
        "## Stresses",
        "",
        "The settings of a stress stand in the table that is named after its card, e.g. `[adversarial.pgd]`.",
        "The columns show what each preset takes for 28 x 28 grey images and 10 classes; `null` means all or none.",
        "",
    ]
    for name, kind in known_stresses().items():
        _, settings = catalogue.describe(name)
        meanings = _meanings(kind)
        rows = []
        for setting in settings:
            key, *values = setting.values()
            rows.append([f"`{key}`", _ticks(meanings.get(key.rsplit(".", 1)[-1], "")), *(f"`{value}`" for value in values)])
        lines += [
            f"### {name}",
            "",
            f"{kind.title}; card `{kind.card}`, needs access to {kind.requires}.",
            _ticks(" ".join(inspect.getdoc(kind).partition("\nParameters")[0].split())),
            "",
            *_table(("setting", "meaning", *list(settings[0])[1:]), rows),
        ]
    return lines


def _kind(thing):
    return "class" if inspect.isclass(thing) else "function" if inspect.isroutine(thing) else "data"


def _sentence(thing, name):
    """What the source says below the assignment of `name`."""
    for module_name in sorted(module for module in sys.modules if module.startswith("holdfast")):
        if getattr(sys.modules[module_name], name, None) is thing:
            text = ModuleAnalyzer.for_module(module_name).find_attr_docs().get(("", name))
            if text:
                return text
    return []


def _entry(module, name, thing):
    if _kind(thing) == "data":
        return [f".. py:data:: {name}", f"   :module: {module}", "", *(f"   {line}" for line in _sentence(thing, name)), ""]
    return [f".. auto{_kind(thing)}:: {module}.{name}", ""]


def _module(name, *, level="#", without=()):
    """The page of one package or module: its text, a table of its names, and each name; those in `without` stand elsewhere."""
    module = import_module(name)
    kept = [item for item in getattr(module, "__all__", ()) if not item.startswith("__") and item not in without]
    things = {item: getattr(module, item) for item in kept}
    listed = [item for item, thing in things.items() if _kind(thing) != "data"]
    lines = [f"{level} {name}", "", "```{eval-rst}", f".. automodule:: {name}", "   :no-members:", ""]
    if len(listed) > 1:
        lines += [".. autosummary::", "   :nosignatures:", "", *(f"   {item}" for item in listed), ""]
    for item, thing in things.items():
        lines += _entry(name, item, thing)
    return [*lines, "```", ""]


def _rooms(name):
    """Sections of the packages inside the package `name`, with what `name` itself does not export."""
    package, lines = import_module(name), []
    for entry in pkgutil.iter_modules(package.__path__):
        if entry.ispkg and entry.name != "entries":
            lines += _module(f"{name}.{entry.name}", level="###", without=package.__all__)
    return lines


def packages():
    """Pages of all packages, by file name; `core` has a section a module, since its modules are the public names."""
    import holdfast

    found = [entry.name for entry in pkgutil.iter_modules(holdfast.__path__) if entry.ispkg and entry.name != "cli"]
    ordered = sorted(found, key=lambda name: (LAYERS.index(name) if name in LAYERS else -1, name))
    pages = {}
    for name in ordered:
        lines = _module(f"holdfast.{name}")
        if name in {"core", "studies", "devices"}:
            package = import_module(f"holdfast.{name}")
            skipped = {"run", "catalogue"} if name == "studies" else set()
            for entry in pkgutil.iter_modules(package.__path__):
                if entry.name not in skipped and (entry.ispkg or name != "devices"):
                    lines += _module(f"holdfast.{name}.{entry.name}", level="##")
                    lines += _rooms(f"holdfast.{name}.{entry.name}") if name == "devices" else []
        pages[f"holdfast.{name}"] = lines
    return pages


def _index(names):
    import holdfast

    return [
        "# Packages",
        "",
        "Each package is usable alone, on plain modules, tensors and arrays.",
        "The package itself re-exports what is called most; importing it loads no torch.",
        "",
        "```{eval-rst}",
        ".. automodule:: holdfast",
        "   :no-members:",
        "",
        ".. autosummary::",
        "   :nosignatures:",
        "",
        *(f"   {name}" for name in holdfast.__all__ if not name.startswith("_")),
        "",
        ".. autofunction:: holdfast.compare",
        "```",
        "",
        "```{toctree}",
        ":maxdepth: 1",
        "",
        *names,
        "```",
        "",
    ]


def write(app):
    """Write the pages that have changed, so that the others are not built again, and remove those of packages that are gone."""
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    pages = packages()
    everything = {
        "command-line": command_line(),
        "report": report_schema(),
        "configuration": configuration(),
        "packages": _index(pages),
    } | pages
    for stale in folder.glob("*.md"):
        if stale.stem not in everything:
            stale.unlink()
    for name, lines in everything.items():
        path, text = folder / f"{name}.md", "\n".join(lines)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app):
    """Generate before Sphinx looks for pages."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
