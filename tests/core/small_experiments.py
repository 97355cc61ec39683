"""Experiments small enough to reason about; in a module of their own so that spawned workers can import them."""

import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from holdfast.core.estimate import exact, mean_t
from holdfast.core.experiment import Context, Measurement, Point, Quantity, Summary


@dataclass(frozen=True, kw_only=True)
class NoisyMean:
    """The mean of draws whose stream is named by the point."""

    name: ClassVar[str] = "noisy-mean"
    version: ClassVar[int] = 1
    strengths: tuple[float, ...] = (0.0, 1.0, 2.0)
    samples: int = 50

    def points(self) -> list[Point]:
        return [{"strength": strength} for strength in self.strengths]

    def measure(self, point: Point, context: Context) -> Measurement:
        draws = context.seeds.numpy("draws", point["strength"]).normal(point["strength"], 1, self.samples)
        return Measurement(estimates={"mean": mean_t(draws)}, arrays={"draws": draws}, details={"largest": float(draws.max())})

    def summarise(self, measurements) -> Summary:
        return Summary(quantities=(Quantity("points", exact(len(measurements))),))


@dataclass(frozen=True, kw_only=True)
class Troubled(NoisyMean):
    """At strength 1: raises, dies, leaves the program, runs out of memory or out of time, as `trouble` says."""

    name: ClassVar[str] = "troubled"
    trouble: str = "raise"

    def measure(self, point: Point, context: Context) -> Measurement:
        if point["strength"] == 1.0:
            if self.trouble == "raise":
                raise RuntimeError("the point went wrong")
            if self.trouble == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.trouble == "leave":
                sys.exit(0)
            if self.trouble == "memory" and context.batch_size > 250:
                raise MemoryError
            if self.trouble == "time":
                for _ in range(1000):
                    context.check_time()
                    time.sleep(0.01)
        return super().measure(point, context)


@dataclass(frozen=True, kw_only=True)
class Logged(NoisyMean):
    """Leaves a line in `log` for each measurement, slowly, so that a kill can hit it."""

    name: ClassVar[str] = "logged"
    log: str = ""
    seconds: float = 0.05
    strengths: tuple[float, ...] = tuple(np.arange(12.0).tolist())

    def measure(self, point: Point, context: Context) -> Measurement:
        with Path(self.log).open("a") as stream:
            stream.write(f"{point['strength']}\n")
        time.sleep(self.seconds)
        return super().measure(point, context)


@dataclass(frozen=True, kw_only=True)
class Careless(NoisyMean):
    """Draws from the global generators of torch, NumPy and Python, as other people's networks do."""

    name: ClassVar[str] = "careless"

    def measure(self, point: Point, context: Context) -> Measurement:
        del point, context
        draws = np.array([float(torch.rand(())), np.random.random(), random.random()])  # noqa: NPY002 - that is the point
        return Measurement(estimates={"mean": mean_t(draws)}, arrays={"draws": draws})


@dataclass(frozen=True, kw_only=True)
class Asking(NoisyMean):
    """Asks the target about `rows` examples."""

    name: ClassVar[str] = "asking"
    rows: int = 10

    def measure(self, point: Point, context: Context) -> Measurement:
        context.target(np.zeros((self.rows, 2)))
        return super().measure(point, context)
