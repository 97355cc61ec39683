"""Expected input gradients beside Python loops: same samples, same images, one process, interleaved, medians of CPU time.

Run with one thread on a quiet core::

    OMP_NUM_THREADS=1 python benchmarks/expected_gradients.py --json expected_gradients.json

Three loops do the same work: over images and samples, which is what the public code of arXiv:2002.04359 does (its own form, a
network object per sample and gradients of the weights too, without Pyro); over samples with all images in one batch; and the same
with frozen weights, which is the least that a loop can do. The floor is the arithmetic alone: the matrix products of all samples,
forward and to the input, without a network around them. Differences are relative to the largest component; those of leaky ReLUs
come from activations at the bend, where rounding decides the slope (with tanh they are below 1e-6).
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import torch
from torch import nn

import holdfast
from holdfast.bayes import Posterior, expected_input_gradient
from holdfast.data import load_images
from holdfast.nets import mlp, tiny_cnn


def one_image_at_a_time(nets, x, y):
    means = []
    for image, label in zip(x, y, strict=True):
        gradients = []
        for net in nets:
            inputs = image[None].clone().requires_grad_()
            net.zero_grad()
            nn.functional.cross_entropy(net(inputs), label[None]).backward()
            gradients.append(inputs.grad[0])
        means.append(torch.stack(gradients).mean(0))
    return torch.stack(means)


def one_sample_at_a_time(nets, x, y):
    gradients = []
    for net in nets:
        inputs = x.clone().requires_grad_()
        net.zero_grad()
        nn.functional.cross_entropy(net(inputs), y, reduction="sum").backward()
        gradients.append(inputs.grad)
    return _mean(gradients)


def frozen_loop(nets, x, y):
    gradients = []
    for net in nets:
        inputs = x.clone().requires_grad_()
        net.requires_grad_(False)
        gradients.append(torch.autograd.grad(nn.functional.cross_entropy(net(inputs), y, reduction="sum"), inputs)[0])
        net.requires_grad_(True)
    return _mean(gradients)


def _mean(gradients):
    """The mean, and the lengths, which the measure of cancellation needs as well."""
    each = torch.stack(gradients)
    torch.linalg.vector_norm(each.flatten(2), dim=2)
    return each.mean(0)


def make_floor(post, x):
    """The products of a perceptron with one hidden layer: two forward, two back, for all samples."""
    first, second = post.params["fc1.weight"], post.params["head.weight"]
    flat, slope = x.flatten(1), torch.rand(len(post), len(x), second.shape[1])

    def floor(nets, x, y):
        del nets, x, y
        hidden = torch.bmm(flat.expand(len(first), *flat.shape), first.transpose(1, 2))
        torch.bmm(hidden, second.transpose(1, 2))
        torch.bmm(torch.bmm(slope, second), first)

    return floor


def measure(contestants, nets, x, y, *, rounds):
    """Seconds of CPU time per contestant and round, and the largest difference from the plain loop's mean."""
    seconds = {name: [] for name in contestants}
    means = {}
    for number in range(rounds + 1):  # the first round warms up
        for name, run in contestants.items():
            start = time.process_time()
            means[name] = run(nets, x, y)
            if number:
                seconds[name].append(time.process_time() - start)
    reference = means["loop over samples"].double()
    scale = float(reference.abs().max())
    wrong = {name: float((mean.double() - reference).abs().max()) / scale for name, mean in means.items() if mean is not None}
    return seconds, wrong


def table(seconds, wrong):
    ours = seconds["holdfast"]
    return [
        {
            "name": name,
            "median_s": statistics.median(times),
            "min_s": min(times),
            "median_of_ratios": statistics.median(theirs / mine for theirs, mine in zip(times, ours, strict=True)),
            "difference": wrong.get(name),
        }
        for name, times in seconds.items()
    ]


def main():
    parser = argparse.ArgumentParser(description="Expected input gradients beside Python loops")
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    test = load_images("mnist", split="test", n=options.examples)
    versions = {"holdfast": holdfast.__version__, "torch": torch.__version__, "python": platform.python_version()}
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    networks = {
        "MLP 784-64-10": lambda seed: mlp(784, hidden=(64,), activation=nn.LeakyReLU, seed=seed),
        "MLP 784-512-512-10": lambda seed: mlp(784, hidden=(512, 512), activation=nn.LeakyReLU, seed=seed),
        "CNN": lambda seed: tiny_cnn(seed=seed),
    }
    results = {}
    for title, make in networks.items():
        nets = [make(seed) for seed in range(options.samples)]  # what their weights are does not change the work
        post = Posterior.of_models(nets)
        contestants = {"holdfast": lambda _, x, y, post=post: expected_input_gradient(post, x, y).mean}
        if title == "MLP 784-64-10":
            contestants |= {"floor": make_floor(post, test.x), "loop over images and samples": one_image_at_a_time}
        contestants |= {"loop over samples": one_sample_at_a_time, "loop, weights frozen": frozen_loop}
        rows = table(*measure(contestants, nets, test.x, test.y, rounds=options.rounds))
        results[title] = rows
        print(f"\n{title}, {options.samples} samples, {len(test)} MNIST digits, {options.threads} thread(s)")
        print(f"{'':30}{'median ms':>11}{'min ms':>9}{'x ours':>8}{'difference':>12}")
        for row in rows:
            wrong = "" if row["difference"] is None else f"{row['difference']:.1e}"
            times = f"{1e3 * row['median_s']:11.1f}{1e3 * row['min_s']:9.1f}"
            print(f"{row['name']:30}{times}{row['median_of_ratios']:8.2f}{wrong:>12}")
    if options.json:
        settings = {name: getattr(options, name) for name in ("examples", "samples", "rounds", "threads")}
        options.json.write_text(json.dumps({"settings": settings, "versions": versions, "rows": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
