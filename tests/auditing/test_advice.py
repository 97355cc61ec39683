"""What a message advises works, literally, where it is read."""

import re
import shlex
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import holdfast
from holdfast.auditing.loading import load_target
from holdfast.cli.app import app
from holdfast.core.errors import InputError
from holdfast.data.own import examples_from
from holdfast.nets import Normalized

USERS = """
import torch
from torch import nn

def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, 10))

class Careful(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = net()
    def forward(self, x):
        assert 0 <= x.min() and x.max() <= 1, "inputs lie in [0, 1]"
        return self.inner(x)

class Locked(nn.Sequential):
    def __init__(self):
        import threading
        super().__init__(*net())
        self.lock = threading.Lock()

def old_norm():
    made = net()
    nn.utils.weight_norm(made[2])
    made(torch.rand(2, 64))
    return made
"""
LOW = {"allow_low_accuracy": True, "stresses": ["clean"], "examples": 60}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    (tmp_path / "users.py").write_text(USERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("users", None)


def run(*words):
    """A command in this process; gives what it refuses with, or ''."""
    try:
        app([*words], exit_on_error=False, result_action="return_value")
    except InputError as error:
        return str(error)
    return ""


def python_form(message, name):
    """The value that `message` gives for the parameter `name` in its Python form."""
    return eval(re.search(rf"\(Python: {name}=(.+?)\)(?=[ .,;:]|$)", message)[1])


def command_form(message, name):
    """The words that `message` gives for the flag `name`."""
    return shlex.split(re.search(rf"--{name}[ =]\S+", message)[0])


def test_a_missing_source_of_data_is_named_and_nothing_else(workplace):
    told = run("plan", "--model", "users.py:net")
    assert told.startswith("`data` is missing; allowed: a file, a folder")
    np.savez("test.npz", x=torch.rand(60, 64).numpy(), y=np.arange(60) % 10)
    assert run("plan", "--model", "users.py:net", "--allow-low-accuracy", *command_form(told, "data")) == ""
    with pytest.raises(InputError) as refused:
        holdfast.plan(nn.Linear(64, 10))
    assert holdfast.plan(nn.Linear(64, 10), python_form(str(refused.value), "data"), **LOW).lines[0].examples == 60


@pytest.mark.parametrize("where", ["array", "audit"])
def test_bounds_that_a_message_declares_hold_all_inputs(where):
    x, y = torch.rand(60, 5) * 4.0001 - 1.23456, torch.arange(60) % 3
    read = {
        "array": lambda bounds: examples_from((x, y), bounds=bounds),
        "audit": lambda bounds: holdfast.plan(nn.Linear(5, 3), (x, y), bounds=bounds, **LOW),
    }[where]
    with pytest.raises(InputError) as refused:
        read((0.0, 1.0))
    told = str(refused.value)
    assert "image" not in told
    assert re.search(r"--normalize mean,std \(Python: normalize=", told)
    read(python_form(told, "bounds"))


def test_untrained_weights_are_the_first_suspicion_and_the_advice_is_a_flag(workplace, digits_cnn):
    told = run("plan", "--model", "users.py:net", "--data", "digits", "--stress", "clean")
    assert told.index("--weights weights.pt") < told.index("ormalisation")
    assert "it is right on" not in told  # of another normalisation that is no better
    torch.save(fitted().state_dict(), "weights.pt")
    assert run("plan", "--model", "users.py:net", "--data", "digits", "--stress", "clean", *command_form(told, "weights")) == ""
    with pytest.raises(InputError, match=r"If its weights are not trained, load them into it first\. Or normalisation is missing"):
        holdfast.plan(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "digits", stresses=["clean"])


def fitted():
    """The users' network with the weights of the nearest class mean, right on most digits."""
    from holdfast.data import load_images

    digits = load_images("digits")
    means = torch.stack([digits.x[digits.y == label].flatten(1).mean(0) for label in range(10)])
    net = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, 10))
    with torch.no_grad():
        net[2].weight.copy_(means)
        net[2].bias.copy_(-means.square().sum(1) / 2)
    return net


def test_a_normalisation_that_does_clearly_better_is_still_named_first(digits_cnn, digits_small):
    x, y = digits_small[1].x, digits_small[1].y
    shifted = nn.Sequential(Normalized(digits_cnn, [-1.0], [2.0]))  # undoes (x - 0.5) / 0.5
    with pytest.raises(InputError, match=r"Normalisation is probably missing or applied twice: it is right on") as refused:
        holdfast.plan(shifted, (x, y), stresses=["clean"])
    holdfast.plan(shifted, (x, y), stresses=["clean"], normalize=python_form(str(refused.value), "normalize"))


def test_a_network_that_refuses_other_ranges_is_only_asked_within_its_own(workplace):
    told = run("plan", "--model", "users.py:Careful", "--data", "digits", "--stress", "clean")
    assert told.startswith("`model` is right on")
    assert run("plan", "--model", "users.py:Careful", "--data", "digits", "--stress", "clean", "--allow-low-accuracy") == ""


@pytest.mark.parametrize("flag", ["--weights", "--data", "--model"])
@pytest.mark.parametrize("name", ["m.csv.gz", "mine"])
def test_an_unknown_ending_is_named_and_never_advised(workplace, flag, name):
    (workplace / name).write_text("0")
    sources = {"--model": "users.py:net", "--data": "digits", flag: name}
    told = run("plan", *(word for pair in sources.items() for word in pair))
    assert told.startswith(f"`{flag.removeprefix('--')}` is '{name}', a file with")
    assert "Did you mean" not in told


