"""The same equations on tensors: equal to the compiled kernels term by term, and with right gradients."""

import math

import numpy as np
import pytest
import torch

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import (
    AntiferromagnetDevice,
    Drive,
    MacrospinDevice,
    SeriesDiode,
    SpinDiode,
    SpinTorque,
    TunnelJunction,
    simulate,
)
from holdfast.devices.spintronics.macrospin.tensors import derivative, integrate

AREA = math.pi * 50e-9**2
LAYER = MacrospinDevice(ms=1e6, thickness=2e-9, area=AREA, alpha=0.02, field=(4e4, 0, 0), demag=(0, 0, 6e5))
TORQUE = SpinTorque(polarization=(0.5, 0.8, 0.2), field_like=0.3)
DRIVE = Drive(i_dc=5e-5, i_ac=np.array([1e-4, 2e-4]), frequency=np.array([5e9, 6e9]), phase=0.3)
STACKS = {
    "plain": (SpinDiode(layer=LAYER, torque=TORQUE), DRIVE),
    "no torque, alternating field": (SpinDiode(layer=LAYER), Drive(field_ac=(0, 2e3, 0), frequency=np.array([5e9, 6e9]))),
    "second-order axis": (SpinDiode(layer=LAYER.replace(hk1=-2e4, hk2=8e4, axis=(1, 0, 2)), torque=TORQUE), DRIVE),
    "asymmetric": (SpinDiode(layer=LAYER, torque=SpinTorque.slonczewski((0, 1, 0), polarization_degree=0.7)), DRIVE),
    "several sources": (SpinDiode(layer=LAYER, torque=(TORQUE, SpinTorque(polarization=(0, 0, 1)))), DRIVE),
    "bias": (
        SpinDiode(
            layer=LAYER.replace(hk1=1e4, vcma=6e-14),
            junction=TunnelJunction(v_half=0.4),
            torque=TORQUE.replace(quadratic=0.5),
        ),
        DRIVE,
    ),
    "linear resistance": (SpinDiode(layer=LAYER, junction=TunnelJunction(readout="resistance"), torque=TORQUE), DRIVE),
    "series diode": (SpinDiode(layer=LAYER, torque=TORQUE, series=SeriesDiode()), Drive(v_dc=0.1, v_ac=0.2, frequency=5e9)),
    "antiferromagnet": (
        SpinDiode(
            layer=AntiferromagnetDevice(
                ms=1e6, thickness=2e-9, area=AREA, alpha=0.02, demag=(-2e4, 0, 1e4), exchange=2e5, field=(0, 1e4, 0)
            ),
            junction=TunnelJunction(readout="anisotropic", tmr=0.1),
            torque=TORQUE,
        ),
        DRIVE,
    ),
}


@pytest.mark.parametrize("stack", STACKS)
def test_tensors_and_kernels_agree(stack):
    diode, drive = STACKS[stack]
    with torch.no_grad():
        slow = integrate(diode, drive, start=(0.8, 0.5, 0.3), steps=120, settle=20, dt=5e-13, hann=False, averages=False)
    fast = simulate(diode, drive, duration=6e-11, settle=1e-11, dt=5e-13, every=1, start=(0.8, 0.5, 0.3), window="flat", trace=True)
    np.testing.assert_allclose(slow.end, fast.end, atol=1e-11)
    np.testing.assert_allclose(slow.r_mean, fast.r_mean, rtol=1e-11)
    np.testing.assert_allclose(slow.i_mean, fast.i_mean, rtol=1e-9, atol=1e-16)
    np.testing.assert_allclose(slow.v_dc, fast.v_dc, rtol=1e-8, atol=1e-12)


