"""An audit takes inputs of any rank and kind, by the command line and from Python, and every stress measures or says why not."""

import io
import json
from contextlib import chdir, redirect_stderr, redirect_stdout

import numpy as np
import pandas as pd
import pytest
import torch
from input_kinds import FACTORS, make_case
from safetensors.torch import save_file

import holdfast
from holdfast.auditing.stresses import BUILT_IN
from holdfast.cli import main
from holdfast.core.errors import InputError

SMALL = """
[adversarial.pgd]
steps = 3
[adversarial.square]
examples = 10
queries = 10
[adversarial.hopskipjump]
examples = 4
queries = 60
[adversarial.masking]
examples = 20
steps = 3
queries = 10
[device.weight_noise]
chips = 2
[device.activation_variation]
chips = 2
[run]
threads = 1
"""
ROWS = """
import numpy as np
import torch
from kinds import Reader
from torch import nn
from torch.utils.data import Dataset


class Rows(Dataset):
    def __init__(self):
        with np.load("tokens.npz") as held:
            self.ids, self.labels = torch.from_numpy(held["x"]), torch.from_numpy(held["y"])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, place):
        mask = (torch.arange(8) < 5).long()
        return {"input_ids": self.ids[place] * mask, "attention_mask": mask, "labels": self.labels[place], "text": "..."}


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.reader = Reader()

    def forward(self, input_ids, attention_mask):
        assert set(attention_mask.flatten().tolist()) == {0, 1}
        kept = attention_mask[..., None].float()
        words = (self.reader.words(input_ids) * kept).sum(1) / kept.sum(1)
        return {"loss": None, "logits": self.reader.head(self.reader.act(self.reader.hidden(words)))}
"""
KINDS = ("table", "signal", "sequence", "volume", "grey", "tokens")
FLAGS = {"grey": ("--layout", "NHW")}
GRADIENTS = {"fgsm", "pgd", "masking"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("kinds")
    (place / "small.toml").write_text(SMALL)
    return place


@pytest.fixture(scope="module")
def cases(folder):
    return {kind: make_case(kind, folder) for kind in KINDS}


def command(*words, folder):
    """The exit code and the words of a command, run in `folder`."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(folder), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ending:
        main([*map(str, words)])
    return ending.value.code, out.getvalue() + err.getvalue()


def audited(case, *words):
    """The report of a whole audit on the command line."""
    out = case.folder / "runs" / case.kind
    code, said = command("audit", *case.model_words, "-c", "small.toml", *words, "--out", out, "--fresh", folder=case.folder)
    assert code in {0, 1}, said
    report = json.loads((out / "report.json").read_text())
    check_whole(report)
    return report


def stresses_of(report):
    return {name: stress for card in report["cards"].values() for name, stress in card["stresses"].items()}


def check_whole(report):
    """Nothing crashed, and what is left out says why."""
    assert report["run"]["status"] == "complete"
    stresses = stresses_of(report)
    left_out = {entry["stress"]: entry["reason"] for entry in report["skipped"]}
    assert {name for name, stress in stresses.items() if stress["status"] == "skipped"} == set(left_out)
    assert all(left_out.values())
    assert {stress["status"] for stress in stresses.values()} <= {"ok", "skipped"}
    assert stresses["clean"]["points"][0]["metrics"]["accuracy"]["value"] > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_line_audits_every_kind_of_inputs(cases, kind):
    report = audited(cases[kind], "--data", cases[kind].npz, *FLAGS.get(kind, ()))
    left_out = {entry["stress"]: entry["reason"] for entry in report["skipped"]}
    expected = {"corruptions", "resolution"} if kind != "grey" else set()
    if kind == "tokens":
        expected |= {*GRADIENTS, "square", "hopskipjump"}
        assert {left_out[name] for name in GRADIENTS} == {"its inputs are integers (token ids), which have no gradient"}
        assert "cannot be changed by small steps" in left_out["square"]
    assert set(left_out) == expected
    assert all("images" in left_out[name] for name in expected & {"corruptions", "resolution"})
    assert report["target"]["input"]["shape"] == ([1, 10, 10] if kind == "grey" else list(cases[kind].x.shape[1:]))


@pytest.mark.parametrize("kind", KINDS)
def test_python_audits_every_kind_of_inputs(cases, kind, tmp_path):
    case = cases[kind]
    options = {"layout": "NHW"} if kind == "grey" else {}
    stresses = ["clean", "fgsm", "weight_bits", "act_bits"]
    report = holdfast.audit(case.network(), (case.x, case.y), stresses=stresses, out=tmp_path, **options)
    check_whole(json.loads(report.to_json()))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_stresses_of_a_thorough_audit_measure_every_kind_of_inputs(cases, kind):
    """Also those that a quick audit leaves out."""
    limits = ("adversarial.apgd.steps=3", "adversarial.transfer.queries=50", "adversarial.transfer.examples=20")
    words = [part for limit in limits for part in ("--set", limit)]
    named = [part for stress in BUILT_IN for part in ("--stress", stress)]
    source = cases[kind].npz
    spare = ("--unlabelled", source)
    report = audited(cases[kind], "--data", source, *FLAGS.get(kind, ()), *words, *named, *spare)
    assert set(BUILT_IN) <= set(stresses_of(report))


# --- tables ---


def test_attack_sizes_of_a_table_are_in_spreads_of_each_feature(cases):
    report = audited(cases["table"], "--data", cases["table"].npz, "--stress", "fgsm", "--stress", "clean")
    points = stresses_of(report)["fgsm"]["points"]
    assert [point["at"]["eps"] for point in points] == [0, 0.1, 0.25, 0.5, 1]
    assert any("in units of each feature's spread" in note for note in report["target"]["notes"])
    assert report["target"]["input"]["unit"] == "spreads of each feature"


def test_the_unit_of_a_feature_does_not_change_the_audit_of_a_table(cases, tmp_path):
    """Metres or millimetres: the same network gives the same accuracy under attack."""
    case = cases["table"]
    figures = []
    for factor in (torch.ones(5), 1 / FACTORS):
        net = case.network()
        net.mean, net.std = net.mean * factor, net.std * factor
        report = holdfast.audit(net, (case.x * factor, case.y), stresses=["pgd"], out=tmp_path / str(float(factor[1])))
        figures.append([point.metrics["accuracy"].value for point in report.document.stresses()["pgd"].points])
    assert figures[0] == figures[1]
    assert figures[0][-1] < figures[0][0]


def test_a_declared_range_keeps_a_table_in_its_own_units(cases):
    report = audited(cases["table"], "--data", cases["table"].npz, "--range=-1e6,1e6", "--stress", "fgsm", "--stress", "clean")
    assert report["target"]["input"] == {"shape": [5], "range": [-1e6, 1e6], "unit": "input units"}


def test_a_table_that_the_network_needs_normalised_is_refused_with_the_words_that_mend_it(cases):
    case = cases["table"]
    bare = ("--model", "bare.py:bare", "--weights", "bare.safetensors", "--data", case.npz)
    (case.folder / "bare.py").write_text("from kinds import table\n\n\ndef bare():\n    return table().model\n")
    save_file(case.network().model.state_dict(), case.folder / "bare.safetensors")
    code, said = command("audit", *bare, folder=case.folder)
    assert code == 2
    assert "Normalisation is probably missing" in said
    advice = next(word for word in said.split() if word.startswith("--normalize="))
    code, said = command("plan", *bare, advice, folder=case.folder)
    assert code == 0, said


# --- other ranks ---


def test_the_range_of_a_signal_is_what_is_observed_and_the_note_says_so(cases):
    case = cases["signal"]
    report = audited(case, "--data", case.npz, "--stress", "clean")
    assert report["target"]["input"]["range"] == pytest.approx([float(case.x.min()), float(case.x.max())])
    assert any("declares another range" in note for note in report["target"]["notes"])


@pytest.mark.parametrize(
    ("kind", "moved", "layout"), [("signal", lambda x: x.transpose(1, 2), "NLC"), ("grey", lambda x: x, "NHW")]
)
def test_a_refused_order_of_axes_is_refused_with_the_layout_that_works(cases, kind, moved, layout):
    case = cases[kind]
    np.savez(case.folder / "moved.npz", x=moved(case.x).numpy(), y=case.y.numpy())
    code, said = command("plan", *case.model_words, "--data", "moved.npz", folder=case.folder)
    said = " ".join(said.split())
    assert code == 2
    assert f"The network takes them with --layout {layout} (Python: layout='{layout}')" in said
    code, said = command("plan", *case.model_words, "--data", "moved.npz", "--layout", layout, folder=case.folder)
    assert code == 0, said


# --- token ids ---


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.uint8])
def test_token_ids_of_another_type_are_given_to_the_network_as_integers(cases, tmp_path, kind):
    case = cases["tokens"]
    report = holdfast.audit(case.network(), (case.x.to(kind), case.y), stresses=["clean", "pgd", "weight_noise"], out=tmp_path)
    assert report.document.run.status == "complete"
    assert {entry.stress for entry in report.document.skipped} == {"pgd"}
    assert any("they are token ids" in note for note in report.document.target.notes)


def test_no_token_outside_of_the_data_is_tried(cases, tmp_path):
    case = cases["tokens"]

    class Strict(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = case.network()

        def forward(self, ids):
            assert 0 <= int(ids.min()) <= int(ids.max()) <= 59, "out of vocabulary"
            return self.net(ids)

    for ids in (case.x, case.x.float()):
        report = holdfast.audit(Strict(), (ids, case.y), out=tmp_path / str(ids.dtype))
        assert report.document.run.status == "complete"


def test_integers_for_a_network_of_floats_are_features(cases, tmp_path):
    case = cases["table"]
    whole = case.x.round().long()
    report = holdfast.audit(case.network(), (whole, case.y), stresses=["clean", "fgsm"], out=tmp_path)
    assert not report.document.skipped
    assert any("not token ids" in note for note in report.document.target.notes)


# --- files of tables ---


@pytest.fixture(scope="module")
def tabled(cases):
    """The table as CSV, with its labels as texts, and as Parquet, with numbers in a column y."""
    case = cases["table"]
    frame = pd.DataFrame(case.x.double().numpy(), columns=["length", "mass", "share", "count", "price"])
    frame.assign(kind=np.array(["ant", "bee", "cow"])[case.y]).to_csv(case.folder / "table.csv")
    frame.assign(y=case.y.numpy()).to_parquet(case.folder / "table.parquet")
    return case


@pytest.mark.parametrize("source", ["table.csv", "table.parquet"])
def test_the_command_line_audits_the_file_of_a_table(tabled, source):
    named = ("--label-column", "kind") if source.endswith("csv") else ()
    report = audited(tabled, "--data", source, *named)
    notes = report["target"]["notes"]
    assert any("in units of each feature's spread" in note for note in notes)
    assert any(note.endswith("length, mass, share, count, price") for note in notes)
    assert {entry["stress"] for entry in report["skipped"]} == {"corruptions", "resolution"}
    assert report["target"]["class_names"] == (["ant", "bee", "cow"] if named else ["0", "1", "2"])
    assert "--label-column kind" in report["run"]["command"] or not named


def test_classes_in_another_order_than_their_sorted_names_are_refused_with_the_order_that_mends_it(tabled):
    frame = pd.read_csv(tabled.folder / "table.csv", index_col=0)
    frame["kind"] = frame["kind"].map({"ant": "zebra", "bee": "yak", "cow": "emu"})
    frame.to_csv(tabled.folder / "others.csv", index=False)
    words = ("plan", *tabled.model_words, "--data", "others.csv", "--label-column", "kind")
    code, said = command(*words, folder=tabled.folder)
    said = " ".join(said.split())
    assert code == 2
    assert "numbered by their sorted names (emu, yak, zebra)" in said
    assert "In the order zebra, yak, emu it is right on " in said
    assert "give this order, one name in a line, by --classes names.txt" in said
    (tabled.folder / "names.txt").write_text("zebra\nyak\nemu\n")
    code, said = command(*words, "--classes", "names.txt", folder=tabled.folder)
    assert code == 0, said


def test_a_class_that_a_table_lacks_is_not_numbered_by_guess(tabled, tmp_path):
    frame = pd.read_csv(tabled.folder / "table.csv", index_col=0)
    few = frame[frame["kind"] != "ant"]
    with pytest.raises(InputError, match=r"has 2 classes, numbered by .* and the network has 3 outputs.*--classes"):
        holdfast.audit(tabled.network(), few, label_column="kind", out=tmp_path)
    options = {"label_column": "kind", "classes": ["ant", "bee", "cow"], "stresses": ["clean"]}
    assert holdfast.audit(tabled.network(), few, out=tmp_path, **options).document.run.status == "complete"


def test_columns_in_another_order_are_suspected_and_their_own_order_mends_it(tabled):
    frame = pd.read_parquet(tabled.folder / "table.parquet")
    options = {"label_column": "y", "stresses": ["clean"], "expect_accuracy": 0.9}
    suspected = r"Or the columns \(price, count, share, mass \.\.\.\) stand in another order than the network's inputs, or norm"
    with pytest.raises(InputError, match=suspected):
        holdfast.plan(tabled.network(), frame[[*reversed(frame.columns[:-1]), "y"]], **options)
    assert holdfast.plan(tabled.network(), frame, **options).accuracy.value > 0.85


def test_the_plan_says_the_units_of_a_table(tabled):
    words = ("plan", *tabled.model_words, "--data", "table.csv", "--label-column", "kind")
    code, said = command(*words, folder=tabled.folder)
    assert code == 0
    assert "attack sizes (eps) are in units of each feature's spread" in " ".join(said.split())


def test_a_run_on_a_table_is_resumed(tabled):
    out = tabled.folder / "runs" / "resumed"
    words = ("audit", *tabled.model_words, "--data", "table.csv", "--label-column", "kind", "--stress", "pgd", "--out", out)
    assert command(*words, folder=tabled.folder)[0] == 0
    (out / "report.json").unlink()
    code, said = command("resume", out, folder=tabled.folder)
    assert code == 0, said
    report = json.loads((out / "report.json").read_text())
    check = [point["at"]["eps"] for point in stresses_of(report)["pgd"]["points"]]
    assert check == [0, 0.1, 0.25, 0.5, 1]
    assert report["target"]["input"]["unit"] == "spreads of each feature"


def test_unlabelled_rows_of_a_table_are_read_by_the_names_of_their_columns(tabled, tmp_path):
    frame = pd.read_csv(tabled.folder / "table.csv", index_col=0)
    more = pd.concat([frame] * 2)
    mixed = more[["kind", *reversed(frame.columns[:-1])]]
    figures = []
    more.to_csv(tmp_path / "same.csv", index=False)
    mixed.to_csv(tmp_path / "mixed.csv", index=False)
    for name, spare in (("same", str(tmp_path / "same.csv")), ("mixed", str(tmp_path / "mixed.csv")), ("frame", mixed)):
        settings = {"adversarial": {"transfer": {"queries": 300, "examples": 40, "steps": 5}}}
        options = {"label_column": "kind", "unlabelled": spare, "settings": settings}
        report = holdfast.audit(tabled.network(), frame, stresses=["transfer"], out=tmp_path / name, **options)
        figures.append(report.document.stresses()["transfer"].points[0].metrics["agreement"].value)
    assert figures[0] == figures[1] == figures[2]
    mixed.drop(columns="mass").to_csv(tmp_path / "less.csv", index=False)
    with pytest.raises(InputError, match="`unlabelled` lacks the columns 'mass'"):
        holdfast.audit(tabled.network(), frame, label_column="kind", unlabelled=str(tmp_path / "less.csv"), out=tmp_path / "less")


def test_the_same_table_gives_the_same_figures_whatever_its_form(tabled, tmp_path):
    frame = pd.read_csv(tabled.folder / "table.csv", index_col=0)
    sources = {
        "csv": (str(tabled.folder / "table.csv"), {"label_column": "kind"}),
        "frame": (frame, {"label_column": "kind"}),
        "pair": ((frame.drop(columns="kind"), frame["kind"]), {}),
        "arrays": ((tabled.x, tabled.y), {}),
    }
    figures = {}
    for name, (source, options) in sources.items():
        report = holdfast.audit(tabled.network(), source, stresses=["fgsm"], out=tmp_path / name, **options)
        figures[name] = [point.metrics["accuracy"].value for point in report.document.stresses()["fgsm"].points]
    assert len({tuple(values) for values in figures.values()}) == 1


def test_a_table_within_0_and_1_is_in_spreads_too(tmp_path, cases):
    """Shares of two features of which one varies a hundred times as much: a common size would mean nothing for one of them."""
    y = torch.arange(90) % 3
    x = torch.stack([0.5 + 0.001 * (y - 1), 0.5 + 0.1 * torch.rand(90, generator=torch.Generator().manual_seed(0))], 1)
    frame = pd.DataFrame(x.double().numpy(), columns=["narrow", "wide"]).assign(y=y.numpy())
    net = torch.nn.Linear(2, 3)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[-1e4, 0.0], [0.0, 0.0], [1e4, 0.0]]))
        net.bias.copy_(torch.tensor([0.5e4 - 5, 0.0, -0.5e4 - 5]))
    report = holdfast.audit(net, frame, stresses=["fgsm"], out=tmp_path)
    values = [point.metrics["accuracy"].value for point in report.document.stresses()["fgsm"].points]
    assert values[:3] == [1, 1, 1]  # half of the distance of the classes is 0.61 spreads
    assert values[-1] < 0.5


# --- rows with named parts ---


def test_the_command_line_audits_rows_that_are_dicts(cases):
    case = cases["tokens"]
    assert case.npz.exists()
    (case.folder / "rows.py").write_text(ROWS)
    state = {f"reader.{name}": value for name, value in case.network().state_dict().items()}
    save_file(state, case.folder / "masked.safetensors")
    words = ("--model", "rows.py:Masked", "--weights", "masked.safetensors", "--data", "rows.py:Rows", "-c", "small.toml")
    code, said = command("audit", *words, "--out", "runs/rows", folder=case.folder)
    assert code in {0, 1}, said
    report = json.loads((case.folder / "runs/rows/report.json").read_text())
    check_whole(report)
    notes = report["target"]["notes"]
    assert "of each row the network gets 'input_ids' and 'attention_mask', and 'labels' is the label; 'text' is not used" in notes
    assert "the network is handed input_ids and attention_mask" in notes
    assert "pgd" in {entry["stress"] for entry in report["skipped"]}


def test_the_key_of_the_input_and_of_the_label_are_settings(cases, tmp_path):
    case = cases["grey"]
    rows = [{"left": x[None], "right": 0 * x[None], "kind": int(y)} for x, y in zip(case.x, case.y, strict=True)]
    with pytest.raises(InputError, match=r"--label-column kind \(Python: label_column='kind'\)"):
        holdfast.audit(case.network(), rows, stresses=["clean"], out=tmp_path)
    with pytest.raises(InputError, match=r"--input-key left \(Python: input_key='left'\)"):
        holdfast.audit(case.network(), rows, stresses=["clean"], out=tmp_path, label_column="kind")
    report = holdfast.audit(case.network(), rows, stresses=["clean"], out=tmp_path, label_column="kind", input_key="left")
    check_whole(json.loads(report.to_json()))


def test_a_network_that_takes_no_mask_is_given_none(cases, tmp_path):
    case = cases["tokens"]
    rows = [{"input_ids": x, "attention_mask": torch.ones_like(x), "labels": y} for x, y in zip(case.x, case.y, strict=True)]
    report = holdfast.audit(case.network(), rows, stresses=["clean", "weight_bits"], out=tmp_path)
    assert "the network is handed input_ids; it takes no attention_mask" in report.document.target.notes


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:.*lie outside modules")
@pytest.mark.parametrize("kind", ["text", "image"])
def test_networks_of_transformers_are_audited_with_rows_as_they_take_them(cases, kind, tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    if kind == "text":
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 60}
        net = transformers.BertForSequenceClassification(transformers.BertConfig(**sizes, num_labels=3))
        case = cases["tokens"]
        parts = [{"input_ids": x, "attention_mask": torch.ones_like(x)} for x in case.x]
    else:
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        config = transformers.ViTConfig(**sizes, image_size=10, patch_size=5, num_channels=1, num_labels=3)
        net, case = transformers.ViTForImageClassification(config), cases["grey"]
        parts = [{"pixel_values": x[None]} for x in case.x]
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    batch = {name: torch.stack([row[name] for row in parts]) for name in parts[0]}
    for _ in range(40):
        optimizer.zero_grad()
        net(**batch, labels=case.y).loss.backward()
        optimizer.step()
    rows = [{**row, "labels": y} for row, y in zip(parts, case.y, strict=True)]
    stresses = ["clean", "pgd", "weight_bits", "weight_noise", "activation_variation"]
    report = holdfast.audit(net.eval(), rows, stresses=stresses, out=tmp_path)
    check_whole(json.loads(report.to_json()))
