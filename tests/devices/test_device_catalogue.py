"""Devices by name: their documentation, sweeps, families and ensembles, physics, files, and what others add."""

import json
from dataclasses import replace

import numpy as np
import pytest

from holdfast.core.errors import InputError
from holdfast.core.figures import svg
from holdfast.devices import CharacteristicCurves, Output, ReluNeuron, SigmoidNeuron, catalogue
from holdfast.devices.catalogue import characterise, find_device, known_devices
from holdfast.devices.drawing import characteristic_figure
from holdfast.devices.engineering import prefixed, with_prefix
from holdfast.devices.entry import DeviceEntry, Parameter, PhysicalQuantity
from holdfast.devices.spintronics import ThermalSigmoidNeuron, neuron_curves
from holdfast.devices.spintronics.macrospin import easy_plane_half_width, easy_plane_resonance
from holdfast.devices.sweep import Sweep
from holdfast.devices.tabulation import characteristic_rows

KNOWN = known_devices()
CHEAP = ["sigmoid-neuron", "relu-neuron", "thermal-sigmoid", "hard-axis", "auto-oscillator-power", "vortex-oscillator"]
DIMENSIONLESS = {
    "alpha",
    "tmr",
    "efficiency",
    "field_like",
    "runs",
    "hardening",
    "damping_ratio",
    "damping_growth",
    "supercriticality",
}
DIMENSIONLESS |= {"amplitude", "steepness", "threshold", "offset", "corner", "saturation", "drive", "q", "noise", "method"}


def test_the_devices_that_the_field_names_are_there():
    wanted = "sigmoid-neuron relu-neuron thermal-sigmoid hard-axis auto-oscillator-power spin-diode cone-diode"
    wanted += " spin-torque-oscillator antiferromagnet oscillator-pair vortex-oscillator"
    assert set(wanted.split()) <= set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_every_parameter_and_output_says_what_it_is_and_in_which_unit(name):
    entry = KNOWN[name]
    assert entry.name == name
    assert entry.title
    assert entry.source
    for quantity in (*entry.parameters, *entry.outputs):
        assert quantity.meaning, f"{name}: {quantity.name} has no meaning"
        assert not any(word in quantity.meaning for word in (":math:", "\\", "mathcal", "kappa"))
    without = {parameter.name for parameter in entry.parameters if not parameter.unit}
    assert without <= DIMENSIONLESS


@pytest.mark.parametrize("name", KNOWN)
def test_sweeps_that_are_recommended_name_parameters_of_the_device(name):
    entry = KNOWN[name]
    for text in entry.also:
        for words in f"--sweep {text}".split("--sweep ")[1:]:
            sweep = Sweep.parse(words.split(" --")[0].strip())
            assert sweep.name in entry.units


@pytest.mark.parametrize("name", CHEAP)
def test_ensemble_family_and_single_devices_agree(name):
    entry = KNOWN[name]
    varied = next(each.name for each in entry.parameters if each.default and not each.choices)
    nominal = entry.settings({})[varied]
    swept = entry.default_sweep(entry.settings({}))
    together = entry.characteristic(samples=3, spread={varied: 0.02}, seed=5)
    again = entry.characteristic(samples=3, spread={varied: 0.02}, seed=5)
    alone = entry.characteristic(sweeps=[swept])
    np.testing.assert_array_equal(together.output().values, again.output().values)
    np.testing.assert_allclose(together.output().values[0], alone.output().values[0], rtol=1e-12)
    family = entry.characteristic(sweeps=[swept, Sweep(name=varied, values=np.array([nominal, 1.01 * nominal]))])
    moved = entry.characteristic({varied: 1.01 * nominal}, sweeps=[swept])
    np.testing.assert_allclose(family.output().values[0], alone.output().values[0], rtol=1e-9)
    np.testing.assert_allclose(family.output().values[1], moved.output().values[0], rtol=1e-9)


