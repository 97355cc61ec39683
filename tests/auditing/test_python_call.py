"""A Python call is as able as the command line, and one thing has one name in both and in the configuration file."""

import dataclasses
import inspect
import shlex
import sys

import pytest
import torch

import holdfast
from holdfast.auditing import plan_audit
from holdfast.auditing.catalogue import describe
from holdfast.auditing.command import SINGULAR, command_line
from holdfast.auditing.options import AuditOptions
from holdfast.auditing.settings import HOMES, TABLES, AuditSettings, read_settings, to_toml
from holdfast.auditing.typed import read_value
from holdfast.cli.app import app
from holdfast.cli.flags import AuditFlags
from holdfast.core.errors import InputError, MissingExtraError

OTHER_VALUES = {
    "preset": "deep",
    "budget": "5m",
    "max_queries": 7,
    "seed": 3,
    "stresses": ["clean", "fgsm"],
    "skip": ["fgsm", "pgd"],
    "gates": ["clean.accuracy >= 0.9", "clean.ece <= 1/10"],
    "undecided": "fail",
    "baseline": "runs/before",
    "out": "runs/x y",
    "expect_accuracy": "19/20",
    "allow_low_accuracy": True,
    "name": "mine",
    "weights": "w.pt",
    "access": "scores",
    "arguments": {"width": 3, "path": "a b"},
    "bounds": (-1, "8/255"),
    "normalize": (-0.5, "1/4"),
    "outputs": "probabilities",
    "output_key": 1,
    "samples": 4,
    "unsafe_pickle": True,
    "layout": "NHWC",
    "input_key": "x",
    "label_column": "y",
    "size": 32,
    "classes": ["a cat", "dog"],
    "examples": 50,
    "unlabelled": "u.npz",
    "device": "cuda",
    "workers": 2,
    "threads": 3,
    "batch_size": 10,
    "point_limit": 90,
    "model": {"source": "a.py:make"},
    "data": {"source": "b.npz"},
    "adversarial": {"square": {"examples": None}, "pgd": {"eps": [0, 0.5], "norm": "l2"}},
}


class Parts(torch.nn.Module):
    """Gives its logits beside something else, and expects inputs that are normalised."""

    def __init__(self, network, mean=0.0, std=1.0):
        super().__init__()
        self.network, self.mean, self.std = network, mean, std

    def forward(self, x):
        return {"features": x.flatten(1), "logits": self.network(x * self.std + self.mean)}


def words_of_the_file():
    return {name for name in AuditSettings.model_fields if name not in TABLES} | set(HOMES)


def test_one_name_in_python_in_the_file_and_on_the_command_line():
    """Flags that are repeated name one of several, so they are singular; `model` and `data` come first in a call."""
    plural = {flag: key for key, flag in SINGULAR.items()}
    flags = {plural.get(entry.name, entry.name) for entry in dataclasses.fields(AuditFlags)}
    assert [key for key, flag in SINGULAR.items() if key not in (f"{flag}s", f"{flag}es")] == []
    assert flags - {"model", "data", "config", "set"} == words_of_the_file() == set(AuditOptions.__annotations__)


def test_the_command_that_repeats_an_audit_has_every_flag_and_reads_back():
    """Each setting gets another value than its default one; `fresh` deletes files, and the file of settings is read before."""
    settings = read_settings(flags=OTHER_VALUES)
    defaults = AuditSettings()
    same = {name for name in AuditSettings.model_fields if getattr(settings, name) == getattr(defaults, name)}
    inside = {name for table in TABLES for name in TABLES[table].model_fields if getattr(getattr(settings, table), name) is None}
    assert (same, inside) == ({"fresh"}, set())
    words = shlex.split(command_line(settings))
    assert words[:2] == ["holdfast", "audit"]
    command, bound, _ = app.parse_args(words[1:], exit_on_error=False, print_error=False)
    assert command.__name__ == "audit"
    assert bound.arguments["flags"].settings() == settings


@pytest.mark.parametrize("function", [holdfast.audit, holdfast.plan])
def test_every_setting_is_a_named_parameter_with_a_sentence(function):
    parameters = inspect.signature(function).parameters
    assert {"settings", "config", "progress", *words_of_the_file()} == {*parameters} - {"model", "data"}
    assert not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    lines = inspect.getdoc(function).splitlines()
    assert [name for name in parameters if not any(line.startswith(f"{name} : ") and len(line) > 20 for line in lines)] == []


def test_settings_of_the_network_are_words_of_the_call(digits_cnn, digits_small, tmp_path):
    x, y = digits_small[1][:40].x, digits_small[1][:40].y
    shifted = (x * 2 - 1).permute(0, 2, 3, 1)
    report = holdfast.audit(
        Parts(digits_cnn, mean=0.5, std=0.5),
        (shifted, y),
        stresses="clean",
        bounds=(-1, 1),
        normalize=(0.0, 1.0),
        layout="NHWC",
        output_key="logits",
        out=tmp_path / "run",
    )
    plain = holdfast.audit(digits_cnn, (x, y), stresses=["clean"], out=tmp_path / "plain")
    found, expected = (run.cards["clean"].entry.stresses["clean"].points[0].metrics["accuracy"].value for run in (report, plain))
    assert found == expected > 0.8
    assert report.document.target.input.range == [-1.0, 1.0]


