"""Equations as MathML, by docutils' own converter: browsers draw it themselves, so the pages ask no network for a script."""

import re

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.util import logging

LOG = logging.getLogger(__name__)
ARGUMENT = r"(\\[a-zA-Z]+|[^\s{\\])"
# What TeX allows and the converter does not: other names of fences and fractions, arguments without braces, accents with indices.
# Fences grow by themselves in MathML.
REWRITTEN = (
    (r"\\(?:Bigl|bigl)(?![a-zA-Z])", r"\\left"),
    (r"\\(?:Bigr|bigr)(?![a-zA-Z])", r"\\right"),
    (r"\\[dt]frac(?![a-zA-Z])", r"\\frac"),
    (rf"\\frac\s*{ARGUMENT}\s*{ARGUMENT}", r"\\frac{\1}{\2}"),
    (rf"\\frac\s*{ARGUMENT}\s*{{", r"\\frac{\1}{"),
    (rf"\\(hat|bar|tilde)(?![a-zA-Z])\s*{ARGUMENT}_{ARGUMENT}", r"{\\\1{\2_\3}}"),
    (rf"\\(hat|bar|tilde)(?![a-zA-Z])\s*{ARGUMENT}", r"{\\\1{\2}}"),
)


def _mathml(node, *, block):
    text = node.astext()
    for pattern, replacement in REWRITTEN:
        text = re.sub(pattern, replacement, text)
    try:
        return latex2mathml.tex2mathml(text, as_block=block)
    except MathError as problem:
        LOG.warning("equation cannot be drawn: %s", problem, location=node)
        return f"<code>{text}</code>"


def inline(self, node):
    """An equation within a sentence."""
    self.body.append(_mathml(node, block=False))
    raise nodes.SkipNode


def display(self, node):
    """An equation in a line of its own."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(_mathml(node, block=True) + "</div>\n")
    raise nodes.SkipNode


def setup(app):
    """Make it a renderer that ``html_math_renderer`` can name."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