def test_an_ensemble_is_that_of_the_library():
    found = characterise("thermal-sigmoid", samples=5, spread={"alpha": 0.1}, seed=3).curves()
    there = neuron_curves(ThermalSigmoidNeuron(), spread={"alpha": 0.1}, samples=5, seed=3)
    np.testing.assert_allclose(found.x, there.x)
    np.testing.assert_allclose(found.y, there.y, rtol=1e-12)
    np.testing.assert_allclose(found.nominal, there.nominal, rtol=1e-12)


def test_a_parameter_that_is_0_varies_by_an_absolute_width():
    found = characterise("hard-axis", samples=400, absolute={"misalignment": 0.05}, sweeps=["current=0.08,0.1"])
    assert np.ptp(found.output().values[1:, 0]) > 0
    with pytest.raises(InputError, match="0 nominally"):
        characterise("hard-axis", samples=4, spread={"misalignment": 0.05})


def test_another_parameter_than_the_drive_can_be_swept():
    found = characterise("auto-oscillator-power", {"current": 2e-4}, sweeps=["temperature=1:400:5"])
    assert found.sweep.name == "temperature"
    assert found.parameters["current"] == 2e-4
    assert (found.output().values > 0).all()


def test_a_simulated_neuron_follows_its_closed_form():
    # standard errors over 8 runs are at most 1.2 % of the span, so 6 of them bound 9 points with < 1e-7 false alarms
    closed = characterise("thermal-sigmoid", sweeps=["current=-8e-6:8e-6:9"])
    simulated = characterise("thermal-sigmoid", {"method": "simulation"}, sweeps=["current=-8e-6:8e-6:9"], seed=1)
    span = np.ptp(closed.output().values)
    assert np.abs(simulated.output().values - closed.output().values).max() < 0.08 * span


def test_the_diode_resonates_where_its_fields_say_with_the_width_of_its_damping():
    found = characterise("spin-diode", {"method": "closed"}, sweeps=["frequency=5.2e9:6.1e9:901"])
    line = np.abs(found.output("voltage").values[0])
    peak = found.sweep.values[line.argmax()]
    assert peak == pytest.approx(float(easy_plane_resonance(4e4, 6e5)), rel=1e-3)
    above = found.sweep.values[line > line.max() / 2]
    half_width = (above[-1] - above[0]) / 2
    assert half_width == pytest.approx(float(easy_plane_half_width(4e4, 6e5, alpha=0.01)), rel=0.03)


def test_stepping_through_time_gives_the_exact_response_to_small_signals():
    settings = {"sweeps": ["frequency=5.4e9:5.9e9:5"]}
    stepped = characterise("spin-diode", {"i_ac": 5e-6}, **settings).output().values
    exact = characterise("spin-diode", {"i_ac": 5e-6, "method": "closed"}, **settings).output().values
    np.testing.assert_allclose(stepped, exact, rtol=0.01)


def test_an_oscillator_is_silent_below_its_threshold_and_swings_above():
    # threshold of this layer with spins at 150 degrees: 0.3925 mA (easy_plane_threshold)
    found = characterise("spin-torque-oscillator", sweeps=["i_dc=2e-4,6e-4"])
    assert found.output("amplitude").values[0] == pytest.approx([0, 0.8], abs=0.05)
    assert np.isnan(found.output("frequency").values[0, 0])
    assert found.output("frequency").values[0, 1] < float(easy_plane_resonance(4e4, 6e5))
    assert json.loads(found.json())["outputs"]["frequency"]["nominal"][0] is None


def test_an_antiferromagnet_rotates_beyond_half_its_easy_axis_field():
    found = characterise("antiferromagnet", {"duration": 4e-9, "settle": 2e-9}, sweeps=["pull=9e3,2e4"])
    rotation, resonance = (found.output(name).values[0] for name in ("rotation", "resonance"))
    assert rotation[0] == 0
    assert rotation[1] == pytest.approx(140.87e9, rel=0.01)  # gamma0 a / (2 pi alpha)
    assert np.isnan(resonance[1])


