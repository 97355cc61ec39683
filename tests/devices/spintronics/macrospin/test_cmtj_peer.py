"""The same layer in cmtj: what is translated, what is refused, and where both simulators end."""

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import AntiferromagnetDevice, Drive, MacrospinDevice, SpinDiode, simulate
from holdfast.devices.spintronics.constants import GAMMA0
from holdfast.devices.spintronics.macrospin.cmtj_peer import CMTJ_GAMMA0, cmtj_is_installed, cmtj_junction, speed_over_cmtj

NUMBERS = {"ms": 1e6, "thickness": 2e-9, "area": 7.85e-15, "alpha": 0.01}
LAYER = MacrospinDevice(**NUMBERS, field=(4e4, 0, 0), demag=(0, 0, 6e5))
WAVE = Drive(frequency=5e9, field_ac=(0.0, 100.0, 0.0))


@pytest.mark.skipif(not cmtj_is_installed(), reason="cmtj is not installed")
def test_both_simulators_follow_one_path():
    steps, dt = 10_000, 1e-13
    junction = cmtj_junction(LAYER, WAVE, start=(1, 0.1, 0))
    junction.runSimulation((steps + 2) * dt, dt, dt)
    log = junction.getLog()
    theirs = np.array([log[f"free_m{axis}"] for axis in "xyz"]).T
    slower = CMTJ_GAMMA0 / GAMMA0  # the same motion takes less time here
    run = {"duration": steps * dt * slower, "dt": dt * slower, "every": 1, "start": (1, 0.1, 0), "trace": True}
    ours = simulate(SpinDiode(layer=LAYER), WAVE.replace(frequency=WAVE.frequency / slower), **run).trace
    assert np.abs(theirs[: steps - 1] - ours[1:steps]).max() < 1e-9  # cmtj logs at a time what it is a step later


@pytest.mark.skipif(not cmtj_is_installed(), reason="cmtj is not installed")
def test_many_devices_in_one_call_are_faster_than_one_after_another():
    found = speed_over_cmtj(LAYER, WAVE, devices=128, steps=4000, turns=2)
    assert found.n == 2
    assert 2 < found.lo <= found.hi  # 30 to 60 on an idle core


@pytest.mark.parametrize(
    ("layer", "drive", "message"),
    [
        (LAYER.replace(hk1=1e4), WAVE, "anisotropy about an axis"),
        (AntiferromagnetDevice(**NUMBERS), WAVE, "two sublattices"),
        (LAYER.replace(alpha=np.full(3, 0.01)), WAVE, "one after another"),
        (LAYER, Drive(i_dc=1e-3), "has a current"),
    ],
)
def test_what_cmtj_describes_otherwise_is_refused(layer, drive, message):
    with pytest.raises(InputError, match=message):
        cmtj_junction(layer, drive)


@pytest.mark.skipif(cmtj_is_installed(), reason="cmtj is installed")
def test_without_cmtj_the_error_says_what_to_install():
    with pytest.raises(ModuleNotFoundError, match="pip install cmtj"):
        cmtj_junction(LAYER, WAVE)