@pytest.mark.parametrize("pair", [(0.5, 0.25), ((0.5,), (0.25,)), (torch.tensor([0.5]), torch.tensor([0.25])), "0.5,1/4"])
def test_a_normalisation_is_a_pair_or_a_text(pair):
    found = read_settings(flags={"normalize": pair}).model.normalize
    assert [part.strip() for part in found.split(",")] in (["0.5", "0.25"], ["0.5", "1/4"])


def test_a_mean_for_each_channel_needs_as_many_deviations():
    with pytest.raises(InputError, match=r"`normalize` is .*allowed: a pair \(mean, std\)"):
        read_settings(flags={"normalize": ((0.1, 0.2, 0.3), 0.5)})


def test_arguments_of_a_factory_are_a_mapping_whose_none_counts(tmp_path, monkeypatch):
    (tmp_path / "widenet.py").write_text(
        "import torch\n"
        "def make(width: int = 3, bias: int | None = 5):\n"
        "    assert (width, bias) == (4, None), (width, bias)\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))\n"
    )
    monkeypatch.chdir(tmp_path)
    plan = holdfast.plan(
        "widenet.py:make", "digits", arguments={"width": 4, "bias": None}, examples=40, stresses=["clean"], allow_low_accuracy=True
    )
    assert plan.lines[0].examples == 40


def test_unlabelled_inputs_may_be_an_object_too(digits_cnn, digits_small):
    import numpy as np

    x = digits_small[0][:250].x
    of = {"stresses": ["transfer"], "settings": {"adversarial": {"transfer": {"examples": 20}}}}
    lines = [holdfast.plan(digits_cnn, digits_small[1], unlabelled=spare, **of).lines[0] for spare in (x, x.numpy())]
    assert [line.reason for line in lines] == ["", ""]
    with pytest.raises(InputError, match=r"`unlabelled` holds inputs of shape \(3,\); allowed: the examples' shape"):
        holdfast.plan(digits_cnn, digits_small[1], unlabelled=np.zeros((5, 3), dtype=np.float32), **of)


def test_a_configuration_file_is_a_parameter_and_the_call_wins(digits_cnn, tmp_path):
    file = tmp_path / "audit.toml"
    file.write_text('stresses = ["clean", "fgsm"]\nskip = ["fgsm"]\n[data]\nsource = "digits"\nexamples = 60\n')
    lines = holdfast.plan(digits_cnn, config=file, examples=50).lines
    assert [(line.stress.name, line.decision, line.examples) for line in lines] == [("clean", "run", 50), ("fgsm", "skipped", 50)]


def test_a_stress_that_is_skipped_stands_in_plan_and_report_with_the_reason(digits_cnn, digits_small, tmp_path):
    report = holdfast.audit(digits_cnn, digits_small[1], stresses=["clean", "fgsm"], skip="fgsm", examples=40, out=tmp_path)
    fgsm = report.cards["adversarial"].entry.stresses["fgsm"]
    assert (fgsm.status, fgsm.points) == ("skipped", [])
    assert fgsm.reason == "you left it out: --skip fgsm (Python: skip='fgsm')"
    assert [(entry.stress, entry.reason) for entry in report.document.skipped] == [("fgsm", fgsm.reason)]
    again = holdfast.audit(digits_cnn, digits_small[1], stresses=["clean", "fgsm"], examples=40, out=tmp_path)
    assert again.cards["adversarial"].entry.stresses["fgsm"].status == "ok"


def test_skipping_what_is_unknown_is_refused_before_anything_is_loaded():
    with pytest.raises(InputError, match=r"`skip` is 'fgsn'; allowed: .*fgsm.*Did you mean 'fgsm'\?"):
        holdfast.plan("nowhere:make", "nothing.npz", skip=["clean", "fgsn"])


def test_a_plan_is_a_table_of_text_and_a_data_frame(digits_cnn, digits_small):
    pandas = pytest.importorskip("pandas")
    plan = holdfast.plan(digits_cnn, digits_small[1], stresses=["clean", "pgd"], skip=["pgd"])
    assert ["clean", "1", str(len(digits_small[1]))] == str(plan).splitlines()[1].split()[:3]
    assert "skipped: you left it out" in str(plan)
    assert "\x1b" not in str(plan)
    frame = plan.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == ["stress", "card", "decision", "points", "examples", "queries", "seconds", "reason"]
    assert list(frame["decision"]) == ["run", "skipped"]
    assert list(frame["card"]) == ["clean", "adversarial"]


