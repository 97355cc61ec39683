"""Weights as training code writes them fit the network: prefixes, counters and what stands beside them are taken off and noted."""

import argparse
import copy
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from holdfast.auditing.loading.target import load_target
from holdfast.core.errors import InputError, UnsafePickleError
from holdfast.nets import mlp, weights_digest


@pytest.fixture(scope="module")
def saved():
    """A network, not the one that a factory makes."""
    return mlp(64, hidden=(8,), seed=5)


def state(net, prefix=""):
    return {f"{prefix}{name}": value.detach().clone() for name, value in net.state_dict().items()}


def loaded(weights, tmp_path, network=None):
    """What a file of `weights` makes of the network, and the notes."""
    torch.save(weights, tmp_path / "w.pt")
    found = load_target(mlp(64, hidden=(8,)) if network is None else network, weights=tmp_path / "w.pt")
    return found.target.module, " ".join(found.notes)


@pytest.mark.parametrize("prefix", ["module.", "model.", "net.", "module.model.", "student.backbone."])
def test_one_common_prefix_is_stripped_and_noted(saved, tmp_path, prefix):
    network, notes = loaded(state(saved, prefix), tmp_path)
    assert weights_digest(network) == weights_digest(saved)
    assert f"the prefix {prefix!r} was stripped" in notes


def test_averaged_weights_lose_their_counter(saved, tmp_path):
    averaged = AveragedModel(saved)
    averaged.update_parameters(saved)
    network, notes = loaded(averaged.state_dict(), tmp_path)
    assert weights_digest(network) == weights_digest(saved)
    assert "the counter n_averaged of averaged weights was left out" in notes
    network, notes = loaded(averaged.state_dict(), tmp_path, network=AveragedModel(mlp(64, hidden=(8,))))
    assert weights_digest(network) == weights_digest(saved)
    assert "taken out of AveragedModel" in notes


@pytest.mark.parametrize("key", ["state_dict_ema", "model_ema"])
def test_a_checkpoint_of_averaged_weights_alone_is_read(saved, tmp_path, key):
    network, notes = loaded({key: state(saved, "module."), "epoch": 3, "optimizer": {"state": {}}}, tmp_path)
    assert weights_digest(network) == weights_digest(saved)
    assert f"taken from {key!r}" in notes
    assert "optimizer" in notes


def test_of_the_current_and_the_averaged_weights_the_current_are_taken_and_the_others_named(saved, tmp_path):
    network, notes = loaded({"state_dict": state(saved), "state_dict_ema": state(mlp(64, hidden=(8,), seed=7))}, tmp_path)
    assert weights_digest(network) == weights_digest(saved)
    assert "ignored: state_dict_ema" in notes


def test_entries_beside_the_network_are_left_out_and_named(saved, tmp_path):
    network, notes = loaded({**state(saved, "model."), "loss.weight": torch.ones(10), "step": torch.tensor(3)}, tmp_path)
    assert weights_digest(network) == weights_digest(saved)
    assert "the prefix 'model.' was stripped from the names of the weights; left out were loss.weight, step beside it" in notes


@pytest.mark.parametrize("first", ["model.", "ema."])
def test_of_two_equal_networks_one_may_lack_what_is_implied(tmp_path, first):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 6 * 6, 10))
    parts = {"model.": state(net, "model."), "ema.": {k: v for k, v in state(net, "ema.").items() if "num_batches" not in k}}
    network, notes = loaded({**parts.pop(first), **next(iter(parts.values()))}, tmp_path, network=copy.deepcopy(net))
    assert weights_digest(network) == weights_digest(net)
    assert "was stripped" in notes


def test_two_networks_that_fit_are_refused_and_the_remedy_works(saved, tmp_path, monkeypatch):
    weights = {**state(saved, "online_model."), **state(mlp(64, hidden=(8,), seed=7), "ema_model."), "step": torch.tensor(3)}
    with pytest.raises(InputError, match=r"two networks that fit, under 'online_model\.' and under 'ema_model\.'") as refusal:
        loaded(weights, tmp_path)
    command = str(refusal.value).partition("e.g. ")[2].partition(", and pass --weights one.pt")[0]
    monkeypatch.chdir(tmp_path)
    exec(command, {"torch": torch, "weights": weights})
    assert weights_digest(load_target(mlp(64, hidden=(8,)), weights="one.pt").target.module) == weights_digest(saved)


def test_two_equal_networks_are_one(saved, tmp_path):
    network, _ = loaded({**state(saved, "model."), **state(saved, "ema_model.")}, tmp_path)
    assert weights_digest(network) == weights_digest(saved)


@pytest.mark.parametrize("prefix", ["", "model."])
def test_the_number_of_batches_that_a_normalisation_has_seen_may_be_missing(tmp_path, prefix):
    """Torch itself accepts this of a state dict without the version of its entries, e.g. out of a file of tensors."""
    saved = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))
    saved[0].running_mean.fill_(3.0)
    weights = {name: value for name, value in state(saved, prefix).items() if not name.endswith("num_batches_tracked")}
    network, _ = loaded(weights, tmp_path, network=nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2)))
    x = torch.rand(3, 4)
    assert torch.equal(network(x), saved.eval()(x))


class Inside(nn.Module):
    """A network whose only part is called like the prefix of a wrapper."""

    def __init__(self, net):
        super().__init__()
        self.module = net

    def forward(self, x):
        return self.module(x)


