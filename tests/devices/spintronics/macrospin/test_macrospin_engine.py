"""Macrospins obey their equation of motion: exact solutions, equilibrium statistics, and the same bits however a batch is run."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

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
from holdfast.devices.spintronics.constants import BOLTZMANN, GAMMA0, MU0, spin_transfer_field
from holdfast.devices.spintronics.macrospin import longest_step

AREA = math.pi * 50e-9**2
DIRECTION = (math.cos(math.pi / 3), math.sin(math.pi / 3), 0.0)


def layer(**changes):
    return MacrospinDevice(
        **{"ms": 1e6, "thickness": 2e-9, "area": AREA, "alpha": 0.01, "field": (4e4, 0, 0), "demag": (0, 0, 6e5)} | changes
    )


def diode(torque=None, **changes):
    source = SpinTorque(polarization=DIRECTION, efficiency=0.6) if torque is None else torque
    return SpinDiode(layer=layer(**changes), junction=TunnelJunction(reference=DIRECTION), torque=source)


def current_for(field):
    """The current whose damping-like field at efficiency 0.6 is `field`."""
    return field / (0.6 * float(spin_transfer_field(1e6, AREA * 2e-9)))


def test_precession_about_a_field_runs_at_larmors_frequency():
    free = SpinDiode(layer=layer(field=(0, 0, 1e5), demag=(0, 0, 0), alpha=1e-9))
    run = simulate(free, duration=20e-9, start=(1, 0, 1), dt=2e-13, every=1)
    assert run.frequency == pytest.approx(GAMMA0 * 1e5 / (2 * math.pi), rel=1e-7)


def test_a_moment_turns_into_the_field_as_the_exact_solution_says():
    alpha, field, duration = 0.1, 1e5, 1e-10
    free = SpinDiode(layer=layer(field=(0, 0, field), demag=(0, 0, 0), alpha=alpha))
    run = simulate(free, duration=duration, start=(1, 0, 0), dt=1e-13)
    expected = math.tanh(GAMMA0 * alpha * field * duration / (1 + alpha**2))
    assert run.end[2] == pytest.approx(expected, abs=1e-10)


def test_a_damping_like_torque_alone_turns_the_moment_into_the_spin_direction():
    alpha, pull, duration = 0.02, 2e4, 4e-10
    source = SpinTorque(polarization=(0, 0, 1), efficiency=0.6)
    free = diode(source, field=(0, 0, 0), demag=(0, 0, 0), alpha=alpha)
    run = simulate(free, Drive(i_dc=current_for(pull)), duration=duration, start=(1, 0, 0))
    expected = math.tanh(GAMMA0 * pull * duration / (1 + alpha**2))
    assert run.end[2] == pytest.approx(expected, abs=1e-8)


def test_field_like_torque_and_the_currents_own_field_are_fields():
    field = 2e3
    current = current_for(1.0)
    along_y = SpinTorque(
        polarization=(0, 1, 0), efficiency=1e-12, field_like=field / (current * 1e-12 * spin_transfer_field(1e6, AREA * 2e-9))
    )
    oersted = SpinTorque(polarization=(0, 1, 0), efficiency=0.0, current_field=(0, field / current, 0))
    runs = [simulate(diode(source), Drive(i_dc=current), duration=2e-9, start=(1, 0.1, 0)).end for source in (along_y, oersted)]
    runs.append(simulate(SpinDiode(layer=layer(field=(4e4, field, 0))), duration=2e-9, start=(1, 0.1, 0)).end)
    np.testing.assert_allclose(runs[0], runs[2], atol=1e-10)
    np.testing.assert_allclose(runs[1], runs[2], atol=1e-10)


def test_torques_of_several_sources_add_up():
    def source(angle, share):
        return SpinTorque(polarization=(math.cos(angle), math.sin(angle), 0), efficiency=share)

    summed = np.array([0.3 * math.cos(0.4) + 0.2 * math.cos(2.0), 0.3 * math.sin(0.4) + 0.2 * math.sin(2.0), 0])
    strength = float(np.linalg.norm(summed))
    drive = Drive(i_dc=1e-4)
    one = simulate(diode(SpinTorque(polarization=tuple(summed), efficiency=strength)), drive, duration=1e-9, start=(1, 0.1, 0))
    two = simulate(diode((source(0.4, 0.3), source(2.0, 0.2))), drive, duration=1e-9, start=(1, 0.1, 0))
    np.testing.assert_allclose(two.end, one.end, atol=1e-12)


def test_an_asymmetric_efficiency_scales_the_torque_by_its_angle():
    """With the moment held nearly still the torque at cos = 0.5 and asymmetry 0.6 is 1 / 1.3 of the symmetric one."""
    start, step = (math.cos(1.0), math.sin(1.0), 0), 1e-15
    cosine = math.cos(1.0 - math.pi / 3)

    def kick(asymmetry, current):
        source = SpinTorque(polarization=DIRECTION, efficiency=0.6, asymmetry=asymmetry, field_like=0.3)
        free = diode(source, field=(0, 0, 0), demag=(0, 0, 0))
        return simulate(free, Drive(i_dc=current), duration=step, dt=step, start=start).end - np.array(start)

    np.testing.assert_allclose(kick(0.6, 1e-3), kick(0.0, 1e-3 / (1 + 0.6 * cosine)), rtol=1e-6, atol=1e-16)


def test_an_easy_cone_holds_the_moment_at_its_angle():
    cone = SpinDiode(layer=layer(field=(0, 0, 0), demag=(0, 0, 0), hk1=-2e4, hk2=8e4, alpha=0.2))
    run = simulate(cone, duration=1e-9, settle=20e-9, start=(0.3, 0, 1))
    assert 1 - run.end[2] ** 2 == pytest.approx(2e4 / 8e4, rel=1e-6)


def test_the_voltage_lowers_the_anisotropy():
    """A current I through R shifts the anisotropy field by 2 xi I R / (mu0 Ms d t): as a weaker axis without voltage would be."""
    xi, barrier, r_p, current = 60e-15, 1e-9, 1000.0, 1e-4
    shift = 2 * xi * current * r_p / (MU0 * 1e6 * 2e-9 * barrier)
    fixed = TunnelJunction(r_p=r_p, tmr=0.0)
    common = {"field": (1e4, 0, 0), "demag": (0, 0, 0), "alpha": 0.05}
    biased = SpinDiode(layer=layer(hk1=5e4, vcma=xi, barrier=barrier, **common), junction=fixed)
    lowered = SpinDiode(layer=layer(hk1=5e4 - shift, **common), junction=fixed)
    drive = Drive(i_dc=current)
    runs = [simulate(one, drive, duration=1e-9, start=(1, 0, 1)).end for one in (biased, lowered)]
    np.testing.assert_allclose(runs[0], runs[1], atol=1e-9)


def test_without_a_drive_the_energy_only_falls():
    generator = np.random.default_rng(3)
    start = generator.normal(size=(64, 3))
    free = SpinDiode(layer=layer(hk1=generator.uniform(-1e5, 1e5, 64), hk2=generator.uniform(0, 1e5, 64), alpha=0.05))
    m = simulate(free, duration=3e-10, dt=2e-13, every=10, trace=True, start=start).trace
    u = m[..., 2]
    energy = -4e4 * m[..., 0] + 0.5 * 6e5 * u**2 - 0.5 * free.layer.hk1 * u**2 - free.layer.hk2 * (0.5 * u**2 - 0.25 * u**4)
    assert np.diff(energy, axis=0).max() <= 1e-6


def test_the_length_of_the_moment_is_kept():
    run = simulate(diode(), Drive(i_ac=1e-4, frequency=5e9), duration=2e-8)
    assert run.norm_error < 1e-12


def test_runge_kutta_is_of_fourth_order_and_heun_of_second():
    def end(dt, method):
        return simulate(diode(), Drive(i_dc=1e-4), duration=4e-10, dt=dt, method=method, start=(1, 0.3, 0), every=1).end

    exact = end(1e-14, "rk4")
    for method, order in (("rk4", 4), ("heun", 2)):
        coarse, fine = (np.abs(end(dt, method) - exact).max() for dt in (8e-13, 4e-13))
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.5), method


def test_the_motion_is_that_of_an_independent_simulator():
    """Values of cmtj 1.15.0 after 10 000 steps of 0.1 ps, with its constants gamma0 = 220880 and mu0 = 12.566e-7."""
    reference = np.array([0.9996240131918255, -0.02481110032000956, -0.01167225561662454])
    slower = 220_880.0 / GAMMA0
    source = SpinTorque(polarization=DIRECTION, efficiency=0.6, field_like=0.4)
    drive = Drive(i_ac=current_for(300.0), frequency=5e9 / slower)
    dt = 1e-13 * slower
    run = simulate(diode(source, demag=(0, 0, 6e5)), drive, duration=10_000 * dt, dt=dt, every=1, start=(1, 0.1, 0), trace=True)
    np.testing.assert_allclose(run.trace[9_999], reference, atol=1e-9)


def hot(count=200, temperature=300.0):
    return diode(temperature=temperature, alpha=np.full(count, 0.05))


@pytest.mark.parametrize(("noise", "temperature"), [("uniform", 0.0), ("uniform", 300.0), ("gaussian", 300.0)])
def test_threads_and_splits_do_not_change_a_bit(noise, temperature):
    drive = Drive(i_ac=1e-5, frequency=5e9)
    common = {"duration": 3e-9, "noise": noise, "seed": 4, "every": 4}
    whole = simulate(hot(200, temperature), drive, threads=1, **common)
    threaded = simulate(hot(200, temperature), drive, threads=2, **common)
    parts = [simulate(hot(n, temperature), drive, offset=offset, **common) for offset, n in ((0, 70), (70, 1), (71, 129))]
    for name in ("end", "v_dc", "m_square", "frequency"):
        expected = getattr(whole, name)
        np.testing.assert_array_equal(getattr(threaded, name), expected)
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), expected)


@pytest.mark.parametrize("temperature", [0.0, np.array([0.0, 300.0, 300.0, 0.0])])
def test_a_part_of_unlike_devices_gives_the_bits_of_the_whole(temperature):
    """Nothing may be decided by the largest frequency, the strongest field or the presence of a term elsewhere in the batch."""
    alone = {"i_dc": [0.0, 1e-4, 0.0, 5e-5], "frequency": [2e9, 20e9, 5e9, 9e9], "hk1": [0.0, 3e4, 0.0, -1e4]}
    asymmetry, field = np.array([0.0, 0.3, 0.0, 0.1]), np.array([[4e4, 0, 0], [8e4, 0, 0], [0, 5e4, 0], [3e4, 0, 1e4]])

    def run(part):
        source = SpinTorque(polarization=DIRECTION, asymmetry=asymmetry[part])
        hot = temperature if np.ndim(temperature) == 0 else temperature[part]
        numbers = {name: np.array(values)[part] for name, values in alone.items()}
        device = diode(source, hk1=numbers.pop("hk1"), field=field[part], temperature=hot, alpha=0.05)
        return simulate(device, Drive(i_ac=1e-5, **numbers), duration=6e-9, dt=5e-13, offset=part.start, seed=3)

    whole, parts = run(slice(0, 4)), [run(slice(0, 1)), run(slice(1, 3)), run(slice(3, 4))]
    for name in ("end", "v_dc", "m_square", "frequency", "coherence"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name))


def test_devices_and_seeds_have_their_own_noise():
    run, other = (simulate(hot(8), duration=1e-9, seed=seed).end for seed in (0, 1))
    assert len(np.unique(np.concatenate([run, other])[:, 1])) == 16


def test_thermal_motion_has_the_variance_of_equipartition():
    """256 devices for 0.1 us: with a correlation time of 0.3 ns 4e4 independent values, 0.7 %; 3 % is over 4 standard errors."""
    run = simulate(hot(256), duration=1e-7, settle=5e-9, seed=1)
    energy = BOLTZMANN * 300 / (MU0 * 1e6 * AREA * 2e-9)
    square = run.m_square.mean(axis=0)
    assert square[1] == pytest.approx(energy / 4e4, rel=0.03)
    assert square[2] == pytest.approx(energy / 6.4e5, rel=0.03)


@pytest.mark.parametrize("noise", ["uniform", "gaussian"])
@pytest.mark.parametrize("xi", [1.0, 3.0])
def test_a_free_moment_in_a_field_follows_langevin(xi, noise):
    """64 runs of 0.1 us; with 5 standard errors a false alarm has a probability of 6e-7."""
    volume = 1e-24
    field = xi * BOLTZMANN * 300 / (MU0 * 1e6 * volume)
    moment = MacrospinDevice(ms=1e6, thickness=1e-9, area=1e-15, alpha=np.full(64, 0.2), field=(0, 0, field), temperature=300.0)
    run = simulate(SpinDiode(layer=moment), duration=1e-7, settle=5e-9, noise=noise, window="flat", seed=2)
    found = run.m_mean[:, 2]
    error = found.std(ddof=1) / math.sqrt(len(found))
    assert abs(found.mean() - (1 / math.tanh(xi) - 1 / xi)) < 5 * error


def test_a_damping_like_torque_acts_as_a_field_over_damping_in_equilibrium():
    """Along the symmetry axis a_J / alpha stands for a field (stationary Fokker-Planck density); quadrature gives the mean."""
    volume, alpha, delta, xi = 1e-24, 0.2, 2.0, 1.5
    thermal = BOLTZMANN * 300 / (MU0 * 1e6 * volume)
    pull = alpha * xi * thermal
    hk = 2 * delta * thermal
    moment = MacrospinDevice(ms=1e6, thickness=1e-9, area=1e-15, alpha=np.full(64, alpha), hk1=hk, temperature=300.0)
    source = SpinTorque(polarization=(0, 0, 1), efficiency=1.0)
    current = pull / float(spin_transfer_field(1e6, volume))
    run = simulate(SpinDiode(layer=moment, torque=source), Drive(i_dc=current), duration=2e-7, settle=1e-8, window="flat", seed=5)
    weight = [quad(lambda z, p=p: z**p * math.exp(delta * z * z + xi * z), -1, 1)[0] for p in (0, 1)]
    found = run.m_mean[:, 2]
    assert abs(found.mean() - weight[1] / weight[0]) < 5 * found.std(ddof=1) / 8


def test_two_sublattices_resonate_at_the_exchange_enhanced_frequency():
    """gamma0 / 2 pi sqrt(H_a (2 H_E + H_a)), C. Kittel, Phys. Rev. 82 (1951) 565."""
    pair = AntiferromagnetDevice(ms=1e6, thickness=2e-9, area=1e-14, alpha=1e-4, demag=(-2e4, 0, 0), exchange=4e6)
    run = simulate(SpinDiode(layer=pair), duration=2e-9, dt=2e-14, start=(1, 0.01, 0))
    assert run.frequency == pytest.approx(GAMMA0 / (2 * math.pi) * math.sqrt(2e4 * (8e6 + 2e4)), rel=1e-3)


def test_a_resting_junction_shows_its_ohmic_voltage():
    still = SpinDiode(layer=layer(alpha=0.5), junction=TunnelJunction(r_p=500.0, tmr=1.0, reference=(0, 1, 0)))
    run = simulate(still, Drive(i_dc=1e-4, i_ac=1e-5, frequency=1.7e9), duration=2e-8, settle=5e-9)
    assert run.r_mean == pytest.approx(2000 / 3, rel=1e-9)
    assert run.v_dc == pytest.approx(1e-4 * 2000 / 3, rel=1e-9)


def test_a_run_goes_on_from_where_another_ended():
    long = simulate(diode(), Drive(i_dc=1e-4), duration=2e-9, start=(1, 0.2, 0))
    first = simulate(diode(), Drive(i_dc=1e-4), duration=1e-9, start=(1, 0.2, 0))
    second = simulate(diode(), Drive(i_dc=1e-4), duration=1e-9, start=first.end)
    np.testing.assert_allclose(second.end, long.end, atol=1e-12)


def test_parameters_frequencies_and_starts_broadcast():
    run = simulate(diode(alpha=np.array([[0.01], [0.02]])), Drive(i_ac=1e-5, frequency=np.array([4e9, 5e9, 6e9])), duration=4e-9)
    alone = simulate(diode(alpha=0.02), Drive(i_ac=1e-5, frequency=6e9), duration=4e-9)
    assert run.v_dc.shape == (2, 3)
    assert run.end.shape == (2, 3, 3)
    np.testing.assert_allclose(run.v_dc[1, 2], alone.v_dc, rtol=1e-12)


def test_progress_is_told_to_the_end():
    shares = []
    simulate(diode(), duration=1e-7, every=100, tick=shares.append)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ms": 0.0}, "`ms` is 0 A/m"),
        ({"thickness": -1e-9}, "`thickness` is -1e-09 m"),
        ({"area": np.array([1e-14, 0.0])}, r"`area` is 0 m\^2 at \(1,\)"),
        ({"alpha": 0.0}, "`alpha` is 0"),
        ({"temperature": -1.0}, "`temperature` is -1 K"),
        ({"field": (1.0, 2.0)}, "`field` has shape"),
        ({"axis": (0, 0, 0)}, "`axis` has length 0"),
        ({"demag": (0, 0, math.nan)}, "`demag` is nan A/m"),
    ],
)
def test_an_impossible_layer_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        layer(**changes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TunnelJunction(r_p=0.0), "`r_p` is 0 ohm"),
        (lambda: TunnelJunction(r_p=math.inf), "`r_p` is inf ohm"),
        (lambda: TunnelJunction(tmr=-0.5), "`tmr` is -0.5"),
        (lambda: TunnelJunction(reference=(0, 0, 0)), "`reference` has length 0"),
        (lambda: TunnelJunction(readout="voltage"), "`readout` is 'voltage'"),
        (lambda: TunnelJunction(readout="resistance", v_half=0.5), "`v_half` is given"),
        (lambda: SpinTorque(polarization=(0, 0, 0)), "`polarization` has length 0"),
        (lambda: SpinTorque(asymmetry=-1.0), "`asymmetry` is -1"),
        (lambda: SpinTorque(asymmetry=1.0), "`asymmetry` is 1"),
        (
            lambda: SpinDiode(layer=layer(), junction=TunnelJunction(v_half=0.5), series=SeriesDiode()),
            "`junction` has `v_half` beside a series diode",
        ),
        (lambda: diode((SpinTorque(asymmetry=0.2), SpinTorque())), "`torque` mixes"),
        (lambda: AntiferromagnetDevice(ms=1e6, thickness=1e-9, area=1e-14, alpha=0.1, exchange=0.0), "`exchange` is 0 A/m"),
        (lambda: Drive(frequency=-1.0), "`frequency` is -1 Hz"),
        (lambda: diode().replace(thicknes=1e-9), "`replace` names thicknes"),
    ],
)
def test_an_impossible_part_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("drive", "options", "message"),
    [
        (Drive(), {"dt": 1e-11}, "`dt` is 1e-11 s; allowed: at most 1.4e-12 s"),
        (Drive(i_ac=1e-5, frequency=3e11), {}, "`frequency` is 3e.11 Hz; allowed: at most 2e.11 Hz"),
        (Drive(i_ac=1e-5, frequency=1e8), {}, "`duration` is 1e-08 s; allowed: at least 1e-07 s"),
        (Drive(), {"duration": 0.0}, "`duration` is 0.0"),
        (Drive(v_ac=0.1, frequency=5e9), {}, "`drive` has a voltage"),
        (Drive(), {"start": (0, 0, 0)}, "`start` has length 0"),
        (Drive(), {"method": "euler"}, "`method` is 'euler'"),
        (Drive(), {"window": "hamming"}, "`window` is 'hamming'"),
        (Drive(), {"threads": 0}, "`threads` is 0"),
        (Drive(i_ac=1e-5, frequency=5e9), {"every": 100}, "`every` is 100 steps for a drive of 5e.09 Hz; allowed: at most 50"),
        (Drive(i_dc=1.0), {}, "`dt` is 1e-12 s"),
    ],
)
def test_an_impossible_run_is_refused(drive, options, message):
    with pytest.raises(InputError, match=message):
        simulate(diode(), drive, **{"duration": 1e-8} | options)


@pytest.mark.parametrize(
    ("changes", "drive"),
    [
        ({}, Drive()),
        ({}, Drive(i_ac=1e-5, frequency=9e10)),
        ({"temperature": 300.0, "alpha": 0.005}, Drive()),
        ({"temperature": 300.0, "alpha": 0.3, "area": 1e-17, "ms": 2e5}, Drive()),
    ],
    ids=["precession", "drive", "heat of the method", "kick of the heat"],
)
def test_the_longest_step_runs_and_a_longer_one_is_refused(changes, drive):
    device = diode(**changes)
    longest = longest_step(device, drive, share=1.0)
    assert longest_step(device, drive) == pytest.approx(0.9 * longest, rel=1e-12)
    simulate(device, drive, duration=200 * longest, dt=longest)
    with pytest.raises(InputError, match="allowed: at most"):
        simulate(device, drive, duration=200 * longest, dt=1.01 * longest)


@pytest.mark.parametrize("share", [0.0, 1.1])
def test_a_share_of_the_longest_step_is_within_0_and_1(share):
    with pytest.raises(InputError, match="share"):
        longest_step(diode(), Drive(), share=share)


def test_runge_kutta_is_refused_at_a_temperature():
    with pytest.raises(InputError, match="'rk4' for a temperature above 0 K"):
        simulate(hot(1), duration=1e-9, method="rk4")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": 0.005}, "`dt` is 1e-12 s; allowed: at most 8.3e-13 s for these fields and this damping"),
        ({"alpha": 0.3, "area": 1e-17, "ms": 2e5}, "`dt` is 1e-12 s; allowed: at most .* s for this volume and temperature"),
        ({"alpha": 0.3, "vcma": 1e-11}, "`dt` is 1e-12 s; allowed: at most .* s for these fields"),
    ],
)
def test_a_step_that_would_heat_the_moment_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        simulate(diode(temperature=300.0, **changes), Drive(i_dc=1e-4 if "vcma" in changes else 0.0), duration=1e-9)


def test_heat_at_the_longest_step_stays_within_its_bound():
    """A stiff isotropic field at the edge of what is allowed; 3 standard errors of 2 % are left for chance."""
    field, alpha = 5e5, 0.02
    longest = (8 * alpha * 0.04) ** (1 / 3) / (GAMMA0 * field)
    moment = MacrospinDevice(ms=1e6, thickness=2e-9, area=5e-16, alpha=np.full(128, alpha), field=(0, 0, field), temperature=300.0)
    run = simulate(SpinDiode(layer=moment), duration=1e-8, settle=2e-9, dt=0.999 * longest, seed=1)
    xi = MU0 * 1e6 * 1e-24 * field / (BOLTZMANN * 300)
    exact = 2 * (1 / math.tanh(xi) - 1 / xi) / xi
    assert 0.94 < run.m_square[:, :2].sum(axis=1).mean() / exact < 1.10


def test_a_drive_at_frequency_zero_is_a_direct_current():
    still = SpinDiode(layer=layer(alpha=0.5), junction=TunnelJunction(reference=(0, 1, 0)))
    run = simulate(still, Drive(i_ac=1e-4, phase=math.pi / 2), duration=5e-9)
    assert run.v_dc == pytest.approx(1e-4 * 2000 / 3, rel=1e-6)


def test_a_stiff_exchange_limits_the_step():
    pair = AntiferromagnetDevice(ms=1e6, thickness=2e-9, area=1e-14, alpha=0.01, exchange=4e8)
    with pytest.raises(InputError, match=r"`dt` is 1e-12 s; allowed: at most 2.3e-15 s"):
        simulate(SpinDiode(layer=pair), duration=1e-9)


def test_a_result_that_is_no_number_names_its_device():
    broken = diode(alpha=np.full(3, 0.01))
    object.__setattr__(broken.junction, "r_p", np.array([500.0, 500.0, math.nan]))
    with np.errstate(invalid="ignore"), pytest.raises(FloatingPointError, match=r"device \(2,\) of the batch \(3,\)"):
        simulate(broken, duration=1e-11)
