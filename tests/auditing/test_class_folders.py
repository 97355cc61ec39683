"""Folders of images against a network: which folder is which output, and what is said where that is unknown."""

import json
import shlex
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from holdfast.auditing import audit
from holdfast.auditing.loading.naming import names_in_network, names_in_weights
from holdfast.core.errors import InputError

COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0), "yellow": (255, 255, 0)}
NAMES = tuple(COLOURS)
QUICK = {"preset": "quick", "stresses": ["clean"]}


class Colours(nn.Module):
    """A network that names the colour of an image, in the order of `names`."""

    def __init__(self, names=NAMES):
        super().__init__()
        aims = torch.tensor([COLOURS[name] for name in names], dtype=torch.float32) / 255
        self.answer = nn.Linear(3, len(names))
        self.answer.weight = nn.Parameter(8 * aims)
        self.answer.bias = nn.Parameter(-4 * (aims**2).sum(1))

    def forward(self, x):
        return self.answer(x.mean((2, 3)))


def paint(root, names=NAMES, *, each=12, ending="png"):
    generator = np.random.default_rng(0)
    for name in names:
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(each):
            pixels = np.clip(np.array(COLOURS[name.lower()]) + generator.integers(-30, 31, (6, 6, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.{ending}")
    return root


def accuracy(report):
    return report.cards["clean"].entry.stresses["clean"].points[0].metrics["accuracy"].value


def details(report):
    return report.cards["clean"].entry.stresses["clean"].points[0].details


@pytest.fixture
def lacking(tmp_path):
    """A test set in which the class green has no folder."""
    return paint(tmp_path / "colours", ("blue", "red", "yellow"))


def test_a_missing_class_folder_is_refused_and_not_a_shift_of_all_later_labels(lacking, tmp_path):
    with pytest.raises(
        InputError,
        match=r"has 3 classes, .* the network has 4 outputs.*--classes names\.txt.*empty folder",
    ):
        audit(Colours(), str(lacking), out=str(tmp_path / "run"), **QUICK)


@pytest.mark.parametrize("form", ["sequence", "file"])
def test_names_say_which_folder_is_which_output(lacking, tmp_path, form):
    (tmp_path / "names.txt").write_text("blue\ngreen\nred\nyellow\n\n", encoding="utf-8")
    names = list(NAMES) if form == "sequence" else str(tmp_path / "names.txt")
    report = audit(Colours(), str(lacking), classes=names, out=str(tmp_path / "run"), **QUICK)
    assert accuracy(report) == 1
    assert report.document.target.class_names == list(NAMES)
    assert any("hold examples of 3 classes" in note for note in report.document.target.notes)


def test_an_empty_folder_keeps_the_number_of_its_class(lacking, tmp_path):
    (lacking / "green").mkdir()
    report = audit(Colours(), str(lacking), out=str(tmp_path / "run"), **QUICK)
    assert accuracy(report) == 1
    assert any("keep their number: green" in note for note in report.document.target.notes)


def test_names_that_the_network_holds_are_used_and_that_is_noted(lacking, tmp_path):
    network = Colours(NAMES[::-1])
    network.classes = list(NAMES[::-1])
    report = audit(network, str(lacking), out=str(tmp_path / "run"), **QUICK)
    assert accuracy(report) == 1
    assert any("matched by their names to the 4 that the network holds" in note for note in report.document.target.notes)


def test_names_in_another_case_or_with_another_hyphen_are_the_same(tmp_path):
    folder = paint(tmp_path / "colours", ("Blue", "RED"))
    report = audit(Colours(), str(folder), classes=NAMES, out=str(tmp_path / "run"), **QUICK)
    assert accuracy(report) == 1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("blue", "green", "rad", "yellow"), r"`classes` lacks 'red', which is a class of the data.*Did you mean 'rad'"),
        ((*NAMES, "violet"), r"holds 5 names and the network has 4 outputs"),
        (("red", "red", "blue", "yellow"), r"holds 'red' more than once"),
        (("blue",), r"holds 1 names"),
        ("absent.txt", r"'absent.txt', and there is no such file"),
    ],
)
def test_names_that_do_not_fit_are_refused(lacking, tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        audit(Colours(), str(lacking), classes=names, out=str(tmp_path / "run"), **QUICK)


def test_a_data_set_of_folders_is_held_to_the_same(tmp_path):
    class FolderSet(torch.utils.data.Dataset):
        """What torchvision's ImageFolder looks like."""

        def __init__(self):
            self.classes = ["blue", "red"]
            self.class_to_idx = {"blue": 0, "red": 1}
            self.targets = [0, 1] * 12
            self.samples = [(f"{label}.png", label) for label in self.targets]

        def __len__(self):
            return len(self.targets)

        def __getitem__(self, row):
            label = self.targets[row]
            return torch.tensor(COLOURS[self.classes[label]])[:, None, None].expand(3, 4, 4) / 255, label

    with pytest.raises(InputError, match="2 classes, numbered by their sorted names, and the network has 4 outputs"):
        audit(Colours(), FolderSet(), out=str(tmp_path / "run"), **QUICK)
    assert accuracy(audit(Colours(), FolderSet(), classes=NAMES, out=str(tmp_path / "run"), **QUICK)) == 1


def test_arrays_take_names_for_their_numbers(tmp_path):
    x = torch.tensor([COLOURS[name] for name in NAMES] * 8)[:, :, None, None].expand(-1, 3, 4, 4) / 255
    report = audit(Colours(), (x, torch.arange(4).repeat(8)), classes=NAMES, out=str(tmp_path / "run"), **QUICK)
    assert (accuracy(report), report.document.target.class_names) == (1, list(NAMES))


def test_one_missing_class_does_not_remove_the_table_of_classes(lacking, tmp_path):
    report = audit(Colours(), str(lacking), classes=NAMES, out=str(tmp_path / "run"), **QUICK)
    found = details(report).per_class
    assert [entry.value for entry in found] == [1, None, 1, 1]
    assert [entry.n for entry in found] == [12, 0, 12, 12]
    assert "Accuracy of each class" in report.page.read_text(encoding="utf-8")


def test_files_of_all_common_endings_are_read_and_others_counted(lacking, tmp_path):
    for ending in ("bmp", "webp", "tiff", "JPG", "PNG"):
        Image.new("RGB", (6, 6), COLOURS["red"]).save(lacking / "red" / f"more.{ending}")
    (lacking / "red" / "notes.txt").write_text("no image")
    Image.new("P", (6, 6)).save(lacking / "red" / "moving.gif")
    (lacking / "green").mkdir()
    report = audit(Colours(), str(lacking), out=str(tmp_path / "run"), **QUICK)
    assert report.document.data.total == 36 + 5
    assert accuracy(report) == 1
    [note] = [note for note in report.document.target.notes if "left out" in note]
    assert "2 files in the class folders were left out (1 .gif, 1 .txt; the first is red/moving.gif)" in note


def test_the_command_line_takes_names_and_the_report_repeats_them(lacking, tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "class Colours(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        aims = torch.tensor([[0., 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 0]])\n"
        "        return 8 * x.mean((2, 3)) @ aims.T - 4 * (aims**2).sum(1)\n"
    )
    (tmp_path / "names.txt").write_text("blue\ngreen\nred\nyellow\n")
    words = "audit --model net.py:Colours --data colours --stress clean --out run"
    command = [sys.executable, "-m", "holdfast", *shlex.split(words)]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "--classes names.txt" in " ".join((refused.stdout + refused.stderr).split())
    assert subprocess.run([*command, "--classes", "names.txt"], cwd=tmp_path, capture_output=True, check=False).returncode == 0
    written = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert written["target"]["class_names"] == list(NAMES)
    assert "--classes names.txt" in written["run"]["command"]


# --- names that a network holds ---


@pytest.mark.parametrize(
    ("attribute", "value", "names"),
    [
        ("classes", ["ant", "bee"], ("ant", "bee")),
        ("class_names", ("ant", "bee"), ("ant", "bee")),
        ("categories", {0: "ant", 1: "bee"}, ("ant", "bee")),
        ("weights", SimpleNamespace(meta={"categories": ["ant", "bee"]}), ("ant", "bee")),
        ("config", SimpleNamespace(id2label={1: "bee", 0: "ant"}), ("ant", "bee")),
        ("config", SimpleNamespace(id2label={0: "LABEL_0", 1: "LABEL_1"}), ()),
        ("classes", 10, ()),
        ("classes", [0, 1], ()),
        ("classes", {0: "ant", 2: "bee"}, ()),
        ("categories", ["ant"], ()),
    ],
)
def test_names_are_found_where_libraries_keep_them(attribute, value, names):
    network = nn.Linear(2, 2)
    setattr(network, attribute, value)
    assert names_in_network(nn.Sequential(nn.Flatten(), network)) == names


def test_names_are_found_beside_the_weights(tmp_path):
    from safetensors.torch import save_file

    state = nn.Linear(2, 2).state_dict()
    save_file(state, tmp_path / "named.safetensors", metadata={"classes": json.dumps(["ant", "bee"])})
    save_file(state, tmp_path / "plain.safetensors")
    torch.save({"state_dict": state, "class_names": ["ant", "bee"]}, tmp_path / "named.pt")
    torch.save(state, tmp_path / "plain.pt")
    found = {path.name: names_in_weights(path) for path in tmp_path.iterdir()}
    assert found == {"named.safetensors": ("ant", "bee"), "named.pt": ("ant", "bee"), "plain.safetensors": (), "plain.pt": ()}
