r"""Sums, differences and products of estimates, with intervals.

A combination is a constant plus a sum of coefficient times estimate, so that an estimate that is taken twice counts once and one
that is taken away from itself cancels exactly. With :math:`d_i` the length of the interval of :math:`c_i \hat\theta_i` below it,

.. math:: L = \sum_i c_i\hat\theta_i - \sqrt{\Bigl(\sum_{c_i > 0} d_i\Bigr)^2 + \Bigl(\sum_{c_i < 0} d_i\Bigr)^2}

and likewise above. For one difference this is MOVER (G. Y. Zou and A. Donner, Stat. Med. 27 (2008) 1693): made for independent
estimates, wider than needed for positively correlated ones, as accuracies on the same examples are. Terms of equal sign add their
lengths instead of the squares, because there a positive correlation would make the root too narrow. A difference of negatively
correlated estimates is left out: its interval is too narrow here. Where the examples behind all terms are known and the same, none
of this is needed: see :mod:`holdfast.core.paired`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.core.estimate import Estimate
from holdfast.core.paired import METHOD, ExampleValues, Joint, Term, joint

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Combination"]


@dataclass(frozen=True)
class Combination:
    """A constant plus coefficients times estimates.

    Parameters
    ----------
    constant : the part that is known exactly
    terms : coefficient (not 0), estimate (with a width) and the examples behind it, by the estimate's identity

    Examples
    --------
    >>> from holdfast.core.estimate import proportion
    >>> before, after = Combination.of(proportion(90, 100)), Combination.of(proportion(80, 100))
    >>> print(after.minus(before).estimate())
    -0.1 [-0.199, -0.000149]
    >>> print(after.minus(after).estimate())
    0
    """

    constant: float = 0.0
    terms: Mapping[int, Term] = field(default_factory=dict)

    @classmethod
    def of(cls, estimate: Estimate, behind: ExampleValues | None = None) -> Combination:
        """One estimate; one whose interval has no width is a constant.

        Parameters
        ----------
        estimate : the number
        behind : what each example gave, if the number is their mean
        """
        return cls(estimate.value) if estimate.is_exact else cls(0.0, {id(estimate): Term(1.0, estimate, behind)})

    @property
    def is_constant(self) -> bool:
        """True if nothing uncertain is left."""
        return not self.terms

    def plus(self, other: Combination) -> Combination:
        """The sum; coefficients of the same estimate add up."""
        terms = dict(self.terms)
        for key, term in other.terms.items():
            before = terms[key].coefficient if key in terms else 0.0
            terms[key] = term._replace(coefficient=term.coefficient + before)
        return Combination(self.constant + other.constant, {key: term for key, term in terms.items() if term.coefficient != 0})

    def scaled(self, factor: float) -> Combination:
        """The combination times a known number."""
        terms = {key: term._replace(coefficient=factor * term.coefficient) for key, term in self.terms.items() if factor}
        return Combination(factor * self.constant, terms)

    def minus(self, other: Combination) -> Combination:
        """The difference."""
        return self.plus(other.scaled(-1.0))

    def times(self, other: Combination) -> Combination:
        """The product; of two uncertain factors by interval arithmetic, which holds whatever their dependence."""
        if self.is_constant or other.is_constant:
            return other.scaled(self.constant) if self.is_constant else self.scaled(other.constant)
        one, two = self.estimate(), other.estimate()
        corners = [0.0 if 0 in {x, y} else x * y for x in (one.lo, one.hi) for y in (two.lo, two.hi)]
        return self.of(Estimate(one.value * two.value, min(corners), max(corners), min(one.n, two.n), "product", one.level))

    def size(self) -> Combination:
        """The absolute value, by interval arithmetic."""
        signed = self.estimate()
        near, far = sorted((abs(signed.lo), abs(signed.hi)))
        near = 0.0 if signed.lo <= 0 <= signed.hi else near
        return self.of(Estimate(abs(signed.value), near, far, signed.n, "absolute value", signed.level))

    def joint(self) -> Joint | None:
        """The uncertain part over the examples that all terms share; None for a single term, and where such are not known."""
        return joint(tuple(self.terms.values()))

    def estimate(self) -> Estimate:
        """The combination as one estimate; `n` is the smallest of its terms', or the number of examples that all share."""
        if self.is_constant:
            return Estimate(self.constant, self.constant, self.constant, 1, "exact")
        if together := self.joint():
            found = together.estimate
            value, lo, hi = (self.constant + end for end in (found.value, found.lo, found.hi))
            return Estimate(value, lo, hi, found.n, METHOD, found.level)
        value = self.constant
        below, above = [0.0, 0.0], [0.0, 0.0]
        for coefficient, term, _ in self.terms.values():
            value += coefficient * term.value
            falls = int(coefficient < 0)
            lengths = sorted((coefficient * term.lo, coefficient * term.hi))
            below[falls] += coefficient * term.value - lengths[0]
            above[falls] += lengths[1] - coefficient * term.value
        estimates = [term.estimate for term in self.terms.values()]
        n, level = min(term.n for term in estimates), min(term.level for term in estimates)
        return Estimate(value, value - math.hypot(*below), value + math.hypot(*above), n, "mover", level)
