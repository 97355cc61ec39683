"""PGD beside its floor and its peers: same network, same images, same steps, one process, interleaved, medians of CPU time.

Run with one thread on a quiet core::

    OMP_NUM_THREADS=1 python benchmarks/pgd.py --json pgd.json

The floor is a bare loop of forward and backward passes to the input. The curve is six radii in one call, beside the same six one
after another. Peers that are not installed are left out; none needs torchvision to be imported::

    pip install --no-deps torchattacks==3.5.1 foolbox==3.3.4 eagerpy==0.30.0 GitPython gitdb smmap tqdm
    pip install --no-deps adversarial-robustness-toolbox==1.20.1 six

Goals: without early stop at most 1.05 times the floor, with it at least 1.5 times faster than any peer, six points at most 2.5
times the mean of one.
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
from holdfast.attacks import ThreatModel, pgd, pgd_sweep
from holdfast.data import load_images
from holdfast.nets import evaluate, fit, frozen, predict, tiny_cnn

CURVE = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)  # of eps


def floor(net, x, y, *, steps, **_):
    """Nothing but the passes: no projection, no step."""
    with frozen(net):
        inputs = x.clone().requires_grad_()
        for _ in range(steps):
            torch.autograd.grad(nn.functional.cross_entropy(net(inputs), y, reduction="sum"), inputs)


def plain(net, x, y, *, eps, steps):
    return pgd(net, x, y, ThreatModel("linf", eps), steps=steps, early_stop=False, skip_wrong=False, batch_size=len(x)).x_adv


def early(net, x, y, *, eps, steps):
    return pgd(net, x, y, ThreatModel("linf", eps), steps=steps, batch_size=len(x)).x_adv


def torchattacks_pgd(net, x, y, *, eps, steps):
    import torchattacks

    return torchattacks.PGD(net, eps=eps, alpha=2.5 * eps / steps, steps=steps, random_start=True)(x, y)


def foolbox_pgd(net, x, y, *, eps, steps):
    import foolbox

    attack = foolbox.attacks.LinfPGD(abs_stepsize=2.5 * eps / steps, steps=steps, random_start=True)
    return attack(foolbox.PyTorchModel(net, bounds=(0, 1)), x, y, epsilons=eps)[1]


def art_pgd(net, x, y, *, eps, steps):
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    classifier = PyTorchClassifier(net, nn.CrossEntropyLoss(), tuple(x.shape[1:]), 10, clip_values=(0.0, 1.0), device_type="cpu")
    attack = ProjectedGradientDescentPyTorch(
        classifier, eps=eps, eps_step=2.5 * eps / steps, max_iter=steps, num_random_init=1, batch_size=len(x), verbose=False
    )
    return torch.from_numpy(attack.generate(x.numpy(), y.numpy()))


def curve(net, x, y, *, eps, steps):
    """Six radii up to 1.2 times `eps` in one call; the inputs at the fifth, which is `eps`."""
    radii = [eps * share for share in CURVE]
    return pgd_sweep(net, x, y, ThreatModel("linf", 0), eps=radii, steps=steps, batch_size=len(x))[4].x_adv


def one_by_one(net, x, y, *, eps, steps):
    """The same six, each on its own."""
    found = [early(net, x, y, eps=eps * share, steps=steps) for share in CURVE]
    return found[4]


PEERS = {
    "torchattacks": ("torchattacks", torchattacks_pgd),
    "foolbox": ("foolbox", foolbox_pgd),
    "art": ("adversarial-robustness-toolbox", art_pgd),
}


def contestants():
    """The contestants that can be run here, and the versions of all."""
    chosen = {"floor": floor, "holdfast": plain, "holdfast, early stop": early}
    chosen |= {"six radii in one call": curve, "six one after another": one_by_one}
    versions = {"holdfast": holdfast.__version__, "torch": torch.__version__, "python": platform.python_version()}
    for name, (package, peer) in PEERS.items():
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


def measure(chosen, net, x, y, *, eps, steps, rounds):
    """Seconds of CPU time per contestant and round, and the accuracy under each attack."""
    seconds = {name: [] for name in chosen}
    accuracy = {}
    for number in range(rounds + 1):  # the first round warms up
        for name, attack in chosen.items():
            start = time.process_time()
            adversarial = attack(net, x, y, eps=eps, steps=steps)
            taken = time.process_time() - start
            if number:
                seconds[name].append(taken)
            if adversarial is not None:
                accuracy[name] = float((predict(net, adversarial).argmax(1) == y).double().mean())
    return seconds, accuracy


def table(seconds, accuracy):
    base = statistics.median(seconds["floor"])
    rows = []
    for name, times in seconds.items():
        ratios = [mine / bare for mine, bare in zip(times, seconds["floor"], strict=True)]
        rows.append(
            {
                "name": name,
                "median_s": statistics.median(times),
                "min_s": min(times),
                "ratio_of_medians": statistics.median(times) / base,
                "median_of_ratios": statistics.median(ratios),
                "accuracy": accuracy.get(name),
            }
        )
    return rows


def goals(rows):
    """The three goals, each with the figure that decides it."""
    seconds = {row["name"]: row["median_s"] for row in rows}
    over_floor = next(row["median_of_ratios"] for row in rows if row["name"] == "holdfast")
    fastest = min((seconds[name] for name in PEERS if name in seconds), default=None)
    lines = [("times the floor", over_floor, "<=", 1.05)]
    if fastest is not None:
        lines.append(("times faster than the fastest peer, with early stop", fastest / seconds["holdfast, early stop"], ">=", 1.5))
    six = seconds["six one after another"] / len(CURVE)
    lines.append(("times the mean point, six radii in one call", seconds["six radii in one call"] / six, "<=", 2.5))
    return [
        {"goal": text, "value": value, "bound": f"{sign} {bound}", "met": value <= bound if sign == "<=" else value >= bound}
        for text, value, sign, bound in lines
    ]


def main():
    parser = argparse.ArgumentParser(description="PGD beside its floor and its peers")
    parser.add_argument("--examples", type=int, default=256)
    parser.add_argument("--eps", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)

    train, test = load_images("mnist", n=4000), load_images("mnist", split="test", n=options.examples)
    net = tiny_cnn()
    fit(net, train, epochs=5, lr=1e-2, batch_size=64)
    chosen, versions = contestants()
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    clean = evaluate(net, test).accuracy
    print(f"PGD-{options.steps}, L-infinity, eps {options.eps}, {len(test)} MNIST digits, clean accuracy {clean}")
    seconds, accuracy = measure(chosen, net, test.x, test.y, eps=options.eps, steps=options.steps, rounds=options.rounds)
    rows = table(seconds, accuracy)
    print(f"{'':22}{'median s':>10}{'min s':>8}{'x floor':>9}{'accuracy':>10}")
    for row in rows:
        found = "" if row["accuracy"] is None else f"{row['accuracy']:.3f}"
        print(f"{row['name']:22}{row['median_s']:10.3f}{row['min_s']:8.3f}{row['median_of_ratios']:9.2f}{found:>10}")
    verdicts = goals(rows)
    for verdict in verdicts:
        print(f"{verdict['value']:.2f} {verdict['goal']} (goal {verdict['bound']}): {'met' if verdict['met'] else 'missed'}")
    if options.json:
        settings = {"examples": len(test), "eps": options.eps, "steps": options.steps, "rounds": options.rounds}
        options.json.write_text(
            json.dumps({"settings": settings, "versions": versions, "rows": rows, "goals": verdicts}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