def test_gradients_are_those_of_finite_differences():
    def voltage(alpha, amplitude):
        diode = SpinDiode(layer=LAYER.replace(alpha=alpha), torque=TORQUE)
        return integrate(diode, Drive(i_dc=5e-5, i_ac=amplitude, frequency=5.6e9), start=(1, 0.1, 0), steps=60, averages=False).v_dc

    alpha, amplitude = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.02, 1e-4))
    voltage(alpha, amplitude).backward()
    for parameter, step, place in ((alpha, 1e-6, 0), (amplitude, 1e-9, 1)):
        with torch.no_grad():
            ends = [voltage(*(value + sign * step * (i == place) for i, value in enumerate((0.02, 1e-4)))) for sign in (1, -1)]
        assert float(parameter.grad) == pytest.approx(float(ends[0] - ends[1]) / (2 * step), rel=1e-5)


def test_gradients_reach_the_strength_of_the_thermal_field():
    """With the same draws a change of the damping changes the noise as well, by the fluctuation-dissipation theorem."""

    def end(alpha):
        diode = SpinDiode(layer=LAYER.replace(alpha=alpha, temperature=300.0))
        generator = torch.Generator().manual_seed(1)
        return integrate(diode, Drive(), start=(1, 0.1, 0), steps=20, dt=5e-13, averages=False, generator=generator).end[1]

    alpha = torch.tensor(0.05, dtype=torch.float64, requires_grad=True)
    end(alpha).backward()
    with torch.no_grad():
        slope = (end(0.05 + 1e-6) - end(0.05 - 1e-6)) / 2e-6
    assert float(alpha.grad) == pytest.approx(float(slope), rel=1e-6)


def test_the_right_hand_side_works_under_torch_func():
    """Without torque and damping the Jacobian about the field is an antisymmetric rotation at Larmor's frequency."""
    free = SpinDiode(layer=LAYER.replace(alpha=1e-12, demag=(0, 0, 0)))
    slope = derivative(free, Drive())
    jacobian = torch.func.jacrev(lambda m: slope(m, 0.0))(torch.tensor([1.0, 0, 0], dtype=torch.float64))
    rotation = jacobian[1:, 1:]
    torch.testing.assert_close(rotation, -rotation.T, rtol=1e-9, atol=1.0)
    assert abs(float(rotation[0, 1])) == pytest.approx(2.212761e5 * 4e4, rel=1e-4)


def test_thermal_motion_on_tensors_has_the_variance_of_equipartition():
    """2000 devices after 0.2 ns in a field that relaxes them in 40 ps: the variance of a component has a relative error of 3 %."""
    moment = MacrospinDevice(ms=1e6, thickness=2e-9, area=1e-15, alpha=0.5, field=(2e5, 0, 0), temperature=300.0)
    generator = torch.Generator().manual_seed(0)
    start = np.tile([1.0, 0.0, 0.0], (2000, 1))
    with torch.no_grad():
        run = integrate(SpinDiode(layer=moment), Drive(), start=start, steps=200, generator=generator)
    ratio = 4e-7 * math.pi * 1e6 * 2e-24 * 2e5 / (1.380649e-23 * 300)  # field energy in kT
    assert float(1 - run.end[:, 0].mean()) == pytest.approx(1 - (1 / math.tanh(ratio) - 1 / ratio), rel=0.15)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"dt": 2e-11}, "`dt` is 2e-11 s"),
        ({}, {"steps": 100}, "`duration` is 1e-10 s"),
        ({"temperature": 300.0}, {"averages": False, "dt": 1e-13}, "`generator` is None"),
    ],
)
def test_tensors_refuse_what_the_kernels_refuse(changes, options, message):
    diode = SpinDiode(layer=LAYER.replace(**changes), torque=TORQUE)
    with pytest.raises(InputError, match=message):
        integrate(diode, DRIVE, **{"start": (1, 0, 0), "steps": 5000} | options)


@pytest.mark.gpu
def test_a_graphics_processor_gives_the_same():
    diode, drive = STACKS["plain"]
    with torch.no_grad():
        here, there = (
            integrate(diode, drive, start=(1, 0.1, 0), steps=200, averages=False, device=place) for place in ("cpu", "cuda")
        )
    torch.testing.assert_close(there.v_dc.cpu(), here.v_dc, rtol=1e-8, atol=1e-14)
