"""The Square attack beside its peers: same networks, same images, same number of queries, one process, medians of CPU time.

Run with one thread on a quiet core::

    OMP_NUM_THREADS=1 python benchmarks/square.py --json square.json

The floor is the bare forward passes that holdfast's run needed, over as many images at a time. Peers that are not installed are
left out; none needs torchvision to be imported::

    pip install --no-deps adversarial-robustness-toolbox==1.20.1 six pyautoattack==0.2.0
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

import numpy as np
import torch
from torch import nn

import holdfast
from holdfast.attacks import ThreatModel, pgd
from holdfast.attacks.query import square
from holdfast.data import load_images
from holdfast.nets import evaluate, fit, predict, tiny_cnn

NORMS = {"linf": (0.1, 0.1), "l2": (1.5, 1.5)}  # radius on the plain and on the trained network


def holdfast_square(net, x, y, *, norm, eps, queries, seed):
    return square(net, x, y, ThreatModel(norm, eps), queries=queries, seed=seed, batch_size=len(x)).x_adv


def art_square(net, x, y, *, norm, eps, queries, seed):
    from art.attacks.evasion import SquareAttack
    from art.estimators.classification import PyTorchClassifier

    np.random.seed(seed)  # noqa: NPY002 - the peer draws from the global stream
    classifier = PyTorchClassifier(
        net, nn.CrossEntropyLoss(), tuple(x.shape[1:]), 10, clip_values=(0.0, 1.0), channels_first=True, device_type="cpu"
    )
    order = {"linf": np.inf, "l2": 2}[norm]
    attack = SquareAttack(classifier, norm=order, eps=eps, max_iter=queries, p_init=0.8, batch_size=len(x), verbose=False)
    return torch.from_numpy(attack.generate(x.numpy(), y.numpy()))


def pyautoattack_square(net, x, y, *, norm, eps, queries, seed):
    from pyautoattack.square import SquareAttack

    names = {"linf": "Linf", "l2": "L2"}
    with torch.no_grad():
        attack = SquareAttack(net, norm=names[norm], n_queries=queries, eps=eps, p_init=0.8, seed=seed, device="cpu")
        return attack.perturb(x, y)


def contestants():
    """The contestants that can be run here, and the versions of all."""
    chosen = {"holdfast": holdfast_square}
    versions = {"holdfast": holdfast.__version__, "torch": torch.__version__, "python": platform.python_version()}
    peers = (
        ("art", "adversarial-robustness-toolbox", art_square),
        ("pyautoattack", "pyautoattack", pyautoattack_square),
    )
    for name, package, peer in peers:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                __import__(name)
        except ImportError as reason:
            print(f"{name} is left out: {reason}")
            continue
        chosen[name] = peer
        versions[name] = metadata.version(package)
    return chosen, versions


def passes_alone(net, x, sizes):
    """Seconds of CPU time of forward passes over batches of these sizes."""
    start = time.process_time()
    with torch.no_grad():
        for size in sizes:
            net(x[:size])
    return time.process_time() - start


def measure(chosen, net, data, *, norm, eps, queries, rounds):
    """One row per contestant: seconds of CPU time and accuracy, one entry per round and seed."""
    rows = {name: {"name": name, "norm": norm, "eps": eps, "seconds": [], "accuracy": []} for name in ("floor", *chosen)}
    for seed in range(rounds):
        for name, attack in chosen.items():
            start = time.process_time()
            adversarial = attack(net, data.x, data.y, norm=norm, eps=eps, queries=queries, seed=seed)
            rows[name]["seconds"].append(time.process_time() - start)
            rows[name]["accuracy"].append(float((predict(net, adversarial).argmax(1) == data.y).double().mean()))
        sizes = []

        def counted(x, sizes=sizes):
            sizes.append(len(x))
            return net(x)

        holdfast_square(counted, data.x, data.y, norm=norm, eps=eps, queries=queries, seed=seed)
        rows["floor"]["seconds"].append(passes_alone(net, data.x, sizes))
    return list(rows.values())


def trained(train, *, eps, epochs, seed=0):
    """The small CNN, on plain images or (`eps` > 0) on images that PGD has moved by up to `eps`."""
    net = tiny_cnn(seed=seed)

    def attacked(model, x, y, generator):
        seed = int(torch.randint(2**31, (), generator=generator))
        return pgd(model, x, y, ThreatModel("linf", eps), steps=7, early_stop=False, skip_wrong=False, seed=seed).x_adv, y

    fit(net, train, epochs=epochs, lr=1e-2, batch_size=64, on_batch=attacked if eps else None)
    return net


def show(rows):
    floor = statistics.median(rows[0]["seconds"])
    for row in rows:
        seconds = statistics.median(row["seconds"])
        accuracy = f"{statistics.mean(row['accuracy']):10.4f}" if row["accuracy"] else ""
        print(f"  {row['norm']:5}{row['name']:16}{seconds:10.2f}{seconds / floor:9.2f}{accuracy}")


def main():
    parser = argparse.ArgumentParser(description="The Square attack beside its peers")
    parser.add_argument("--examples", type=int, default=256)
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--norms", nargs="+", default=list(NORMS), choices=list(NORMS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)

    train, test = load_images("mnist", n=4000), load_images("mnist", split="test", n=options.examples)
    chosen, versions = contestants()
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"{options.queries} queries, {len(test)} MNIST digits, {options.rounds} seeds: median s, x floor, mean accuracy")
    found = {}
    for place, name in enumerate(("plain", "PGD-trained")):
        net = trained(train, eps=0.1 * place, epochs=5)
        print(f"{name} network, clean accuracy {evaluate(net, test).accuracy}")
        found[name] = []
        for norm in options.norms:
            rows = measure(chosen, net, test, norm=norm, eps=NORMS[norm][place], queries=options.queries, rounds=options.rounds)
            show(rows)
            found[name] += rows
    if options.json:
        settings = {"examples": len(test), "queries": options.queries, "rounds": options.rounds}
        options.json.write_text(json.dumps({"settings": settings, "versions": versions, "rows": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
