"""What is done in return: a callable that takes and returns the same kind of thing, so that defences compose."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

__all__ = ["Defence", "compose"]

Thing = TypeVar("Thing")


@runtime_checkable
class Defence(Protocol[Thing]):
    """A callable from a network to a network, from a gradient to a gradient, or from a training step to a training step."""

    def __call__(self, thing: Thing, /) -> Thing:
        """The defended thing; the argument is not changed."""


def compose(*defences: Defence[Thing]) -> Defence[Thing]:
    """The defences one after another, first to last; none at all changes nothing.

    Examples
    --------
    >>> compose(lambda g: g * 2, lambda g: g + 1)(3)
    7
    """

    def composed(thing: Thing, /) -> Thing:
        for defence in defences:
            thing = defence(thing)
        return thing

    return composed
