"""Time stepping beside cmtj on the same work, where cmtj is installed."""

from __future__ import annotations

import time
from importlib import import_module
from importlib.util import find_spec
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.estimate import Estimate
from holdfast.core.experiment import Measurement
from holdfast.devices.spintronics import Drive, SpinDiode, simulate
from holdfast.studies.spin_diode.designs import ALPHA, EASY_PLANE, FIELD, in_plane

if TYPE_CHECKING:
    from holdfast.core.experiment import Point

__all__ = ["peer_is_installed", "speed"]

DEVICES, STEPS, DT, TURNS = 256, 20_000, 1e-12, 5
PEER_RUNS = 4  # of STEPS each in a turn: the peer carries one device after another, so its rate does not depend on their number
PEER_MU0 = 12.566e-7  # T m/A, cmtj's constant


def peer_is_installed() -> bool:
    """Whether cmtj can be imported."""
    return find_spec("cmtj") is not None


def speed(point: Point, seed: int) -> Measurement:
    """Runge-Kutta steps per second of CPU time on one thread, ours over cmtj's, by turns after a warm-up."""
    del point, seed
    _ours()
    turns = [(_ours(), _theirs()) for _ in range(TURNS)]
    ratios = sorted(ours / theirs for ours, theirs in turns)
    ratio = Estimate(median(ratios), ratios[0], ratios[-1], TURNS, "median and range of turns")
    mine, theirs = (sorted(column) for column in zip(*turns, strict=True))
    return Measurement(
        estimates={
            "speed.ratio": ratio,
            "speed.ours": Estimate(median(mine), mine[0], mine[-1], TURNS, "median and range of turns"),
            "speed.peer": Estimate(median(theirs), theirs[0], theirs[-1], TURNS, "median and range of turns"),
        }
    )


def _ours() -> float:
    """Steps per second of holdfast: a free layer with an easy plane under an alternating field, a sample every 10 steps."""
    layer = in_plane().layer.replace(alpha=np.full(DEVICES, ALPHA))
    drive = Drive(frequency=5e9, field_ac=(0.0, 100.0, 0.0))
    begun = time.process_time()
    simulate(SpinDiode(layer=layer), drive, duration=STEPS * DT, dt=DT, every=10, threads=1, start=(1, 0.1, 0))
    return DEVICES * STEPS / (time.process_time() - begun)


def _theirs() -> float:
    """Steps per second of cmtj on the same layer and drive."""
    cmtj: Any = import_module("cmtj")
    layer, spent = in_plane().layer, 0.0
    for _ in range(PEER_RUNS):
        demag = [cmtj.CVector(0, 0, 0), cmtj.CVector(0, 0, 0), cmtj.CVector(0, 0, EASY_PLANE / layer.ms)]
        start = cmtj.CVector(1 / sqrt(1.01), 0.1 / sqrt(1.01), 0)
        free = cmtj.Layer(
            "free", start, cmtj.CVector(0, 0, 1), layer.ms * PEER_MU0, layer.thickness, layer.area, demag, damping=ALPHA
        )
        junction, none = cmtj.Junction([free]), cmtj.NullDriver()
        junction.setLayerExternalFieldDriver("free", cmtj.AxialDriver(cmtj.constantDriver(FIELD), none, none))
        junction.setLayerOerstedFieldDriver("free", cmtj.AxialDriver(none, cmtj.sineDriver(0, 100, 5e9, 0), none))
        begun = time.process_time()
        junction.runSimulation(STEPS * DT, DT, 10 * DT)
        spent += time.process_time() - begun
    return PEER_RUNS * STEPS / spent
