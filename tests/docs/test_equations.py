"""Equations come out as MathML that says what the TeX said, although the converter knows less TeX than writers do."""

import re
import sys

import pytest
from doc_blocks import ROOT

pytest.importorskip("sphinx", reason="the documentation's packages are not installed")
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
mathml = pytest.importorskip("mathml")


def rewritten(text):
    for pattern, replacement in mathml.REWRITTEN:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize(
    ("text", "means"),
    [
        (r"\tfrac12 x", r"\frac{1}{2} x"),
        (r"\tfrac1b \ln", r"\frac{1}{b} \ln"),
        (r"\dfrac{z^2}{2n}", r"\frac{z^2}{2n}"),
        (r"\frac1{\sqrt n}", r"\frac{1}{\sqrt n}"),
        (r"\hat p", r"{\hat{p}}"),
        (r"\hat\theta_i", r"{\hat{\theta_i}}"),
        (r"\bigl(x\bigr)", r"\left(x\right)"),
    ],
)
def test_shorthand_becomes_what_the_converter_reads(text, means):
    assert rewritten(text) == means


def test_one_half_is_a_fraction_of_one_and_two():
    from docutils.utils.math import latex2mathml

    drawn = re.sub(r"\s", "", latex2mathml.tex2mathml(rewritten(r"\tfrac12"), as_block=False))
    assert "<mfrac><mn>1</mn><mn>2</mn></mfrac>" in drawn
