"""Query attacks: the target answers with scores or labels, and the budget of queries is never exceeded."""

from holdfast.attacks.query.hopskipjump import BoundaryResult, hopskipjump
from holdfast.attacks.query.nes import nes
from holdfast.attacks.query.oracle import Oracle
from holdfast.attacks.query.prior import Prior, averaged, loss_gradient, optimal_lambda
from holdfast.attacks.query.record import compare_queries, query_record, success_by_queries
from holdfast.attacks.query.rgf import EstimatedResult, p_rgf, rgf
from holdfast.attacks.query.square import square

__all__ = [
    "BoundaryResult",
    "EstimatedResult",
    "Oracle",
    "Prior",
    "averaged",
    "compare_queries",
    "hopskipjump",
    "loss_gradient",
    "nes",
    "optimal_lambda",
    "p_rgf",
    "query_record",
    "rgf",
    "square",
    "success_by_queries",
]
