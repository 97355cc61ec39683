"""Attacks that are made on one network and carried to another, also to one with other classes.

Throughout, `model` is the attacker's own network and `victim` the other one, which is only queried.
"""

from holdfast.attacks.transfer.aims import aimed
from holdfast.attacks.transfer.correspondence import CorrespondenceMatrix, Proxies, class_correspondence, reverse_correspondence
from holdfast.attacks.transfer.evaluate import (
    TransferEvaluation,
    control_attacks,
    evaluate_methods,
    evaluate_transfer,
    noise_control,
    transfer_curves,
)
from holdfast.attacks.transfer.guided import GUIDES, Guide, guided_attack
from holdfast.attacks.transfer.heads import FeatureHeads
from holdfast.attacks.transfer.layers import LayerSelection, select_layers
from holdfast.attacks.transfer.objective import ProxyObjective
from holdfast.attacks.transfer.proxy import ProxyAttack, attack_prior, proxy_attack, spanning_priors
from holdfast.attacks.transfer.sensitivity import Sensitivity, clean_signals, sensitivity
from holdfast.attacks.transfer.surrogate import distil, small_net

__all__ = [
    "GUIDES",
    "CorrespondenceMatrix",
    "FeatureHeads",
    "Guide",
    "LayerSelection",
    "Proxies",
    "ProxyAttack",
    "ProxyObjective",
    "Sensitivity",
    "TransferEvaluation",
    "aimed",
    "attack_prior",
    "class_correspondence",
    "clean_signals",
    "control_attacks",
    "distil",
    "evaluate_methods",
    "evaluate_transfer",
    "guided_attack",
    "noise_control",
    "proxy_attack",
    "reverse_correspondence",
    "select_layers",
    "sensitivity",
    "small_net",
    "spanning_priors",
    "transfer_curves",
]
