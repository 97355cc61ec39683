"""Attacks on a network's inputs, and checks that they were not merely blinded."""

from holdfast.attacks.gradient import fgsm, pgd, repeat
from holdfast.attacks.threat import AttackResult, ThreatModel

__all__ = ["AttackResult", "ThreatModel", "fgsm", "pgd", "repeat"]
