"""Attacks that ask questions: the target answers with scores or labels, and no budget is ever exceeded."""

from holdfast.attacks.query.oracle import Oracle
from holdfast.attacks.query.square import square

__all__ = ["Oracle", "square"]
