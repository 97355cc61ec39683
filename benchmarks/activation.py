"""Neurons that all differ beside identical ones: one layer forward and backward, and a training epoch. One thread, one process.

Usage: ``python benchmarks/activation.py [--repeats 15] [--json FILE]``

The peer is torch's own elementwise activation, which has no parameters per neuron and is therefore the floor. Contenders take
turns, times are CPU times of the one thread, tables show medians and the ratio to the peer. An epoch is 100 Adam steps of 128
images through 784-512-10, once with ``nn.Sigmoid`` or ``nn.ReLU`` and once with a device at every hidden unit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn

from holdfast.data import Examples
from holdfast.devices import SigmoidNeuron, response_curves, vary
from holdfast.hardware import CurveActivation, ParametricActivation, hardware_activations
from holdfast.nets import fit, mlp

if TYPE_CHECKING:
    from collections.abc import Callable

KNOTS, ROWS = 129, 128
GOAL_EPOCH, GOAL_LAYER = 1.5, 0.2e-3  # ratio to nn.Sigmoid; seconds for 128 x 256 on a quiet core


def curves(units: int):
    return response_curves(vary(SigmoidNeuron(), 0.1, samples=units), np.linspace(-8, 8, KNOTS))


def layers(units: int) -> dict[str, Callable]:
    return {
        "torch.sigmoid": torch.sigmoid,
        "torch.relu": torch.relu,
        "device sigmoid": ParametricActivation("sigmoid", units, spread=0.1),
        "device relu": ParametricActivation("relu", units, spread=0.1),
        "own relu, varied": ParametricActivation(nn.ReLU(), units, spread=0.1),
        f"curves, {KNOTS} knots": CurveActivation(curves(units)),
    }


def time_layer(layer: Callable, u: torch.Tensor, upstream: torch.Tensor, calls: int = 20) -> float:
    """Seconds per forward and backward pass."""
    start = time.thread_time()
    for _ in range(calls):
        torch.autograd.grad(layer(u), u, upstream)
    return (time.thread_time() - start) / calls


def time_epoch(make: Callable[[], nn.Module], data: Examples) -> float:
    """Seconds per 100 steps, the making of the network left out."""
    net = make()
    start = time.thread_time()
    fit(net, data, epochs=1, lr=1e-3)
    return time.thread_time() - start


def take_turns(contenders: dict[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Median seconds of each contender; the first round is a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(repeats + 1):
        for name, measure in contenders.items():
            seconds = measure()
            if turn:
                times[name].append(seconds)
    return {name: statistics.median(values) for name, values in times.items()}


def show(title: str, medians: dict[str, float], peers: dict[str, str], unit: str, scale: float) -> list[dict]:
    print(f"\n{title}\n{'':24s}{unit:>10s}{'ratio':>8s}  peer")
    rows = []
    for name, seconds in medians.items():
        peer = peers.get(name, name)
        rows.append({"work": title, "name": name, "seconds": seconds, "peer": peer, "ratio": seconds / medians[peer]})
        print(f"{name:24s}{seconds * scale:10.3f}{rows[-1]['ratio']:8.2f}  {peer}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    print(f"torch {torch.__version__}, numpy {np.__version__}; medians of {options.repeats} turns, CPU time of one thread")

    rows = []
    peers = {name: "torch.relu" if "relu" in name else "torch.sigmoid" for name in layers(1)}
    for units in (256, 512):
        u = torch.randn(ROWS, units, generator=generator, requires_grad=True)
        upstream = torch.randn(ROWS, units, generator=generator)
        contenders = {name: lambda layer=layer, u=u, g=upstream: time_layer(layer, u, g) for name, layer in layers(units).items()}
        medians = take_turns(contenders, options.repeats)
        rows += show(f"forward and backward, {ROWS} x {units}", medians, peers, "ms", 1e3)
        if units == 256:
            slow = [name for name in medians if name.startswith(("device", "curves")) and medians[name] > GOAL_LAYER]
            print(f"goal: <= {GOAL_LAYER * 1e3} ms on a quiet core; " + (f"missed by {', '.join(slow)}" if slow else "met"))

    data = Examples(torch.rand(100 * ROWS, 1, 28, 28, generator=generator), torch.arange(100 * ROWS) % 10)
    plain = {"nn.Sigmoid": nn.Sigmoid, "nn.ReLU": nn.ReLU}
    kinds = {"device sigmoid": "sigmoid", "device relu": "relu", f"curves, {KNOTS} knots": curves(512)}
    nets = {name: lambda act=act: mlp(784, hidden=(512,), activation=act) for name, act in plain.items()} | {
        name: lambda kind=kind: hardware_activations(mlp(784, hidden=(512,), activation=nn.Sigmoid), kind)
        for name, kind in kinds.items()
    }
    medians = take_turns(
        {name: lambda make=make: time_epoch(make, data) for name, make in nets.items()}, max(3, options.repeats // 3)
    )
    rows += show("epoch of 100 steps, 784-512-10", medians, dict.fromkeys(kinds, "nn.Sigmoid"), "s", 1)
    slow = [name for name in kinds if medians[name] > GOAL_EPOCH * medians["nn.Sigmoid"]]
    print(f"goal: <= {GOAL_EPOCH} x nn.Sigmoid; " + (f"missed by {', '.join(slow)}" if slow else "met"))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
