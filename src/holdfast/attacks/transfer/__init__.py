"""Attacks that are made on one network and carried to another, also to one whose classes the first does not know."""

from holdfast.attacks.transfer.surrogate import distil, small_net

__all__ = ["distil", "small_net"]