def test_a_part_called_module_keeps_its_name(saved, tmp_path):
    """The prefix is stripped only if the network then fits."""
    network, notes = loaded(state(Inside(saved)), tmp_path, network=Inside(mlp(64, hidden=(8,))))
    assert weights_digest(network.module) == weights_digest(saved)
    assert "stripped" not in notes


def test_weights_of_the_part_go_into_the_wrapper(saved, tmp_path):
    network, notes = loaded(state(saved), tmp_path, network=Inside(mlp(64, hidden=(8,))))
    assert weights_digest(network.module) == weights_digest(saved)
    assert "the prefix 'module.' of the network was put before the names of the weights" in notes


@pytest.mark.parametrize("change", ["left out", "added", "reshaped"])
def test_loading_stays_strict(saved, tmp_path, change):
    weights = {**state(saved, "model."), "loss.weight": torch.ones(10)}  # what stands beside the network is not listed
    first = next(iter(weights))
    if change == "left out":
        del weights[first]
    elif change == "added":
        weights["model.extra"] = torch.zeros(1)
    else:
        weights[first] = torch.zeros(3, 3)
    expected = {"left out": "1 missing: fc1.weight", "added": "1 unexpected: extra", "reshaped": "1 of another shape: fc1.weight"}
    with pytest.raises(InputError, match=f"do not fit the network: {expected[change]}[^;]*; allowed"):
        loaded(weights, tmp_path)


LIGHTNING = """
import sys, warnings
warnings.simplefilter("ignore")
import pytorch_lightning as pl, torch
from pathlib import Path
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from holdfast.data import load_images
from holdfast.nets import mlp

class Classifier(pl.LightningModule):
    def __init__(self, prefix, width=8, where=None):
        super().__init__()
        self.save_hyperparameters()
        setattr(self, prefix, mlp(64, hidden=(width,)))
        self.loss = nn.CrossEntropyLoss(weight=torch.ones(10))
    def training_step(self, batch, _):
        return self.loss(getattr(self, self.hparams.prefix)(batch[0]), batch[1])
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-2)

digits = load_images("digits")
for prefix, where in (("model", None), ("net", Path("/data"))):
    trainer = pl.Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
                         enable_model_summary=False, accelerator="cpu")
    network = Classifier(prefix, where=where)
    trainer.fit(network, DataLoader(TensorDataset(digits.x, digits.y), batch_size=64))
    trainer.save_checkpoint(f"{prefix}.ckpt")
    torch.save(getattr(network, prefix).state_dict(), f"{prefix}.pt")
"""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Real ones, written by a trainer in a process of its own, whose imports and warnings stay there."""
    folder = tmp_path_factory.mktemp("lightning")
    subprocess.run([sys.executable, "-c", LIGHTNING], cwd=folder, check=True, capture_output=True, timeout=120)
    return folder


@pytest.mark.slow
def test_a_checkpoint_of_lightning_is_read(checkpoints):
    found = load_target(mlp(64, hidden=(8,)), weights=checkpoints / "model.ckpt")
    notes = " ".join(found.notes)
    assert weights_digest(found.target.module) == weights_digest(
        load_target(mlp(64, hidden=(8,)), weights=checkpoints / "model.pt").target.module
    )
    assert "taken from 'state_dict' of the checkpoint model.ckpt; ignored: epoch" in notes
    assert "the prefix 'model.' was stripped from the names of the weights; left out were loss.weight beside it" in notes


@pytest.mark.parametrize("key", ["state_dict", "model", "net"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_checkpoint_with_the_arguments_of_its_script_is_refused_and_the_remedy_works(saved, tmp_path, monkeypatch, key, protocol):
    monkeypatch.chdir(tmp_path)
    checkpoint = {key: state(saved), "epoch": 3, "args": argparse.Namespace(model="perceptron")}
    torch.save(checkpoint, "last.pth", pickle_protocol=protocol)
    with pytest.raises(UnsafePickleError, match=r"asks for `argparse\.Namespace`.*Nothing of it was executed") as refusal:
        load_target(mlp(64, hidden=(8,)), weights="last.pth")
    exec(str(refusal.value).partition("convert it once with `")[2].partition("`")[0], {"torch": torch})
    assert weights_digest(load_target(mlp(64, hidden=(8,)), weights="weights.pt").target.module) == weights_digest(saved)


def test_a_pickled_network_is_refused_with_the_remedy_for_networks(saved, tmp_path):
    torch.save(Inside(saved), tmp_path / "net.pt")
    with pytest.raises(UnsafePickleError, match=r"convert it once with `safetensors\.torch\.save_file\(model\.state_dict\(\)"):
        load_target(mlp(64, hidden=(8,)), weights=tmp_path / "net.pt")


@pytest.mark.slow
def test_a_checkpoint_with_objects_in_its_hyperparameters_is_refused_and_the_remedy_works(checkpoints, monkeypatch):
    """A path among the hyperparameters is pickled code."""
    monkeypatch.chdir(checkpoints)
    with pytest.raises(UnsafePickleError, match=r"asks for `pathlib\.PosixPath`.*Nothing of it was executed") as refusal:
        load_target(mlp(64, hidden=(8,)), weights="net.ckpt")
    command = str(refusal.value).partition("convert it once with `")[2].partition("`")[0]
    exec(command, {"torch": torch})
    found = load_target(mlp(64, hidden=(8,)), weights="weights.pt")
    assert weights_digest(found.target.module) == weights_digest(load_target(mlp(64, hidden=(8,)), weights="net.pt").target.module)
