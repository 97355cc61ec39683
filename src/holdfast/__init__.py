"""Will it hold? A laboratory for neural networks that must leave the lab.

``holdfast.audit(model, data)`` stresses your own classifier and writes a report card, ``holdfast.plan(model, data)`` says before
what it would run, ``holdfast.compare(a, b)`` holds two reports against each other, ``holdfast.run_study(name)`` repeats a published
experiment. Everything else lies in the packages ``attacks``, ``hardware``, ``quantize``, ``shift``, ``nets``, ``data`` and
``devices``. Importing holdfast loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.auditing import Report
    from holdfast.auditing.calls import audit, plan
    from holdfast.auditing.stored import compare
    from holdfast.core.claim import Claim
    from holdfast.core.curve import Curve
    from holdfast.core.estimate import Estimate
    from holdfast.core.target import Target
    from holdfast.data import Examples
    from holdfast.studies import run_study

__version__ = "0.1.0"
__all__ = ["Claim", "Curve", "Estimate", "Examples", "Report", "Target", "__version__", "audit", "compare", "plan", "run_study"]

_HOMES = {
    "Claim": "holdfast.core.claim",
    "Curve": "holdfast.core.curve",
    "Estimate": "holdfast.core.estimate",
    "Examples": "holdfast.data",
    "Report": "holdfast.auditing",
    "Target": "holdfast.core.target",
    "audit": "holdfast.auditing.calls",
    "compare": "holdfast.auditing.stored",
    "plan": "holdfast.auditing.calls",
    "run_study": "holdfast.studies",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'holdfast' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
