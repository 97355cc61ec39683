"""Attacks on a network's inputs, and checks that they were not merely blinded."""

from holdfast.attacks.apgd import apgd, apgd_targeted
from holdfast.attacks.ascent import ascend, input_gradient
from holdfast.attacks.autoattack import AutoAttackResult, AutoAttackRow, auto_attack
from holdfast.attacks.fab import Nearest, fab, fab_targeted, nearest_adversarial
from holdfast.attacks.gradient import fgsm, pgd
from holdfast.attacks.masking import MaskingCheck, check_masking, masking_passes
from holdfast.attacks.noise import random_noise
from holdfast.attacks.query import (
    BoundaryResult,
    EstimatedResult,
    Oracle,
    averaged,
    hopskipjump,
    loss_gradient,
    nes,
    optimal_lambda,
    p_rgf,
    rgf,
    square,
)
from holdfast.attacks.sweep import pgd_sweep
from holdfast.attacks.threat import AttackResult, ThreatModel
from holdfast.attacks.training import adversarial_batches
from holdfast.attacks.transforms import resized, scaled, smoothed
from holdfast.attacks.worst import WorstCase, worst_case

__all__ = [
    "AttackResult",
    "AutoAttackResult",
    "AutoAttackRow",
    "BoundaryResult",
    "EstimatedResult",
    "MaskingCheck",
    "Nearest",
    "Oracle",
    "ThreatModel",
    "WorstCase",
    "adversarial_batches",
    "apgd",
    "apgd_targeted",
    "ascend",
    "auto_attack",
    "averaged",
    "check_masking",
    "fab",
    "fab_targeted",
    "fgsm",
    "hopskipjump",
    "input_gradient",
    "loss_gradient",
    "masking_passes",
    "nearest_adversarial",
    "nes",
    "optimal_lambda",
    "p_rgf",
    "pgd",
    "pgd_sweep",
    "random_noise",
    "resized",
    "rgf",
    "scaled",
    "smoothed",
    "square",
    "worst_case",
]
