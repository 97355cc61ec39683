"""AutoAttack beside pyautoattack: same networks, same images, same ensemble, one process; accuracy left, and CPU seconds of both.

Run with one thread::

    OMP_NUM_THREADS=1 python benchmarks/autoattack.py --json autoattack.json

The two networks are the small CNN on MNIST, trained plainly and on PGD's examples. The peer (pyautoattack 0.2.0, a release of the
authors' program) is left out where it is not installed. Ours may be stronger, but not weaker by more than 1 % of the examples.
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
from holdfast.attacks import ThreatModel, auto_attack, pgd
from holdfast.data import load_images
from holdfast.nets import evaluate, fit, predict, tiny_cnn

RADII = {("plain", "linf"): 0.06, ("plain", "l2"): 0.8, ("plain", "l1"): 6.0}
RADII |= {("trained", "linf"): 0.12, ("trained", "l2"): 1.2, ("trained", "l1"): 8.0}
PEER_NORMS = {"linf": "Linf", "l2": "L2", "l1": "L1"}
TOLERANCE = 0.01


def attacked(model, x, y, generator):
    """A batch as PGD leaves it, for training."""
    seed = int(torch.randint(2**31, (), generator=generator))
    return pgd(model, x, y, ThreatModel("linf", 0.12), steps=7, early_stop=False, skip_wrong=False, seed=seed).x_adv, y


def network(name, examples):
    """One of the two networks, trained for the purpose."""
    net = tiny_cnn()
    fit(net, load_images("mnist", n=examples), epochs=8, lr=1e-2, batch_size=64, on_batch=attacked if name == "trained" else None)
    return net


def ours(net, data, norm, *, eps, queries, seed):
    return auto_attack(net, data.x, data.y, ThreatModel(norm, eps), queries=queries, seed=seed)


def theirs(net, data, norm, *, eps, queries, seed):
    """Accuracy left by the peer, of inputs that are clamped to the box as ours are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyautoattack import AutoAttack

        attack = AutoAttack(net.eval(), norm=PEER_NORMS[norm], eps=eps, version="standard", seed=seed, device="cpu")
        attack.verbose = False
        attack.square.n_queries = queries
        adversarial, _ = attack.run_standard_evaluation(data.x, data.y, batch_size=500)
    return adversarial


def timed(function, *arguments, **settings):
    start = time.process_time()
    result = function(*arguments, **settings)
    return result, time.process_time() - start


def compare(name, net, data, norm, options):
    """One line: accuracy and seconds of both."""
    eps = RADII[name, norm]
    settings = {"eps": eps, "queries": options.queries, "seed": options.seed}
    found, seconds = timed(ours, net, data, norm, **settings)
    row = {"net": name, "norm": norm, "eps": eps, "clean": found.clean.value, "ours": found.accuracy.value, "ours_s": seconds}
    row["attacks"] = {line.name: line.accuracy.value for line in found.rows}
    if options.peer:
        adversarial, seconds = timed(theirs, net, data, norm, **settings)
        row["theirs"] = float((predict(net, adversarial).argmax(1) == data.y).double().mean())
        row["theirs_s"] = seconds
        row["agrees"] = row["ours"] <= row["theirs"] + TOLERANCE
    return row


def has_peer():
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pyautoattack  # noqa: F401 - only whether it is there
    except ImportError as reason:
        print(f"pyautoattack is left out: {reason}")
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description="AutoAttack beside pyautoattack")
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--train", type=int, default=4000)
    parser.add_argument("--norms", nargs="+", default=["linf", "l2", "l1"], choices=list(PEER_NORMS))
    parser.add_argument("--nets", nargs="+", default=["plain", "trained"], choices=["plain", "trained"])
    parser.add_argument("--seed", type=int, default=0, help="of the attacks")
    parser.add_argument("--images", type=int, default=1, help="seed of the draw of test images")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.peer = has_peer()
    versions = {"holdfast": holdfast.__version__, "torch": torch.__version__, "python": platform.python_version()}
    if options.peer:
        versions["pyautoattack"] = metadata.version("pyautoattack")
    print(", ".join(f"{name} {version}" for name, version in versions.items()))

    nets = {name: network(name, options.train) for name in options.nets}
    data = load_images("mnist", split="test", n=options.examples, seed=options.images)
    for name in options.nets:
        print(f"{name}: {len(data)} MNIST digits, clean accuracy {evaluate(nets[name], data).accuracy}")
    print(f"{'network':9}{'norm':6}{'eps':>6}{'clean':>8}{'ours':>8}{'peer':>8}{'ours s':>9}{'peer s':>9}{'ratio':>7}")
    rows = []
    for name in options.nets:
        for norm in options.norms:
            row = compare(name, nets[name], data, norm, options)
            rows.append(row)
            line = f"{name:9}{norm:6}{row['eps']:6.2f}{row['clean']:8.3f}{row['ours']:8.3f}"
            if options.peer:
                line += f"{row['theirs']:8.3f}{row['ours_s']:9.1f}{row['theirs_s']:9.1f}{row['theirs_s'] / row['ours_s']:7.2f}"
            print(line, {attack: round(value, 3) for attack, value in row["attacks"].items()}, flush=True)
            if options.json:
                settings = {"examples": len(data), "images": options.images, "queries": options.queries, "seed": options.seed}
                settings["train"] = options.train
                options.json.write_text(json.dumps({"settings": settings, "versions": versions, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