def test_a_report_gives_its_points_as_a_data_frame(audited):
    pytest.importorskip("pandas")
    frame = audited.to_frame()
    points = audited.document.points()
    assert len(frame) == len(points)
    assert list(frame.columns[:2]) == ["card", "stress"]
    pgd = frame[frame["stress"] == "fgsm"]
    measured = [point for _, stress, point in points if stress == "fgsm"]
    assert list(pgd["eps"]) == [point.at["eps"] for point in measured]
    assert list(pgd["accuracy"]) == [point.metrics["accuracy"].value for point in measured]
    assert list(pgd["accuracy_lo"]) == [point.metrics["accuracy"].lo for point in measured]
    assert list(pgd["accuracy_n"]) == [point.metrics["accuracy"].n for point in measured]
    assert set(pgd["status"]) == {"ok"}
    clean = frame[frame["stress"] == "clean"]
    assert clean["eps"].isna().all()


def test_a_stress_without_a_curve_is_refused_by_its_name(audited):
    with pytest.raises(InputError, match=r"`stress` is 'clean', which has no curve; allowed: stresses of another card"):
        audited.cards["clean"].curve("clean")


def test_a_report_prints_itself_in_a_line(audited):
    text = repr(audited)
    assert audited.document.run.name in text
    assert audited.page.as_posix() in text
    assert len(text) < 300 + len(str(audited.page))
    assert str(audited) == text


def test_a_data_frame_without_pandas_says_how_to_install_it(audited, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r'a data frame needs pandas.*pip install "holdfast\[tables\]"'):
        audited.to_frame()


@pytest.mark.parametrize(
    ("text", "eps"),
    [
        ("8/255", (8 / 255,)),
        ("0.1", (0.1,)),
        ("[2/255, 8/255]", (2 / 255, 8 / 255)),
        ("1/255,2/255", (1 / 255, 2 / 255)),
        ('["1/255", 0.5]', (1 / 255, 0.5)),
    ],
)
def test_fractions_and_single_numbers_are_lists_of_attack_sizes(text, eps, digits_cnn, digits_small):
    settings = read_settings(assignments=(f"adversarial.pgd.eps={text}", "stresses=['pgd']"))
    assert plan_audit(settings, digits_cnn, digits_small[1], progress=False).lines[0].stress.eps == eps


@pytest.mark.parametrize("value", ["None", "none", None])
def test_none_means_all_examples_wherever_it_is_written(value, digits_cnn, digits_small):
    tables = {"adversarial": {"square": {"examples": value, "queries": 10}}}
    plan = holdfast.plan(digits_cnn, digits_small[1], stresses=["square"], settings=tables)
    assert plan.lines[0].examples == len(digits_small[1])
    fewer = holdfast.plan(digits_cnn, digits_small[1], stresses=["square"])
    assert fewer.lines[0].examples < len(digits_small[1])


def test_a_none_of_a_stress_survives_the_printed_configuration(tmp_path):
    settings = read_settings(flags={"adversarial": {"square": {"examples": None}}})
    (tmp_path / "printed.toml").write_text(to_toml(settings))
    text = read_settings(tmp_path / "printed.toml").overrides()["square"]["examples"]
    assert read_value(text, int | None, "adversarial.square.examples") is None


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("adversarial.square.eps=[0.1, 0.2]", r"`adversarial.square.eps` is \[0.1, 0.2\]; allowed: a number\."),
        ("adversarial.pgd.eps=large", r"`adversarial.pgd.eps` is 'large'; allowed: numbers, one or a list of them\."),
        ("adversarial.pgd.eps=1/0", r"`adversarial.pgd.eps` is '1/0'; allowed: numbers"),
        ("adversarial.pgd.steps=2.5", r"`adversarial.pgd.steps` is 2.5; allowed: a whole number\."),
        ("adversarial.pgd.steps=true", r"`adversarial.pgd.steps` is True; allowed: a whole number\."),
        ("adversarial.pgd.steps=None", r"`adversarial.pgd.steps` is None; allowed: a whole number\."),
        ("adversarial.pgd.norm=linv", r"`adversarial.pgd.norm` is 'linv'; allowed: linf, l2, l1\. Did you mean 'linf'\?"),
        ("adversarial.pgd.norm=[1]", r"`adversarial.pgd.norm` is \[1\]; allowed: linf, l2, l1\."),
    ],
)
def test_a_value_of_another_kind_is_refused_by_the_name_of_its_setting(assignment, message):
    with pytest.raises(InputError, match=message):
        plan_audit(read_settings(assignments=(assignment,), flags={"model": {"source": "nowhere:make"}}), progress=False)


def test_settings_that_are_described_can_be_set_by_the_names_that_are_shown():
    """What `holdfast describe` prints is what `--set` takes."""
    for row in describe("square")[1]:
        card, stress, setting = row["setting"].split(".")
        assert read_settings(assignments=(f"{row['setting']}=1",)).cards == {card: {stress: {setting: 1}}}


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"bounds": "-8/255,1"}, (-8 / 255, 1.0)),
        ({"bounds": ("-1/2", "1/2")}, (-0.5, 0.5)),
        ({"bounds": [0, 255]}, (0.0, 255.0)),
    ],
)
def test_bounds_are_read_with_fractions(flags, expected):
    assert read_settings(flags=flags).model.bounds == expected


def test_an_accuracy_may_be_a_fraction():
    assert read_settings(flags={"expect_accuracy": "19/20"}).expect_accuracy == 0.95
