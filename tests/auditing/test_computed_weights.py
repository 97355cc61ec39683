"""The audit stresses the weights that multiply the input, whatever a layer computes them from."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import holdfast
from holdfast.attacks import ThreatModel, pgd

STRESSES = ("clean", "fgsm", "weight_bits", "act_bits", "weight_noise", "activation_variation")
SETTINGS = {
    "data": {"examples": 100},
    "adversarial": {"fgsm": {"eps": (0.1,)}},
    "precision": {"weight_bits": {"bits": (8, 3, 2)}, "act_bits": {"bits": (4,)}},
    "device": {
        "weight_noise": {"chips": 3, "sigma": (0.0, 0.1, 0.2)},
        "activation_variation": {"chips": 2, "spread": (0.0, 0.2)},
    },
    "run": {"threads": 1},
}


class Halved(nn.Module):
    """Gives half of what the layer holds, and clips it."""

    def forward(self, weight):
        return (weight / 2).clamp(-0.3, 0.3)

    def right_inverse(self, weight):
        return 2 * weight


class Redrawn(nn.Module):
    """Read noise: another weight in each pass."""

    def forward(self, weight):
        return weight + 0.05 * torch.randn_like(weight)


def clipped(layer):
    return parametrize.register_parametrization(layer, "weight", Halved())


def masked(layer):
    return prune.l1_unstructured(layer, "weight", 0.3)


def audited(net, data, out, stresses=STRESSES):
    report = holdfast.audit(net, data, out=str(out), settings=SETTINGS, stresses=stresses, allow_low_accuracy=True)
    return report, {
        (name, str(point.at), metric): estimate.value
        for card in report.document.cards.values()
        for name, stress in card.stresses.items()
        for point in stress.points
        for metric, estimate in point.metrics.items()
    }


def changed(net, change):
    twin = copy.deepcopy(net)
    for layer in twin.children():
        if hasattr(layer, "weight"):
            change(layer)
    return twin


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")
@pytest.mark.parametrize("change", [clipped, masked, parametrizations.weight_norm, nn.utils.weight_norm, nn.utils.spectral_norm])
def test_a_network_gets_the_figures_of_its_baked_twin(digits_cnn, digits_small, tmp_path, change):
    net = changed(digits_cnn.eval(), change)
    net(digits_small[1].x[:20]).sum().backward()  # as after training: weights that were computed are kept, with their history
    twin = copy.deepcopy(digits_cnn)
    with torch.no_grad():
        for mine, theirs in zip(twin.children(), net.children(), strict=True):
            if hasattr(mine, "weight"):
                mine.weight.copy_(theirs.weight)
    report, found = audited(net, digits_small[1], tmp_path / "net")
    assert found == audited(twin, digits_small[1], tmp_path / "twin")[1]
    assert any("weights are computed in each pass (conv1, conv2, fc" in note for note in report.document.target.notes)


def test_a_mask_of_ones_changes_no_figure(digits_cnn, digits_small, tmp_path):
    net = changed(digits_cnn, lambda layer: prune.identity(layer, "weight"))
    assert audited(net, digits_small[1], tmp_path / "net")[1] == audited(digits_cnn, digits_small[1], tmp_path / "plain")[1]


def test_a_network_that_keeps_tensors_of_an_attack_goes_through_all_stresses(digits_cnn, digits_small, tmp_path):
    class Keeping(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = digits_cnn

        def forward(self, x):
            self.last = self.net(x)
            return self.last

    net = Keeping()
    pgd(net, digits_small[1].x[:4], digits_small[1].y[:4], ThreatModel("linf", 0.1), steps=1)
    net(digits_small[1].x[:4])
    report, _ = audited(net, digits_small[1], tmp_path / "run")
    assert report.document.run.status == "complete"


def test_stresses_on_weights_that_are_drawn_in_each_pass_are_left_out_with_the_reason(digits_cnn, digits_small, tmp_path):
    net = copy.deepcopy(digits_cnn)
    parametrize.register_parametrization(net.head, "weight", Redrawn())
    report, found = audited(net, digits_small[1], tmp_path / "run", stresses=("clean", "weight_bits", "weight_noise"))
    assert {entry.stress for entry in report.document.skipped} == {"weight_bits", "weight_noise"}
    assert all("the weights of head cannot be changed, because they are" in entry.reason for entry in report.document.skipped)
    assert {name for name, *_ in found} == {"clean"}
