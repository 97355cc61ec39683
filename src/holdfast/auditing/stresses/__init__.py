"""The stresses of an audit. They hold no algorithm: each one calls the library and says what it costs."""

import warnings

from holdfast.auditing.stresses.adversarial import APGD, FGSM, PGD
from holdfast.auditing.stresses.clean import Clean
from holdfast.auditing.stresses.device import ActivationVariation, WeightNoise
from holdfast.auditing.stresses.masking import Masking
from holdfast.auditing.stresses.precision import ActBits, WeightBits
from holdfast.auditing.stresses.queries import HopSkipJump, Square
from holdfast.auditing.stresses.shift import Corruptions, Resolution
from holdfast.auditing.stresses.transfer import Transfer
from holdfast.core.registry import plugins
from holdfast.core.stress import Stress, missing_parts

__all__ = [
    "APGD",
    "BUILT_IN",
    "FGSM",
    "PGD",
    "ActBits",
    "ActivationVariation",
    "Clean",
    "Corruptions",
    "HopSkipJump",
    "Masking",
    "Resolution",
    "Square",
    "Transfer",
    "WeightBits",
    "WeightNoise",
    "known_stresses",
]

BUILT_IN: dict[str, type[Stress]] = {
    stress.name: stress
    for stress in (
        Clean,
        FGSM,
        PGD,
        APGD,
        Square,
        HopSkipJump,
        Transfer,
        Masking,
        WeightBits,
        ActBits,
        WeightNoise,
        ActivationVariation,
        Corruptions,
        Resolution,
    )
}


def known_stresses() -> dict[str, type[Stress]]:
    """Built-in stresses and those that installed packages registered under ``holdfast.stresses``, by name.

    A plug-in that is not a stress is left out with a warning that says what it lacks.
    """
    added: dict[str, type[Stress]] = {}
    for name, kind in plugins("holdfast.stresses").items():
        if missing := missing_parts(kind):
            told = (
                f"the plug-in {name!r} is left out: it lacks {', '.join(missing)}; let it inherit from holdfast.core.stress.Stress"
            )
            warnings.warn(told, stacklevel=2)
        else:
            added[kind.name] = kind
    return BUILT_IN | added