def test_an_antiferromagnet_in_closed_form_stops_where_its_sublattices_are_parallel():
    # 2 alpha H_E = 40 kA/m with alpha = 0.005 and H_E = 4 MA/m
    rotation = characterise("antiferromagnet", {"method": "closed"}, sweeps=["pull=3.9e4,4.1e4"]).output().values[0]
    assert np.isfinite(rotation).tolist() == [True, False]


@pytest.mark.parametrize("settings", [{}, {"field": 8e4}, {"alpha": 0.002}, {"alpha": 0.3}])
def test_the_default_sweep_of_the_diode_finds_its_resonance(settings):
    entry = KNOWN["spin-diode"]
    swept = entry.default_sweep(entry.settings(settings)).values
    resonance = float(easy_plane_resonance(settings.get("field", 4e4), 6e5))
    assert 0 < swept[0] < resonance < swept[-1]
    half_width = float(easy_plane_half_width(settings.get("field", 4e4), 6e5, alpha=settings.get("alpha", 0.01)))
    assert np.diff(swept).max() <= half_width / 4 * (1 + 1e-9)


@pytest.mark.parametrize("name", [*CHEAP, "spin-diode"])
def test_the_ensemble_that_a_device_recommends_varies(name):
    entry = KNOWN[name]
    word = {"method": "closed"} if "method" in entry.units else {}
    found = entry.characteristic(word, samples=3, spread={entry.varied: 0.05}, sweeps=[])
    assert np.ptp(found.output().values, axis=0).max() > 0


def test_figures_speak_in_words_and_plain_powers():
    family = characterise("spin-diode", {"method": "closed"}, sweeps=["i_ac=1e-6:3e-5:5:log", "i_dc=0,1e-4"])
    first = characteristic_figure(family).axes[0]
    assert first.get_xlabel() == "alternating current (A)"
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["direct current 0 A", "direct current 100 µA"]
    ensemble = characterise("auto-oscillator-power", samples=3, spread={"alpha": 0.05}, absolute={"field": 2000})
    assert "3 devices: damping α ± 5 %, field ± 2 kA/m" in svg(characteristic_figure(ensemble))


def test_what_rounding_leaves_is_shown_as_nothing():
    output = Output(name="voltage", unit="V", values=np.array([[1e-53, 0.0]]))
    found = replace(characterise("sigmoid-neuron", sweeps=["drive=0,1"]), outputs=(output,))
    assert [row["voltage (V)"] for row in characteristic_rows(found)] == ["0", "0"]


def test_one_sweep_needs_no_list():
    found = characterise("sigmoid-neuron", sweeps="drive=-1:1:5")
    np.testing.assert_array_equal(found.sweep.values, np.linspace(-1, 1, 5))


def test_a_pair_locks_within_the_adiabatic_range():
    # half range 2 Omega sqrt(1 + nu^2) = 2.697 MHz with Omega / 2 pi = 0.2 MHz and nu = 20 / 3
    found = characterise("oscillator-pair", {"duration": 2e-5, "discard": 1e-5}, sweeps=["detuning=1e6,2.4e6,3.2e6"])
    beat = found.output("beat").values[0]
    assert np.abs(beat[:2]).max() < 1e4
    assert beat[2] > 1e6


def test_the_tables_of_a_neuron_come_back_as_its_curves(tmp_path):
    found = characterise("relu-neuron", samples=6, spread={"amplitude": 0.1}, sweeps=["drive=-1:3:33"])
    paths = found.write(tmp_path / "dev")
    assert [path.name for path in paths] == ["curves.csv", "characteristic.json"]
    back = CharacteristicCurves.from_csv(paths[0])
    np.testing.assert_allclose(back.x, found.sweep.values, rtol=1e-12)
    np.testing.assert_allclose(back.y, found.output().values[1:], rtol=1e-8, atol=1e-300)
    np.testing.assert_allclose(back.nominal, found.output().values[0], rtol=1e-8, atol=1e-300)
    document = json.loads(paths[1].read_text())
    assert document["ensemble"] == {"samples": 6, "spread": {"amplitude": 0.1}, "absolute": {}, "seed": 0}
    np.testing.assert_allclose(document["outputs"]["output"]["p50"], np.median(found.output().values[1:], axis=0))


