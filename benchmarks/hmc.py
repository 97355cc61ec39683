"""A leapfrog step of Hamiltonian Monte Carlo beside Pyro's and beside its floor: same network, same data, one process, interleaved.

Run with one thread on a quiet core::

    OMP_NUM_THREADS=1 python benchmarks/hmc.py --json hmc.json

The network is a perceptron 784-64-10 with leaky ReLU and a standard normal prior, on 1000 inputs; trajectories have 10 leapfrog
steps of size 0.002 without adaptation. The floor is a bare forward and backward pass to the weights in plain torch. CPU time, the
fastest of several rounds, and the median beside it. Pyro runs twice: as it comes, checking the arguments of its distributions at
every step, and without these checks, which is what the ratio is taken to::

    pip install pyro-ppl==1.9.2
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
import warnings
from importlib import metadata
from pathlib import Path

import torch
from torch import nn

import holdfast
from holdfast.bayes import Prior
from holdfast.bayes.chains import run_chains
from holdfast.bayes.hmc import HMCSettings, build
from holdfast.bayes.potential import network_potential
from holdfast.nets import mlp

STEPS, STEP_SIZE = 10, 0.002


def floor(x, y, *, trajectories):
    """Nothing but the passes: no prior, no momentum, no acceptance."""
    net = mlp(x.shape[1], hidden=(64,), activation=nn.LeakyReLU)
    weights = list(net.parameters())
    for _ in range(trajectories * STEPS):
        torch.autograd.grad(nn.functional.cross_entropy(net(x), y, reduction="sum"), weights)


def ours(chains):
    """So many chains as one program."""

    def run(x, y, *, trajectories):
        net = mlp(x.shape[1], hidden=(64,), activation=nn.LeakyReLU)
        potential = network_potential(net, (x, y), prior=Prior())
        start = torch.randn(chains, len(potential.precision), generator=torch.Generator().manual_seed(0))
        settings = HMCSettings(samples=trajectories, warmup=0, steps=STEPS, step_size=STEP_SIZE, target_accept=None)
        run_chains(build(potential, settings), start)

    return run


class Pyro:
    """Pyro's HMC, set up once; its own initial trajectory is not counted."""

    def __init__(self, x, y, *, validated):
        from pyro import distributions, enable_validation, sample
        from pyro.infer.mcmc import HMC

        shapes = {"w1": (64, x.shape[1]), "b1": (64,), "w2": (10, 64), "b2": (10,)}

        def model():
            w = {
                name: sample(name, distributions.Normal(0, 1).expand(shape).to_event(len(shape))) for name, shape in shapes.items()
            }
            hidden = nn.functional.leaky_relu(nn.functional.linear(x, w["w1"], w["b1"]))
            logits = nn.functional.linear(hidden, w["w2"], w["b2"])
            sample("y", distributions.Categorical(logits=logits).to_event(1), obs=y)

        self.validate = lambda: enable_validation(validated)
        self.validate()
        self.kernel = HMC(model, step_size=STEP_SIZE, num_steps=STEPS, adapt_step_size=False, adapt_mass_matrix=False)
        self.kernel.setup(0)
        self.params = self.kernel.sample(self.kernel.initial_params)

    def __call__(self, *_, trajectories):
        """So many trajectories from where the last one ended."""
        self.validate()
        for _ in range(trajectories):
            self.params = self.kernel.sample(self.params)


def contestants(x, y, chains):
    """The contestants that can be run here, how many chains each steps at once, and the versions of all."""
    chosen = {"floor": (floor, 1), "holdfast": (ours(1), 1), f"holdfast, {chains} chains": (ours(chains), chains)}
    versions = {"holdfast": holdfast.__version__, "torch": torch.__version__, "python": platform.python_version()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chosen["pyro, validating"] = (Pyro(x, y, validated=True), 1)
            chosen["pyro"] = (Pyro(x, y, validated=False), 1)
        versions["pyro"] = metadata.version("pyro-ppl")
    except ImportError as reason:
        print(f"Pyro is left out: {reason}")
    return chosen, versions


def measure(chosen, x, y, *, trajectories, rounds):
    """Milliseconds of CPU time per leapfrog step and chain, by contestant and round."""
    found = {name: [] for name in chosen}
    for number in range(rounds + 1):  # the first round warms up
        for name, (run, chains) in chosen.items():
            start = time.process_time()
            run(x, y, trajectories=trajectories)
            taken = time.process_time() - start
            if number:
                found[name].append(1e3 * taken / (trajectories * STEPS * chains))
    return found


def main():
    parser = argparse.ArgumentParser(description="A leapfrog step beside Pyro's and beside its floor")
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--chains", type=int, default=8)
    parser.add_argument("--trajectories", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)

    generator = torch.Generator().manual_seed(0)
    x = torch.rand(options.examples, 784, generator=generator)
    y = torch.randint(0, 10, (options.examples,), generator=generator)
    chosen, versions = contestants(x, y, options.chains)
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(
        f"leapfrog steps of 784-64-10 on {options.examples} inputs, {STEPS} per trajectory, one thread, CPU time per chain and step"
    )
    found = measure(chosen, x, y, trajectories=options.trajectories, rounds=options.rounds)
    peer = "pyro" if "pyro" in found else "floor"
    rows = [
        {
            "name": name,
            "min_ms": min(times),
            "median_ms": statistics.median(times),
            "min_ratio_to_floor": min(times) / min(found["floor"]),
            f"min_ratio_to_{peer}": min(times) / min(found[peer]),
        }
        for name, times in found.items()
    ]
    print(f"{'':22}{'min ms':>9}{'median ms':>11}{'x floor':>9}{f'x {peer}':>9}")
    for row in rows:
        numbers = f"{row['min_ms']:9.2f}{row['median_ms']:11.2f}{row['min_ratio_to_floor']:9.2f}{row[f'min_ratio_to_{peer}']:9.2f}"
        print(f"{row['name']:22}{numbers}")
    if options.json:
        settings = {name: getattr(options, name) for name in ("examples", "chains", "trajectories", "rounds")}
        options.json.write_text(json.dumps({"settings": settings, "versions": versions, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
