"""Attacks on a network's inputs, and checks that they were not merely blinded."""

from holdfast.attacks.apgd import apgd, apgd_targeted
from holdfast.attacks.ascent import ascend, input_gradient
from holdfast.attacks.gradient import fgsm, pgd
from holdfast.attacks.masking import MaskingCheck, check_masking, masking_passes
from holdfast.attacks.search import block_search, random_noise
from holdfast.attacks.sweep import pgd_sweep
from holdfast.attacks.threat import AttackResult, ThreatModel
from holdfast.attacks.transforms import repeat, resized, scaled, smoothed
from holdfast.attacks.worst import WorstCase, worst_case

__all__ = [
    "AttackResult",
    "MaskingCheck",
    "ThreatModel",
    "WorstCase",
    "apgd",
    "apgd_targeted",
    "ascend",
    "block_search",
    "check_masking",
    "fgsm",
    "input_gradient",
    "masking_passes",
    "pgd",
    "pgd_sweep",
    "random_noise",
    "repeat",
    "resized",
    "scaled",
    "smoothed",
    "worst_case",
]
