"""Each kind of change that stresses make in a network, tried on a few rows before anything is planned.

What fails here would fail at every strength, so the stress is left out of the plan, with the reason.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from holdfast.core.errors import InputError
from holdfast.core.seeds import seeded
from holdfast.hardware import activation_variation, weight_noise
from holdfast.nets import closed_weights, device_of, predict, whole_numbers
from holdfast.quantize import quantize_activations, quantize_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from holdfast.core.stress import Change
    from holdfast.core.target import Target
    from holdfast.data import Examples

__all__ = ["failed_trials"]

ROWS = 8
NAMED = 4  # modules that a reason names


def failed_trials(target: Target, examples: Examples) -> dict[Change, str]:
    """Why changes of the network fail, by the change; empty where all go well.

    Parameters
    ----------
    target : whose network can be reached; unchanged
    examples : of which the first 8 are used
    """
    net = target.module
    few = examples[:ROWS].to(device_of(net, default=examples.y.device))
    x = few.x if target.preprocess is None else target.preprocess(few.x)

    def weights() -> None:
        if not closed_weights(net):
            predict(quantize_weights(net, 8), x)
            weight_noise(net, few, sigma=0.01, count=2)

    def activation_bits() -> None:
        _refuse_whole_numbers(net)
        predict(quantize_activations(net, 8, x), x)

    def devices() -> None:
        _refuse_whole_numbers(net)
        activation_variation(net, few, spread=0.01, count=2)

    trials: dict[Change, Callable[[], None]] = {"weights": weights, "activation_bits": activation_bits, "devices": devices}
    reasons = {change: _failure(trial, str(few.x.device)) for change, trial in trials.items()}
    return {change: reason for change, reason in reasons.items() if reason}


def _refuse_whole_numbers(net: nn.Module) -> None:
    if found := whole_numbers(net):
        named = ", ".join(found[:NAMED]) + (f" and {len(found) - NAMED} more" if len(found) > NAMED else "")
        raise InputError(f"whole numbers flow between its layers ({named}), which hold no other values")


def _failure(trial: Callable[[], None], device: str) -> str:
    """Why `trial` fails, in one line; empty if it does not."""
    try:
        with warnings.catch_warnings(), seeded(0, device):
            warnings.simplefilter("ignore")  # the stress itself gives them
            trial()
    except InputError as error:
        got, *_ = str(error).split("; allowed:")
        return re.sub("^`model`", "the network", got.removesuffix("."))
    except Exception as error:  # noqa: BLE001 (a user's network may fail in any way when it is changed)
        line = next(iter(str(error).splitlines()), "")
        return f"a trial on {ROWS} examples failed with {type(error).__name__}: {line}".removesuffix(".").removesuffix(": ")
    return ""
