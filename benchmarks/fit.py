"""The training loop beside a bare one: same network, same batches, one process, interleaved, medians of CPU time.

Run with one thread on a quiet core: ``OMP_NUM_THREADS=1 python benchmarks/fit.py``.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import nn

from holdfast.data import Examples
from holdfast.nets import fit, tiny_cnn

LR = 1e-3


def bare(net, data, *, epochs, batch_size):
    """What every tutorial shows: shuffle, forward, backward, step."""
    net.train()
    update = torch.optim.Adam(net.parameters(), lr=LR, fused=True)
    for _ in range(epochs):
        for rows in torch.randperm(len(data)).split(batch_size):
            loss = nn.functional.cross_entropy(net(data.x[rows]), data.y[rows])
            update.zero_grad()
            loss.backward()
            update.step()


def ours(net, data, *, epochs, batch_size):
    fit(net, data, epochs=epochs, lr=LR, batch_size=batch_size, schedule="constant")


def main():
    parser = argparse.ArgumentParser(description="fit beside a bare training loop")
    parser.add_argument("--examples", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)

    generator = torch.Generator().manual_seed(0)
    x = torch.rand(options.examples, 1, 28, 28, generator=generator)
    data = Examples(x, torch.randint(0, 10, (options.examples,), generator=generator), classes=10)
    seconds = {bare: [], ours: []}
    for number in range(options.rounds + 1):  # the first round warms up
        for loop, times in seconds.items():
            start = time.process_time()
            loop(tiny_cnn(), data, epochs=options.epochs, batch_size=options.batch_size)
            if number:
                times.append(time.process_time() - start)
    ratio = statistics.median(mine / theirs for mine, theirs in zip(seconds[ours], seconds[bare], strict=True))
    print(f"torch {torch.__version__}; small CNN, {options.examples} images, {options.epochs} epochs, batch {options.batch_size}")
    for loop, times in seconds.items():
        print(f"{loop.__name__:6}{statistics.median(times):8.3f} s median{min(times):8.3f} s min")
    print(f"median of ratios {ratio:.3f}, ratio of minima {min(seconds[ours]) / min(seconds[bare]):.3f}")


if __name__ == "__main__":
    main()
