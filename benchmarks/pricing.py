"""What a plan predicts beside what the audit then takes, on ten networks of different kinds.

Run with one thread on a quiet core::

    OMP_NUM_THREADS=1 python benchmarks/pricing.py --json pricing.json

Each network is trained here for some seconds, on data that scikit-learn bundles, on data that are computed, or on published
images (``HOLDFAST_DATA``). Its plan is made as an audit makes it; then the points of that plan are measured in a bare loop. Times
are wall times, as a budget counts them, with CPU times beside them. On a busy machine the two are apart, and the share of a core
that a process gets changes from minute to minute; ``--clock cpu`` lets the plan take its prices in CPU time and compares with that.
The goal is a ratio of predicted to used time within 0.7 and 1.3 for nine of the ten networks.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

import holdfast
from holdfast.attacks.training import adversarial_batches
from holdfast.auditing.batching import rows_per_pass
from holdfast.auditing.inputs import gather
from holdfast.auditing.scheduling import new_plan
from holdfast.auditing.settings import AuditSettings
from holdfast.core.errors import InputError
from holdfast.core.executors import thread_budget
from holdfast.core.seeds import Seeds, seeded
from holdfast.core.stress import StressContext
from holdfast.data import Examples, load_images
from holdfast.nets import conv_net, fit, mlp, resnet8

if TYPE_CHECKING:
    from collections.abc import Callable

WITHIN = 0.3


class Rows(nn.Module):
    """A recurrent network that reads an image row by row."""

    def __init__(self, side: int = 28, hidden: int = 64) -> None:
        super().__init__()
        self.lstm = nn.LSTM(side, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)

    def forward(self, x):
        """Logits of a batch."""
        return self.head(self.lstm(x.squeeze(1))[0][:, -1])


class Patches(nn.Module):
    """A small vision transformer."""

    def __init__(self, *, side: int = 28, patch: int = 7, width: int = 48, blocks: int = 2) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, width, patch, stride=patch)
        self.place = nn.Parameter(0.02 * torch.randn((side // patch) ** 2, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, blocks, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        """Logits of a batch."""
        return self.head(self.blocks(self.embed(x).flatten(2).transpose(1, 2) + self.place).mean(1))


def mnist_example():
    """The network of PyTorch's MNIST example."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )


def depthwise():
    """Depthwise and pointwise convolutions."""
    layers = [nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU6()]
    for inputs, outputs, stride in ((16, 32, 1), (32, 64, 2), (64, 64, 1)):
        layers += [nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs), nn.BatchNorm2d(inputs), nn.ReLU6()]
        layers += [nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU6()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def one_dimensional():
    """Convolutions along a signal."""
    return nn.Sequential(
        *(nn.Conv1d(1, 16, 7, stride=2), nn.ReLU(), nn.Conv1d(16, 32, 5, stride=2), nn.ReLU()),
        *(nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(128, 4)),
    )


def table() -> tuple[Examples, Examples]:
    """Measurements of cells, each feature brought into [0, 1]."""
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.min(0)) / np.ptp(x, axis=0)
    every = Examples(torch.from_numpy(x).float(), torch.from_numpy(y).long(), classes=2, name="cells")
    return every.split(0.5, seed=0)


def signals() -> tuple[Examples, Examples]:
    """Four waveforms of random frequency and phase under noise, in [0, 1]."""
    draws = torch.Generator().manual_seed(0)
    y = torch.arange(4000) % 4
    cycles = 2 + 6 * torch.rand(len(y), 1, generator=draws)
    phase = (cycles * torch.linspace(0, 1, 256) + torch.rand(len(y), 1, generator=draws)) % 1
    shapes = torch.stack([(2 * torch.pi * phase).sin(), 2 * phase - 1, (phase < 0.5) * 2.0 - 1, 1 - 4 * (phase - 0.5).abs()])
    x = shapes[y, torch.arange(len(y))] + 0.3 * torch.randn(len(y), 256, generator=draws)
    every = Examples((0.5 + x / 5).clamp(0, 1)[:, None], y, classes=4, name="waveforms")
    return every.split(0.5, seed=0)


def images(name: str, n: int) -> Callable[[], tuple[Examples, Examples]]:
    """`n` training images of a published set, and the test set."""
    return lambda: (load_images(name, "train", n=n), load_images(name, "test", n=2000))


@dataclass(frozen=True)
class Case:
    """A network and how it is trained."""

    make: Callable[[], nn.Module]
    data: Callable[[], tuple[Examples, Examples]]
    epochs: int
    reach: float = 0.0


