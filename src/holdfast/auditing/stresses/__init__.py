"""The stresses of an audit. They hold no algorithm: each one calls the library and says what it costs."""

from holdfast.auditing.stresses.adversarial import APGD, FGSM, PGD
from holdfast.auditing.stresses.clean import Clean
from holdfast.auditing.stresses.device import ActivationVariation, WeightNoise
from holdfast.auditing.stresses.masking import Masking
from holdfast.auditing.stresses.precision import ActBits, WeightBits
from holdfast.auditing.stresses.queries import HopSkipJump, Square
from holdfast.auditing.stresses.shift import Corruptions, Resolution
from holdfast.auditing.stresses.transfer import Transfer
from holdfast.core.registry import plugins
from holdfast.core.stress import Stress

__all__ = [
    "APGD",
    "BUILT_IN",
    "CARDS",
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

CARDS: dict[str, str] = {
    "clean": "Clean",
    "adversarial": "Adversarial",
    "precision": "Precision",
    "device": "Devices",
    "shift": "Distribution shift",
}
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
    """Built-in stresses and those that installed packages registered under ``holdfast.stresses``, by name."""
    return BUILT_IN | plugins("holdfast.stresses")
