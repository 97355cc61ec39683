"""Attacks on a linear network in a box beside the exact worst case, in three norms; L1 is where they part.

Run with one thread::

    OMP_NUM_THREADS=1 python benchmarks/linear_l1.py --json linear_l1.json

The network separates MNIST's fours from its nines. In L1 the worst perturbation moves the steepest pixels first, each to its wall,
until the radius is spent; in L-infinity and L2 the optimum has a closed form too. An accuracy above the exact one is robustness
that is not there. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from importlib import metadata
from pathlib import Path

import torch

import holdfast
from holdfast.attacks import ThreatModel, apgd, fab, pgd
from holdfast.data import Examples, load_images
from holdfast.nets import fit, mlp, predict, seeded

RADII = {"l1": (2.0, 4.0, 6.0), "l2": (0.3, 0.6, 0.9), "linf": (0.02, 0.04, 0.06)}
CLASSES = (4, 9)


def pair(split, n):
    """Fours and nines as classes 0 and 1."""
    data = load_images("mnist", split=split, n=n)
    chosen = (data.y == CLASSES[0]) | (data.y == CLASSES[1])
    return Examples(data.x[chosen], (data.y[chosen] == CLASSES[1]).long(), 2)


def worst_shift(x, slope, norm, eps):
    """The allowed perturbation with the largest product with `slope` (N, d)."""
    room = torch.where(slope > 0, 1 - x, x)
    if norm == "linf":
        return room.clamp_max(eps) * slope.sign()
    if norm == "l1":
        order = slope.abs().argsort(dim=1, descending=True)
        full = room.gather(1, order)
        taken = torch.minimum(full, (eps - full.cumsum(1) + full).clamp_min(0))
        return torch.zeros_like(x).scatter(1, order, taken) * slope.sign()
    low, high = torch.zeros(len(x), 1, dtype=x.dtype), torch.full((len(x), 1), 1e6, dtype=x.dtype)
    for _ in range(100):
        middle = (low + high) / 2
        fits = torch.minimum(middle * slope.abs(), room).norm(dim=1, keepdim=True) <= eps
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    return torch.minimum(low * slope.abs(), room) * slope.sign()


def exact_accuracy(net, data, norm, eps):
    weight, bias = net.head.weight.detach().double(), net.head.bias.detach().double()
    x, away = data.x.flatten(1).double(), torch.where(data.y == 0, 1.0, -1.0).double()[:, None]
    slope = away * (weight[1] - weight[0])
    shifted = x + worst_shift(x, slope, norm, eps)
    margin = ((weight[1] - weight[0]) * shifted).sum(1) + bias[1] - bias[0]
    return float((margin * away.squeeze(1) < 0).double().mean())


def foolbox_pgd(net, data, norm, eps, steps):
    import foolbox

    kind = {"l1": foolbox.attacks.L1PGD, "l2": foolbox.attacks.L2PGD, "linf": foolbox.attacks.LinfPGD}[norm]
    return kind(steps=steps)(foolbox.PyTorchModel(net, bounds=(0, 1)), data.x, data.y, epsilons=eps)[1]


def pyautoattack_apgd(net, data, norm, eps, steps):
    from pyautoattack.autopgd_base import APGDAttack

    peer = {"l1": "L1", "l2": "L2", "linf": "Linf"}[norm]
    attack = APGDAttack(net, n_iter=steps, norm=peer, eps=eps, seed=0, device="cpu", use_largereps=norm == "l1")
    return attack.perturb(data.x, data.y)


ATTACKS = {
    "holdfast PGD": lambda net, data, norm, eps, steps: pgd(net, data.x, data.y, ThreatModel(norm, eps), steps=steps).x_adv,
    "holdfast APGD": lambda net, data, norm, eps, steps: apgd(net, data.x, data.y, ThreatModel(norm, eps), steps=steps).x_adv,
    "holdfast FAB": lambda net, data, norm, eps, steps: fab(net, data.x, data.y, ThreatModel(norm, eps), steps=steps // 4).x_adv,
}
PEERS = {"foolbox": ("foolbox PGD", foolbox_pgd), "pyautoattack": ("pyautoattack APGD", pyautoattack_apgd)}


def contestants():
    chosen = dict(ATTACKS)
    versions = {"holdfast": holdfast.__version__, "torch": torch.__version__, "python": platform.python_version()}
    for library, (name, attack) in PEERS.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                __import__(library)
        except ImportError as reason:
            print(f"{library} is left out: {reason}")
            continue
        chosen[name], versions[library] = attack, metadata.version(library)
    return chosen, versions


def main():
    parser = argparse.ArgumentParser(description="Attacks on a linear network beside its exact worst case")
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--norms", nargs="+", default=list(RADII), choices=list(RADII))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen, versions = contestants()
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    net = mlp(784, hidden=(), classes=2)
    fit(net, pair("train", 4000), epochs=10, lr=1e-2, batch_size=64)
    data = pair("test", options.examples)
    print(f"{len(data)} fours and nines, {options.steps} steps (FAB: a quarter); accuracy minus exact accuracy, and CPU seconds")
    rows = []
    for norm in options.norms:
        for eps in RADII[norm]:
            exact = exact_accuracy(net, data, norm, eps)
            line = {"norm": norm, "eps": eps, "exact": exact}
            for name, attack in chosen.items():
                start = time.process_time()
                with warnings.catch_warnings(), seeded(0):
                    warnings.simplefilter("ignore")
                    found = attack(net, data, norm, eps, options.steps)
                seconds = time.process_time() - start
                accuracy = float((predict(net, found).argmax(1) == data.y).double().mean())
                line[name] = {"accuracy": accuracy, "gap": accuracy - exact, "seconds": seconds}
            rows.append(line)
            gaps = "  ".join(f"{name} {line[name]['gap']:+.3f} ({line[name]['seconds']:.1f} s)" for name in chosen)
            print(f"{norm:5}eps {eps:<5} exact {exact:.3f}  {gaps}", flush=True)
    if options.json:
        settings = {"examples": len(data), "steps": options.steps}
        options.json.write_text(json.dumps({"settings": settings, "versions": versions, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
