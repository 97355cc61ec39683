"""The same free layer in cmtj, a C++ macrospin simulator, for cross-checks and a timing where that package is installed.

Left out: currents and their torques, which cmtj describes by other parameters, and anisotropies about an axis.
"""

from __future__ import annotations

import time
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_whole, refuse
from holdfast.core.estimate import Estimate
from holdfast.devices.spintronics.macrospin.layer import AntiferromagnetDevice, unit_vector
from holdfast.devices.spintronics.macrospin.simulation import simulate
from holdfast.devices.spintronics.macrospin.stack import SpinDiode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import ArrayLike

    from holdfast.devices.spintronics.macrospin.drive import Drive
    from holdfast.devices.spintronics.macrospin.layer import MacrospinDevice

__all__ = ["CMTJ_GAMMA0", "cmtj_is_installed", "cmtj_junction", "speed_over_cmtj"]

CMTJ_GAMMA0 = 220_880.0  # m/(A s), cmtj 1.15: its motion is slower than ours by this over GAMMA0
CMTJ_MU0 = 12.566e-7  # T m/A, cmtj 1.15
PEER_RUNS = 4  # in a turn: cmtj carries one device after another, so its rate does not depend on their number


def cmtj_is_installed() -> bool:
    """Whether cmtj can be imported."""
    return find_spec("cmtj") is not None


def cmtj_junction(layer: MacrospinDevice, drive: Drive, *, start: ArrayLike = (1.0, 0.0, 0.0)) -> Any:
    """A ``cmtj.Junction`` of one layer called ``"free"``, under its constant field and the drive's alternating one.

    Parameters
    ----------
    layer : one device, without anisotropy about an axis
    drive : its alternating field, frequency and phase; no current
    start : first direction of the magnetisation, (3,)

    Returns
    -------
    The junction; ``runSimulation(duration, dt, every * dt)`` runs it by Runge-Kutta's method at 0 K and by Heun's above.

    Raises
    ------
    InputError : an ensemble, an antiferromagnet, or a term that is left out
    ModuleNotFoundError : cmtj is not installed
    """
    if isinstance(layer, AntiferromagnetDevice) or np.any(np.asarray(layer.hk1)) or np.any(np.asarray(layer.hk2)):
        refuse("layer", "has an anisotropy about an axis or two sublattices", allowed="field, demag, damping and temperature")
    if np.any(np.asarray(drive.i_dc)) or np.any(np.asarray(drive.i_ac)):
        refuse("drive", "has a current", allowed="an alternating field")
    numbers = (layer.ms, layer.thickness, layer.area, layer.alpha, layer.temperature, drive.frequency, drive.phase)
    if any(np.ndim(value) for value in numbers):
        refuse("layer", "is an ensemble", allowed="one device: cmtj takes one after another")
    if not cmtj_is_installed():
        raise ModuleNotFoundError("cmtj is not installed: pip install cmtj")
    cmtj: Any = import_module("cmtj")
    demag = [cmtj.CVector(*map(float, row)) for row in np.diag(layer.demag) / layer.ms]
    first = cmtj.CVector(*map(float, unit_vector(start, "start")))
    free = cmtj.Layer(
        "free", first, cmtj.CVector(0, 0, 1), layer.ms * CMTJ_MU0, layer.thickness, layer.area, demag, damping=layer.alpha
    )
    junction = cmtj.Junction([free])

    def axial(drivers: Iterable[Any]) -> Any:
        return cmtj.AxialDriver(*drivers)

    constant = axial(cmtj.constantDriver(float(value)) for value in layer.field)
    swinging = axial(cmtj.sineDriver(0, float(value), drive.frequency, drive.phase) for value in drive.field_ac)
    junction.setLayerExternalFieldDriver("free", constant)
    junction.setLayerOerstedFieldDriver("free", swinging)
    if layer.temperature:
        junction.setLayerTemperatureDriver("free", cmtj.constantDriver(layer.temperature))
    return junction


def speed_over_cmtj(
    layer: MacrospinDevice, drive: Drive, *, devices: int = 256, steps: int = 20_000, dt: float = 1e-12, turns: int = 5
) -> Estimate:
    """Steps per second of CPU time on one thread, ours over cmtj's, by turns after a warm-up; a sample every 10 steps.

    Parameters
    ----------
    layer, drive : what both simulate; see :func:`cmtj_junction`
    devices : that are carried in one call here
    steps, dt : their number and length in s
    turns : of both in alternation

    Returns
    -------
    Median of the turns' ratios within their range. It depends on the machine and on what else runs there.
    """
    check_whole(turns, "turns", low=1)
    many = SpinDiode(layer=layer.replace(alpha=np.full(devices, float(layer.alpha))))
    start = (1.0, 0.1, 0.0)

    def ours() -> None:
        simulate(many, drive, duration=steps * dt, dt=dt, every=10, threads=1, start=start)

    def theirs() -> None:
        for _ in range(PEER_RUNS):
            cmtj_junction(layer, drive, start=start).runSimulation(steps * dt, dt, 10 * dt)

    ours()
    ratios = [devices / PEER_RUNS * _cpu_seconds(theirs) / _cpu_seconds(ours) for _ in range(turns)]
    return Estimate(median(ratios), min(ratios), max(ratios), turns, "median and range of turns")


def _cpu_seconds(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