def test_further_outputs_have_tables_of_their_own(tmp_path):
    names = {path.name for path in characterise("vortex-oscillator").write(tmp_path)}
    assert names == {"curves.csv", "radius.csv", "relaxation.csv", "characteristic.json"}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"samples": 12, "spread": {"steepness": 0.1}},
        {"sweeps": ["drive=-2:2:9", "steepness=1,2"]},
        {"sweeps": ["drive=-2:2:9", "steepness=1:10:12"]},
    ],
)
def test_figures_name_quantities_and_repeat_to_the_byte(settings):
    found = characterise("sigmoid-neuron", **settings)
    figure = characteristic_figure(found)
    assert figure.axes[0].get_xlabel() == "drive"
    lines = figure.axes[0].get_lines()
    assert len(lines) == len(found.output().values)
    assert svg(figure) == svg(characteristic_figure(found))


def test_axes_and_columns_carry_engineering_units():
    found = characterise("thermal-sigmoid", samples=3, spread={"area": 0.1})
    axes = characteristic_figure(found).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("current (µA)", "voltage (mV)")
    rows = characteristic_rows(found, most=9)
    assert list(rows[0]) == ["current (µA)", "voltage (mV)", "p05 (mV)", "p50 (mV)", "p95 (mV)"]
    assert len(rows) == 9
    assert float(rows[-1]["current (µA)"]) == pytest.approx(1e6 * found.sweep.values[-1], rel=1e-3)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "A", "0 A"),
        (-2.5e-9, "A", "-2.5 nA"),
        (1e3, "Hz", "1 kHz"),
        (300.0, "K", "300 K"),
        (5e-12, "ohm m^2", "5e-12 ohm m^2"),
    ],
)
def test_numbers_with_prefixes(value, unit, text):
    assert prefixed(value, unit) == text


def test_a_column_of_very_small_numbers_without_a_prefix_gets_a_power_of_ten():
    assert with_prefix([0.0, 3e-16], "m^2") == (1e-18, "1e-18 m^2")