def test_weights_of_an_unknown_ending_are_converted_as_the_message_says(workplace, monkeypatch):
    (workplace / "m.h5").write_text("0")
    told = run("plan", "--model", "users.py:net", "--data", "digits", "--weights", "m.h5")
    model = fitted()
    exec(re.search(r"`(torch\.save\(.*?\))`", told)[1], {"torch": torch, "model": model})
    assert run("plan", "--model", "users.py:net", "--data", "digits", "--stress", "clean", *command_form(told, "weights")) == ""


def test_data_of_an_unknown_ending_are_converted_as_the_message_says(workplace):
    torch.save((torch.rand(3), torch.arange(3)), "data.pt")
    told = run("plan", "--model", "users.py:net", "--data", "data.pt")
    x, y = torch.rand(60, 64).numpy(), np.arange(60) % 10
    exec(re.search(r"`(numpy\.savez\(.*?\))`", told)[1], {"numpy": np, "x": x, "y": y})
    assert run("plan", "--model", "users.py:net", "--allow-low-accuracy", *command_form(told, "data")) == ""


def test_a_folder_in_place_of_weights_names_the_files_in_it(workplace):
    (workplace / "hub").mkdir()
    torch.save(fitted().state_dict(), workplace / "hub" / "model.pt")
    told = run("plan", "--model", "users.py:net", "--data", "digits", "--weights", "hub")
    assert told == "`weights` is 'hub', which is a folder; allowed: a file that exists. In it lie hub/model.pt: pass one of these."
    words = ("plan", "--model", "users.py:net", "--data", "digits", "--stress", "clean", "--weights", "hub/model.pt")
    assert run(*words) == ""


def test_weights_in_place_of_the_network_keep_their_folder(workplace):
    (workplace / "hub").mkdir()
    torch.save(fitted().state_dict(), workplace / "hub" / "model.pt")
    told = run("plan", "--model", "hub/model.pt", "--data", "digits")
    words = ("plan", "--model", "users.py:net", "--data", "digits", "--stress", "clean")
    assert run(*words, *command_form(told, "weights")) == ""


def test_a_folder_in_place_of_the_network_asks_for_a_function(workplace):
    (workplace / "hub").mkdir()
    assert "`model` is 'hub', a folder" in (told := run("plan", "--model", "hub", "--data", "digits"))
    assert "Write a function that makes the network from it" in told


@pytest.mark.parametrize("parts", [("test",), ("train", "test")])
def test_a_root_one_level_too_high_is_said_to_be_that(workplace, parts):
    for part in parts:
        for number in range(10):
            folder = workplace / "images" / part / str(number)
            folder.mkdir(parents=True)
            for place in range(4):
                Image.fromarray(np.full((8, 8), 20 * number + place, dtype=np.uint8)).save(folder / f"{place}.png")
    told = run("plan", "--model", "users.py:net", "--data", "images")
    assert ("one class was found" if len(parts) == 1 else "2 classes were found") in told
    assert "ormalisation" not in told
    advised = re.search(r"Give (\S+?)[ .]", told)[1]
    assert run("plan", "--model", "users.py:net", "--data", advised, "--allow-low-accuracy", "--stress", "clean") == ""


def test_class_folders_may_hold_folders_of_their_own(workplace):
    for name in ("cat", "dog"):
        for view in ("front", "side"):
            folder = workplace / "pets" / name / view
            folder.mkdir(parents=True)
            Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(folder / "a.png")
    assert examples_from(workplace / "pets").class_names == ("cat", "dog")


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated")
@pytest.mark.parametrize("factory", ["old_norm", "Locked"])
def test_a_factory_that_a_message_advises_is_accepted_whatever_it_makes(workplace, factory):
    """deepcopy refuses both networks; one that a factory has just made needs no copy."""
    stresses = [word for name in ("clean", "fgsm", "weight_bits") for word in ("--stress", name)]
    words = ("audit", "--data", "digits", "--examples", "60", "--allow-low-accuracy", *stresses)
    assert run(*words, "--model", f"users.py:{factory}", "--out", factory) == ""
    statuses = {name: entry.status for _, name, entry in holdfast.Report.read(factory).document.placed_stresses()}
    assert statuses == {"clean": "ok", "fgsm": "ok", "worst_case": "ok", "weight_bits": "skipped" if factory == "Locked" else "ok"}


def test_training_mode_is_worth_a_note_only_for_a_network_that_was_handed_over_in_it(workplace):
    def notes(model):
        return [note for note in load_target(model).notes if "training mode" in note]

    assert notes("users.py:net") == []
    trained = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, 10))
    assert notes(trained.train()) == ["4 of its modules were in training mode; they are examined in evaluation mode"]
    assert notes(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).train()) == []


def test_the_last_lines_say_what_took_the_time(workplace, capsys):
    words = (
        "audit",
        "--data",
        "digits",
        "--model",
        "users.py:net",
        "--examples",
        "60",
        "--allow-low-accuracy",
        "--stress",
        "clean",
    )
    assert run(*words, "--out", "timed") == ""
    assert re.search(r"audit finished in \d+\.\d s", capsys.readouterr().out)


def test_bounds_are_finite(workplace):
    assert run("plan", "--range=-inf,inf") == "`bounds` is -inf; allowed: finite numbers."
