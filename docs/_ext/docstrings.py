"""Docstrings of this house for Sphinx.

A parameter stands as ``name : what it is`` on one line, and numpydoc takes the words after the colon for a type. Here such
sections become fields with descriptions before napoleon reads the rest. References into the package are led to the page that
documents the object, and one that leads nowhere is reported.
"""

import ast
import contextlib
import inspect
import pkgutil
import re
import sys
from importlib import import_module

from docutils import nodes
from sphinx.util import logging

import holdfast

LOG = logging.getLogger(__name__)
FIELDS = {"Parameters", "Other Parameters", "Attributes", "Raises", "Warns", "Returns", "Yields"}
ENTRY = re.compile(r"^(?P<name>\S.*?) : (?P<text>.+)$")


def _sections(lines):
    """Pairs of heading (None for the text before the first one) and body lines."""
    starts = [
        index
        for index in range(len(lines) - 1)
        if lines[index].strip() and not lines[index].startswith(" ") and re.fullmatch(r"-{3,}", lines[index + 1])
    ]
    ends = [*starts[1:], len(lines)][: len(starts)]
    yield None, lines[: starts[0] if starts else len(lines)]
    for start, end in zip(starts, ends, strict=True):
        yield lines[start].strip(), lines[start + 2 : end]


def _name(name, heading):
    if heading in {"Raises", "Warns"} and name.isidentifier():
        return f":exc:`{name}`"
    return ", ".join(f"**{part.strip()}**".replace("***", "**\\*") for part in name.split(","))


def _literal(text):
    """`text` whose lone asterisks, as in ``(n, *shape)``, begin no emphasis."""
    return re.sub(r"(``.*?``)|(?<!\*)\*(?!\*)", lambda found: found[1] or r"\*", text)


def _entries(heading, body):
    """The items of a field: ``name : text`` each, or plain text."""
    for line in body:
        entry = ENTRY.match(line)
        if entry and heading not in {"Returns", "Yields"}:
            yield f"    * {_name(entry['name'], heading)} – {_literal(entry['text'])}"
        elif line.strip():
            yield ("      " if heading not in {"Returns", "Yields"} else "    ") + _literal(line.strip())


def reform(app, what, name, obj, options, lines):
    """Turn the sections that describe names into fields; napoleon takes care of the others."""
    del app, name, obj, options
    formed = ["..", ""] if what in {"attribute", "data", "property"} else []  # else napoleon takes "Array (n,): ..." for a type
    for heading, body in _sections(list(lines)):
        if heading is None:
            formed += body
        elif heading in FIELDS:
            formed += ["", f":{heading}:", *_entries(heading, body), ""]
        else:
            formed += ["", heading, "-" * len(heading), *body]
    lines[:] = formed


def _object(path):
    """The object at a dotted path."""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise AttributeError(path)


def _aliases(target, domain):
    """Documented names of the object that `target` names, which may be documented where it is re-exported."""
    last = target.rsplit(".", 1)[-1]
    same = [name for name in domain.objects if name.rsplit(".", 1)[-1] == last]
    if not target.startswith("holdfast"):
        return same
    try:
        wanted = _object(target)
    except AttributeError:
        return []
    return [name for name in same if _matches(name, wanted)]


def _matches(name, wanted):
    try:
        return _object(name) is wanted or _object(name) == wanted
    except (AttributeError, ValueError):
        return False


def _exists(target):
    try:
        _object(target)
    except AttributeError:
        return False
    return True


def _page_of(target, domain):
    """Documented name that a reference to `target` should lead to; a module without a page leads to its package."""
    candidates = sorted(_aliases(target, domain), key=len)
    if candidates:
        return candidates[0]
    parts = target.split(".")
    documented = [".".join(parts[:cut]) for cut in range(len(parts) - 1, 1, -1) if ".".join(parts[:cut]) in domain.modules]
    is_module = target in sys.modules
    return documented[0] if is_module and documented else None


def resolve(app, env, node, contnode):
    """Lead a reference to the page that documents the object under another name."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    domain = env.get_domain("py")
    if target.startswith("holdfast"):
        found = _page_of(target, domain)
    else:
        ours = [name for name in _aliases(target, domain) if name.startswith("holdfast")]
        found = ours[0] if len({id(_object(name)) for name in ours}) == 1 and target[:1].isupper() else None
    if found is None:
        if target.startswith("holdfast") and not _exists(target):
            LOG.warning("reference to %s leads nowhere", target, location=node)
        return None
    entry = domain.objects[found]
    uri = app.builder.get_relative_uri(node.get("refdoc", env.docname), entry.docname) + "#" + entry.node_id
    return nodes.reference("", "", contnode, internal=True, refuri=uri, reftitle=found)


def complete_annotations(app):
    """Run the imports that modules keep for type checkers, so that annotations name objects instead of words."""
    del app
    for entry in pkgutil.walk_packages(holdfast.__path__, "holdfast."):
        if entry.name.endswith("__main__"):
            continue
        module = import_module(entry.name)
        tree = ast.parse(inspect.getsource(module))
        for node in tree.body:
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
                for statement in node.body:
                    with contextlib.suppress(ImportError):
                        exec(compile(ast.Module([statement], []), entry.name, "exec"), module.__dict__)  # noqa: S102 (our own imports)


def setup(app):
    """Connect before napoleon, and after Sphinx's own resolution."""
    app.connect("builder-inited", complete_annotations)
    app.connect("autodoc-process-docstring", reform, priority=400)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
