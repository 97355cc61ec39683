"""Settings come from a file, assignments and flags, in that order; a slip is refused with the nearest word."""

import pytest

from holdfast.auditing.settings import AuditSettings, assign, read_settings, to_toml
from holdfast.core.errors import InputError

FILE = """
preset = "standard"
budget = "5m"
gates = ["clean.accuracy >= 0.97"]
[model]
source = "mynet:make"
bounds = [0, 255]
[adversarial.pgd]
steps = 20
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "audit.toml"
    path.write_text(FILE)
    return path


def test_a_file_is_read(file):
    settings = read_settings(file)
    assert (settings.preset, settings.budget, settings.model.bounds) == ("standard", 300.0, (0.0, 255.0))
    assert settings.overrides() == {"pgd": {"steps": 20}}


def test_assignments_win_over_the_file_and_flags_over_both(file):
    settings = read_settings(
        file, assignments=("adversarial.pgd.steps=100", "seed=3", "preset=quick"), flags={"seed": 4, "preset": None}
    )
    assert (settings.overrides()["pgd"]["steps"], settings.seed, settings.preset) == (100, 4, "quick")


def test_an_assignment_adds_to_a_stress_and_keeps_its_other_settings(file):
    settings = read_settings(file, assignments=("adversarial.pgd.restarts=3",))
    assert settings.overrides()["pgd"] == {"steps": 20, "restarts": 3}


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1.5h", 5400), ("30", 30), ("2min", 120), (45, 45)])
def test_times(text, seconds):
    assert read_settings(flags={"budget": text}).budget == seconds


def test_assignments_take_toml_values_and_bare_words():
    assert assign("adversarial.pgd.eps=[0, 0.1]") == {"adversarial": {"pgd": {"eps": [0, 0.1]}}}
    assert assign("model.source = nets:make")["model"]["source"] == "nets:make"


def test_resolved_settings_are_toml_that_reads_back(file, tmp_path):
    settings = read_settings(file, flags={"data": {"source": 'a "quoted" name.npz'}})
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(to_toml(settings))
    assert read_settings(resolved) == settings


def test_no_file_means_defaults():
    assert read_settings() == AuditSettings()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"assignments": ("presett='quick'",)}, r"`presett` is not a setting; .*Did you mean 'preset'\?"),
        ({"assignments": ("model.weigths='w.pt'",)}, r"`model.weigths` is not a setting.*Did you mean 'weights'\?"),
        ({"assignments": ("preset='quik'",)}, r"`preset` is 'quik'; allowed: 'quick', 'standard' or 'deep'"),
        ({"assignments": ("pgd",)}, r"KEY.KEY=VALUE"),
        ({"flags": {"budget": "soon"}}, r"`budget` is 'soon'; allowed: a time such as 90s"),
        ({"flags": {"budget": -1}}, r"`budget` is -1"),
        ({"flags": {"seed": -1}}, r"`seed` is -1"),
        ({"flags": {"gates": ("clean.accuracy >= 97%",)}}, r"Write a share, 0.05 instead of 5%"),
        ({"file": "nowhere.toml"}, r"there is no such file"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        read_settings(**arguments)


def test_a_file_that_is_not_toml_is_refused(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("preset = quick = standard")
    with pytest.raises(InputError, match="is not TOML"):
        read_settings(path)


@pytest.mark.parametrize(
    "arguments",
    [
        {"flags": {"bounds": (-1, 1), "examples": 50, "device": "cuda", "model": {"name": "mine"}}},
        {"assignments": ("bounds=[-1, 1]", "examples=50", "device=cuda", "name=mine")},
        {"flags": {"model": {"bounds": "-1,1", "name": "mine"}, "data": {"examples": 50}, "run": {"device": "cuda"}}},
    ],
)
def test_a_word_of_a_table_may_stand_outside_it(arguments):
    settings = read_settings(**arguments)
    assert (settings.model.bounds, settings.data.examples, settings.run.device) == ((-1.0, 1.0), 50, "cuda")
    assert settings.model.name == "mine"


def test_a_table_called_device_is_the_card_and_a_text_is_where_the_audit_runs():
    settings = read_settings(flags={"device": {"weight_noise": {"chips": 3}}}, assignments=("device=cpu",))
    assert settings.overrides() == {"weight_noise": {"chips": 3}}
    assert settings.run.device == "cpu"


def test_arguments_of_a_factory_may_be_a_mapping():
    assert read_settings(flags={"arguments": {"width": 3}}).model.arguments == ("width=3",)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("expect_accuracy=nan", r"`expect_accuracy` is nan; allowed: finite numbers"),
        ("expect_accuracy=1.5", r"`expect_accuracy` is 1.5; allowed: less than or equal to 1"),
        ("bounds=[nan, 1]", r"`model.bounds` is nan; allowed: finite numbers"),
        ('bounds="0,inf"', r"`bounds` is inf; allowed: finite numbers"),
        ("budget=inf", r"`budget` is inf; allowed: finite numbers"),
        (f'budget="{"9" * 400}h"', r"`budget` is inf; allowed: finite numbers"),
        ('budget="never"', r"^`budget` is 'never'; allowed: a time such as 90s, 5m or 1.5h.$"),
        ("precision.weight_bits.bits=[nan]", r"`precision.weight_bits.bits` is nan; allowed: finite numbers"),
        ("device.weight_noise.sigma=[0.1, inf]", r"`device.weight_noise.sigma` is inf; allowed: finite numbers"),
        ("adversarial.pgd.eps=[-inf]", r"`adversarial.pgd.eps` is -inf; allowed: finite numbers"),
        ("run.threads=99999999999", r"`run.threads` is 99999999999; allowed: less than or equal to 1024"),
        ("run.batch_size=9999999999999", r"`run.batch_size` is 9999999999999; allowed"),
        ("seed=99999999999999999999", r"`seed` is 99999999999999999999; allowed"),
        ("max_queries=99999999999999999999", r"`max_queries` is 99999999999999999999; allowed"),
        ("data.size=0", r"`data.size` is 0; allowed"),
        ("data.size=100000", r"`data.size` is 100000; allowed"),
        ("data.examples=99999999999", r"`data.examples` is 99999999999; allowed"),
    ],
)
def test_numbers_that_are_not_finite_or_beyond_every_machine_are_refused_where_they_stand(assignment, message):
    with pytest.raises(InputError, match=message):
        read_settings(assignments=(assignment,))


@pytest.mark.parametrize(
    "content",
    ["a." * 50_000 + "b = 1", " . ".join(["a"] * 200) + " = 1", "x = '" + "a" * 2**20 + "'", "a = " + "[" * 100_000],
    ids=["a key of 50000 parts", "a key of 200 parts", "a megabyte", "brackets"],
)
def test_a_file_that_would_fill_memory_is_refused(content, tmp_path):
    """The parser takes memory with the square of a key's parts: 10 GB for 50000 of them."""
    (tmp_path / "audit.toml").write_text(content)
    with pytest.raises(InputError, match=r"`config` is .*(parts|not TOML)"):
        read_settings(tmp_path / "audit.toml")


def test_a_long_list_of_numbers_is_not_a_long_key(tmp_path):
    values = ", ".join(f"0.{number:04d}" for number in range(5000))
    (tmp_path / "audit.toml").write_text(f"[device.weight_noise]\nsigma = [{values}]\n")
    assert len(read_settings(tmp_path / "audit.toml").overrides()["weight_noise"]["sigma"]) == 5000
