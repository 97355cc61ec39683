import numpy as np
import pytest
from scipy.integrate import solve_ivp

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import Source, VortexNetwork, all_to_all, simulate_network, synchronization_map
from holdfast.devices.spintronics.oscillators import vortex_to_autooscillator
from holdfast.devices.spintronics.oscillators.vortex import gyrovector, vortex_damping

TURN = 2 * np.pi


def test_a_free_core_gyrates_where_gain_and_loss_balance():
    net = VortexNetwork(supercriticality=[1.2, 1.5])
    seen = simulate_network(net, 4e-6, discard=3e-6, dt=5e-10)
    assert seen.power == pytest.approx(net.free_power, rel=1e-5)
    assert seen.mean_frequency == pytest.approx(net.free_frequency, rel=1e-7)
    assert (1 + 0.25 * net.free_power) * (1 + 0.5 * net.free_power) == pytest.approx([1.2, 1.5])


def test_the_compiled_thiele_equation_agrees_with_a_reference_integrator():
    """The equation solved for the velocity in the plane, as it is written, with real 2 x 2 matrices."""
    matrix = np.array([[1e5, 2e5j], [3e5, 0]])
    force = np.array([1e5, 2e5])
    net = VortexNetwork(supercriticality=[1.3, 1.31], coupling=matrix, sources=(Source(330e6, force),))
    start = 1.05 * np.sqrt(net.free_power) * np.exp(1j * np.array([0.0, 1.0]))
    stiffness, ratio = TURN * 300e6, 0.01  # the equation divided by the gyrovector

    def velocity(time, position):
        cores = position.reshape(2, 2)  # one row per core
        c = cores[:, 0] - 1j * cores[:, 1]
        pushed = -1j * TURN * (matrix @ c + force * np.exp(-1j * TURN * 330e6 * time))
        rates = []
        for k in range(2):
            x, power = cores[k], cores[k] @ cores[k]
            turned = np.array([-x[1], x[0]])
            pumped = net.supercriticality[k] * stiffness * ratio * turned
            total = -stiffness * (1 + 0.25 * power) * x + pumped + np.array([pushed[k].real, -pushed[k].imag])
            damping = ratio * (1 + 0.5 * power)
            rates.append(np.linalg.solve(np.array([[damping, -1.0], [1.0, damping]]), total))
        return np.concatenate(rates)

    begin = np.stack([start.real, -start.imag], axis=1).ravel()
    end = solve_ivp(velocity, (0, 3e-7), begin, method="DOP853", rtol=1e-10, atol=1e-12).y[:, -1].reshape(2, 2)
    assert simulate_network(net, 3e-7, dt=5e-10, start=start).state == pytest.approx(end[:, 0] - 1j * end[:, 1], abs=1e-5)


def test_a_vortex_and_its_auto_oscillator_are_alike():
    vortex = VortexNetwork(supercriticality=[1.1, 1.15], coupling=all_to_all(2, 1e5, 1.4), noise=1e-5)
    twin = vortex_to_autooscillator(vortex)
    for name in ("free_power", "free_frequency", "damping", "noise", "coupling"):
        assert getattr(twin, name) == pytest.approx(getattr(vortex, name), rel=1e-12)
    assert twin.q == pytest.approx(0.75 - vortex.supercriticality + 0.125 * vortex.free_power)
    assert twin.relaxation == pytest.approx(vortex.relaxation, rel=0.05)


def test_vortices_have_maps_too():
    net = VortexNetwork(supercriticality=[1.3] * 2, coupling=all_to_all(2, 1e5, 1.5))
    found = synchronization_map(net, {"i1": [1.2, 1.3, 1.4]}, duration=6e-6, discard=3e-6)
    assert [found.labels[place] for place in found.partition] == ["none", "12", "none"]


def test_material_gives_gyrovector_and_damping():
    """CoFeB disc: 2 pi 1.2e6 A/m 5 nm / 1.76e11 rad/(s T) = 2.1e-13 N s/m; alpha 0.01, 150 nm, core 10 nm."""
    assert gyrovector(1.2e6, 5e-9) == pytest.approx(2.14e-13, rel=0.01)
    assert vortex_damping(0.01, 150e-9, 10e-9) == pytest.approx(0.01 * (np.log(7.5) + 0.25) / 2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"supercriticality": [0.9]}, "numbers > 1"),
        ({"supercriticality": [2.0]}, "stays in its disc"),
        ({"hardening": 0.0, "damping_growth": 0.0}, "stays in its disc"),
        ({"damping_ratio": 0.0}, "numbers > 0"),
        ({"hardening": -0.1}, "numbers >= 0"),
    ],
)
def test_vortices_that_cannot_be_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        VortexNetwork(**fields)


def test_gradients_of_vortices_are_refused_with_the_way_out():
    with pytest.raises(InputError, match="auto-oscillators first"):
        simulate_network(VortexNetwork(supercriticality=[1.3]), 1e-7, backend="torch")