def test_a_swept_sharp_corner_is_the_rectifier_at_its_end():
    found = characterise("relu-neuron", {"saturation": 0.0}, sweeps=["drive=-1:1:5", "corner=1,100"])
    np.testing.assert_allclose(found.output().values[1], ReluNeuron(corner=100.0, saturation=0.0).response(found.sweep.values))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("spin-dode", {}, "Did you mean 'spin-diode'"),
        ("thermal-sigmoid", {"parameters": {"alhpa": 1}}, "Did you mean 'alpha'"),
        ("thermal-sigmoid", {"parameters": {"alpha": "x"}}, "a number, such as 0.05"),
        ("thermal-sigmoid", {"parameters": {"ms": -1}}, "`ms` is -1 A/m"),
        ("thermal-sigmoid", {"parameters": {"method": "closd"}}, "Did you mean 'closed'"),
        ("thermal-sigmoid", {"sweeps": ["curent=0:1:3"]}, "Did you mean 'current'"),
        ("thermal-sigmoid", {"sweeps": ["current=0:1"]}, "START:STOP:POINTS"),
        ("thermal-sigmoid", {"sweeps": ["current=0:1:1"]}, "whole number of points"),
        ("thermal-sigmoid", {"sweeps": ["current=0:1:5:log"]}, "logarithmic"),
        ("thermal-sigmoid", {"sweeps": ["current=a,b"]}, "Numbers in SI units"),
        ("thermal-sigmoid", {"sweeps": ["method=closed,simulation"]}, "is a word"),
        ("thermal-sigmoid", {"sweeps": ["alpha=0.1,0.2", "alpha=1,2"]}, "given 2 times"),
        ("thermal-sigmoid", {"samples": 3}, "`spread` of at least one"),
        ("thermal-sigmoid", {"samples": 3, "spread": {"alpha": 5}}, "in \\[0, 1\\)"),
        ("thermal-sigmoid", {"samples": 3, "absolute": {"filed": 5}}, "`absolute` is .filed.*Did you mean .field."),
        ("thermal-sigmoid", {"samples": 2, "spread": {"runs": 0.1}}, "one for all devices"),
        ("thermal-sigmoid", {"samples": 2, "spread": {"method": 0.1}}, "is a word"),
        ("thermal-sigmoid", {"sweeps": ["runs=2,4,8"]}, "one for all devices"),
        ("thermal-sigmoid", {"parameters": {"runs": 2.5}}, "whole numbers from 2"),
        ("thermal-sigmoid", {"sweeps": ["current=1e-6,1e-6"]}, "a value twice"),
        ("thermal-sigmoid", {"sweeps": ["current=0:1:1e8"]}, "from 2 to 100000"),
        ("thermal-sigmoid", {"samples": 1000, "spread": {"alpha": 0.1}, "sweeps": ["0:1e-6:50000"]}, "points in all"),
        ("spin-diode", {"parameters": {"method": "closed", "temperature": 300}}, "The method .simulation"),
        ("thermal-sigmoid", {"spread": {"alpha": 0.1}}, "`samples` is missing"),
        ("thermal-sigmoid", {"samples": 3, "spread": {"alpha": -0.1}}, "-0.1"),
        ("thermal-sigmoid", {"samples": 3, "spread": {"current": 0.1}}, "0 nominally"),
        ("thermal-sigmoid", {"samples": 3, "absolute": {"current": 0.1}}, "which is swept"),
        ("thermal-sigmoid", {"samples": 3, "spread": {"alpha": 0.1}, "absolute": {"alpha": 0.1}}, "varied twice"),
        (
            "thermal-sigmoid",
            {"samples": 3, "spread": {"alpha": 0.1}, "sweeps": ["0:1e-6:3", "area=1e-16,2e-16"]},
            "ensemble of one",
        ),
        ("spin-diode", {"sweeps": ["duration=1e-7,2e-7"]}, "one for all devices"),
        ("spin-diode", {"parameters": {"alpha": 0}}, "`alpha` is 0"),
        ("spin-diode", {"parameters": {"field": -1}}, "`field` is -1"),
        ("vortex-oscillator", {"sweeps": ["supercriticality=0.5:1:3"]}, "supercriticality"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(name, settings, message):
    with pytest.raises(InputError, match=message):
        characterise(name, **settings)


def test_curves_of_a_family_are_refused():
    with pytest.raises(InputError, match="one sweep for the curves"):
        characterise("sigmoid-neuron", sweeps=["drive=-1:1:5", "steepness=1,2"]).curves()


class Hysteron(SigmoidNeuron):
    """A device that somebody else describes."""

    operating_range = (-3.0, 3.0)


OWN = DeviceEntry(
    name="spring",
    title="A spring",
    parameters=(Parameter(name="stretch", unit="m"), Parameter(name="stiffness", unit="N/m", default=2.0)),
    outputs=(PhysicalQuantity(name="force", unit="N"),),
    sweep=Sweep(name="stretch", values=np.array([0.0, 1.0])),
    measure=lambda bench: {"force": bench["stiffness"] * bench["stretch"]},
)


def test_installed_packages_add_devices(monkeypatch):
    monkeypatch.setattr(
        catalogue, "plugins", lambda group: {"hysteron": Hysteron, "spring": OWN, "instance": Hysteron(steepness=2.0)}
    )
    assert {"hysteron", "spring", "instance"} <= set(known_devices())
    np.testing.assert_array_equal(characterise("spring", {"stiffness": 3}).output().values, [[0.0, 3.0]])
    assert find_device("hysteron").title == "A device that somebody else describes"
    assert characterise("hysteron").sweep.values[0] == -3
    assert find_device("instance").settings({})["steepness"] == 2


def test_what_is_no_device_is_refused_by_its_entry(monkeypatch):
    monkeypatch.setattr(catalogue, "plugins", lambda group: {"oddity": 7})
    with pytest.raises(InputError, match="'oddity', a int"):
        known_devices()