CASES = {
    "MNIST example": Case(mnist_example, images("mnist", 4000), 1),
    "ResNet-8, CIFAR-10": Case(resnet8, images("cifar10", 4000), 2),
    "perceptron, table": Case(lambda: mlp(30, hidden=(64, 64), classes=2), table, 40),
    "LSTM, MNIST": Case(Rows, images("mnist", 4000), 4),
    "transformer, Fashion": Case(Patches, images("fashion-mnist", 4000), 4),
    "depthwise, CIFAR-10": Case(depthwise, images("cifar10", 4000), 4),
    "wide linear, Fashion": Case(lambda: mlp(784, hidden=(2048,)), images("fashion-mnist", 4000), 2),
    "1-D convolution, waves": Case(one_dimensional, signals, 10),
    "often wrong, CIFAR-10": Case(lambda: conv_net(channels=3), images("cifar10", 600), 4),
    "adversarially trained, MNIST": Case(lambda: conv_net((8, 16), (2, 2)), images("mnist", 8000), 6, reach=0.3),
}


def trained(case: Case) -> tuple[nn.Module, Examples]:
    """The network after its training, and the examples that it did not see."""
    train, test = case.data()
    with seeded(0):
        network = case.make()
    harden = adversarial_batches(case.reach, steps=3) if case.reach else None
    fit(network, train, epochs=case.epochs, lr=3e-3, batch_size=64, on_batch=harden)
    return network, test


@contextmanager
def clock(name: str):
    """Within the block prices are taken by that clock."""
    with patch("time.perf_counter", time.process_time if name == "cpu" else time.perf_counter):
        yield


def measured(name: str, case: Case, options: argparse.Namespace) -> dict:
    """Predicted and used seconds of each stress of one network."""
    network, test = trained(case)
    settings = AuditSettings(
        preset=options.preset,
        stresses=tuple(options.stress),
        allow_low_accuracy=True,
        run={"threads": 1},
        data={"examples": options.examples},
    )
    with clock(options.clock):
        inputs = gather(settings, network, test)
        begun = time.time()
        plan = new_plan(settings, inputs)
        planning = time.time() - begun
    rows = rows_per_pass(inputs.data.shape, settings.run.batch_size)
    context = StressContext(seeds=Seeds(0), target=inputs.target, data=inputs.data, batch_size=rows)
    found = {}
    for line in plan.lines:
        if line.decision == "skipped":
            continue
        own, asked = context.for_experiment(line.stress.name), inputs.target.queries.count
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            for point in line.stress.points():
                with seeded(own.own_seed(point)):
                    line.stress.measure(point, own)
        except InputError as error:
            print(f"{name}: {line.stress.name} is left out: {error}")
            continue
        found[line.stress.name] = {
            "examples": line.examples,
            "predicted": line.seconds,
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "passes": (inputs.target.queries.count - asked) / line.examples,
        }
    accuracy = inputs.probe.accuracy.value
    return {"network": name, "accuracy": accuracy, "planning": planning, "clock": options.clock, "stresses": found}


def total(entry: dict, what: str) -> float:
    """Sum over the stresses of one network."""
    return sum(stress[what] for stress in entry["stresses"].values())


def ratio_of(entry: dict) -> float:
    """Predicted over used time of one network, by the clock of its prices."""
    return total(entry, "predicted") / total(entry, entry["clock"])


def printed(entry: dict) -> None:
    """The table of one network."""
    print(f"\n{entry['network']}: accuracy {entry['accuracy']:.3f}, planned in {entry['planning']:.2f} s")
    print(f"  {'stress':<22}{'examples':>9}{'predicted':>11}{'wall':>9}{'CPU':>9}{'ratio':>7}{'passes':>9}")
    for name, stress in entry["stresses"].items():
        times = f"{stress['predicted']:>9.2f} s{stress['wall']:>7.2f} s{stress['cpu']:>7.2f} s"
        ratio = stress["predicted"] / stress[entry["clock"]]
        print(f"  {name:<22}{stress['examples']:>9}{times}{ratio:>7.2f}{stress['passes']:>9.1f}")
    times = f"{total(entry, 'predicted'):>9.2f} s{total(entry, 'wall'):>7.2f} s{total(entry, 'cpu'):>7.2f} s"
    print(f"  {'in all':<31}{times}{ratio_of(entry):>7.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="predicted beside used time of audits")
    parser.add_argument("--preset", default="quick", choices=("quick", "standard", "deep"))
    parser.add_argument("--stress", nargs="*", default=["all"])
    parser.add_argument("--examples", type=int, help="largest number; default: that of the preset")
    parser.add_argument("--network", nargs="*", default=list(CASES), help="first letters of their names")
    parser.add_argument("--clock", default="wall", choices=("wall", "cpu"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    versions = {"holdfast": holdfast.__version__, "torch": torch.__version__, "python": platform.python_version()}
    print(", ".join(f"{name} {version}" for name, version in versions.items()) + f", preset {options.preset}, one thread")
    entries = []
    for name, case in CASES.items():
        if any(name.startswith(wanted) for wanted in options.network):
            with thread_budget(1):
                entries.append(measured(name, case, options))
            printed(entries[-1])
    ratios = {entry["network"]: ratio_of(entry) for entry in entries}
    near = sum(abs(ratio - 1) <= WITHIN for ratio in ratios.values())
    print(f"\nWithin {WITHIN:.0%}: {near} of {len(ratios)} networks")
    if options.json:
        result = {"versions": versions, "preset": options.preset, "networks": entries, "ratios": ratios, "within": near}
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
