"""Networks of other libraries and forms, from Python and from the command line: complete, or refused with a remedy that works."""

import json
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import library_networks
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import holdfast
from holdfast.cli import main
from holdfast.core.errors import InputError

HERE = Path(__file__).parent / "library_networks.py"
STRESSES = ("clean", "pgd", "square", "weight_bits", "act_bits", "weight_noise", "activation_variation")
SETTINGS = {
    "data": {"examples": 60},
    "adversarial": {"pgd": {"steps": 3, "eps": (0.1,)}, "square": {"examples": 10, "queries": 20, "eps": 0.1}},
    "precision": {"weight_bits": {"bits": (8, 3)}, "act_bits": {"bits": (8, 3)}},
    "device": {
        "weight_noise": {"chips": 2, "sigma": (0.0, 0.1), "kinds": ("additive",)},
        "activation_variation": {"chips": 2, "spread": (0.0, 0.2)},
    },
    "run": {"threads": 1},
}
ASSIGNED = [
    f"{card}.{stress}.{name}={json.dumps(value)}"
    for card in ("adversarial", "precision", "device")
    for stress, table in SETTINGS[card].items()
    for name, value in table.items()
]
ARCHIVED = dict.fromkeys(("weight_bits", "act_bits", "weight_noise", "activation_variation"), "needs access to weights")
NO_ACTIVATION = {"activation_variation": "no activation"}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A row of the table.

    Parameters
    ----------
    make, data : functions of :mod:`library_networks`
    form : how the trained network is handed in
    options : of the audit, by name
    skipped : stresses with a part of the reason
    note : a part of one of the report's notes
    least : clean accuracy
    """

    make: str
    data: str = "digits"
    form: str = "weights"
    options: dict = field(default_factory=dict)
    skipped: dict = field(default_factory=dict)
    note: str = ""
    least: float = 0.6


BINARY = {"outputs": "binary"}
KINDS = {
    "one logit": Kind(make="one_logit", data="zeros_and_ones", options=BINARY, note="read as a logit", least=0.95),
    "one sigmoid": Kind(make="one_sigmoid", data="zeros_and_ones", options=BINARY, note="read as the probability", least=0.95),
    "probabilities": Kind(make="probabilities", note="their logarithm is taken"),
    "scripted": Kind(make="inside_lightning", form="ts", skipped=ARCHIVED, note="TorchScript is deprecated"),
    "exported": Kind(make="inside_lightning", form="pt2", skipped=ARCHIVED, note="gives gradients at most"),
    "LSTM": Kind(make="sequences", data="rows_in_time", skipped=NO_ACTIVATION),
    "Lightning module": Kind(make="lightning", form="checkpoint", note="taken from 'state_dict' of the checkpoint"),
    "network of a Lightning module": Kind(make="inside_lightning", form="checkpoint", note="'model.' was stripped"),
    "ResNet of transformers": Kind(make="resnet", note="the part 'logits' is examined"),
    "ConvNeXt of transformers": Kind(make="convnext", form="pretrained", note="the part 'logits'"),
    "ViT of transformers": Kind(make="vit", note="the part 'logits'", least=0.4),
    "PyTorch's MNIST example": Kind(
        make="mnist_example",
        data="mnist",
        options={"normalize": "0.1307,0.3081"},
        note="2 Dropout",
        least=0.8,
    ),
}
SLOW = {"ConvNeXt of transformers", "ViT of transformers", "PyTorch's MNIST example", "Lightning module"}
SLOW_COMMANDS = KINDS.keys() - {"one logit", "exported"}


def rows(slow):
    return [pytest.param(name, marks=pytest.mark.slow if name in slow else ()) for name in KINDS]


RATES, EPOCHS = {"mnist_example": 2e-3, "vit": 5e-3}, {"mnist_example": 2, "vit": 12}


def trained(make, data, *, normalize=None):
    """The network that `make` makes, trained for a second."""
    torch.manual_seed(0)
    network, train = getattr(library_networks, make)(), getattr(library_networks, data)("train")
    optimizer = torch.optim.Adam(network.parameters(), RATES.get(make, 1e-2))
    mean, std = map(float, normalize.split(",")) if normalize else (0.0, 1.0)
    for _ in range(EPOCHS.get(make, 4)):
        for batch in torch.randperm(len(train)).split(50):
            optimizer.zero_grad()
            _loss(network((train.x[batch] - mean) / std), train.y[batch]).backward()
            optimizer.step()
    return network.eval()


def _loss(answer, y):
    """The cross entropy of logits, of probabilities, or of either for one class, alone or in a container."""
    answer = answer[0] if isinstance(answer, tuple) else getattr(answer, "logits", answer)
    shares = bool((answer >= 0).all() & (answer <= 1).all())
    if answer.shape[1] == 1:
        of_one = nn.functional.binary_cross_entropy if shares else nn.functional.binary_cross_entropy_with_logits
        return of_one(answer[:, 0], y.float())
    return nn.functional.nll_loss(answer.log(), y) if shares else nn.functional.cross_entropy(answer, y)


NEEDS = {"resnet": "transformers", "convnext": "transformers", "vit": "transformers", "lightning": "pytorch_lightning"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, request):
    """For a kind: a network or a path for Python, its weights, and the word for --model."""
    made = {}

    def prepare(name, kind):
        pytest.importorskip(NEEDS.get(kind.make, "pytorch_lightning" if kind.form == "checkpoint" else "torch"))
        if kind.data == "mnist":
            request.getfixturevalue("real_data")
        if name not in made:
            folder = tmp_path_factory.mktemp("kind")
            made[name] = _files(kind, folder)
        return made[name]

    return prepare


def _files(kind, folder):
    """The trained network of `kind` as its user has it, written into `folder`."""
    address = f"{HERE}:{kind.make}"
    if kind.form == "checkpoint":
        trained_by_lightning(folder / "last.ckpt")
        return address, str(folder / "last.ckpt"), address
    network = trained(kind.make, kind.data, normalize=kind.options.get("normalize"))
    if kind.form in ("ts", "pt2"):
        path = folder / f"net.{kind.form}"
        _archived(network, path)
        return str(path), None, str(path)
    if kind.form == "pretrained":
        network.save_pretrained(folder)
        return network, str(folder / "model.safetensors"), address
    save_file(network.state_dict(), folder / "weights.safetensors")
    return network, str(folder / "weights.safetensors"), address


def _archived(network, path):
    if path.suffix == ".ts":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.script(network).save(path)
    else:
        shapes = ({0: torch.export.Dim("batch", min=1, max=4096)},)
        torch.export.save(torch.export.export(network, (torch.rand(4, 1, 8, 8),), dynamic_shapes=shapes), path)


def trained_by_lightning(path):
    """The module that a trainer has trained, and its checkpoint in `path`."""
    import pytorch_lightning

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    train = library_networks.digits("train")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network, trainer = library_networks.lightning(), pytorch_lightning.Trainer(max_epochs=4, accelerator="cpu", **quiet)
        trainer.fit(network, DataLoader(TensorDataset(train.x, train.y), batch_size=50))
        trainer.save_checkpoint(path)
    return network


def in_python(model, data, out, **options):
    return holdfast.audit(model, data, stresses=STRESSES, settings=SETTINGS, out=str(out), **options)


def on_the_command_line(model, data, out, **options):
    """The exit code of the command."""
    words = ["audit", "--model", model, "--data", data, "--examples", "60", "--threads", "1", "--out", str(out)]
    words += [word for name, value in options.items() if value is not None for word in (f"--{name.replace('_', '-')}", str(value))]
    words += [word for name in STRESSES for word in ("--stress", name)] + [word for text in ASSIGNED for word in ("--set", text)]
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


def check(found, kind):
    """A complete report with every stress measured or skipped for the reason that is known."""
    assert found["run"]["status"] == "complete"
    reasons = {entry["stress"]: entry["reason"] for entry in found["skipped"]}
    assert reasons.keys() == kind.skipped.keys()
    assert all(part in reasons[name] for name, part in kind.skipped.items())
    measured = {name: stress for card in found["cards"].values() for name, stress in card["stresses"].items()}
    assert all(measured[name]["status"] == "ok" for name in STRESSES if name not in kind.skipped)
    assert measured["clean"]["points"][0]["metrics"]["accuracy"]["value"] >= kind.least
    assert any(kind.note in note for note in found["target"]["notes"]) or not kind.note


@pytest.mark.parametrize("name", rows(SLOW))
def test_an_audit_in_python_is_complete(name, prepared, tmp_path):
    kind = KINDS[name]
    model, weights, _ = prepared(name, kind)
    given = {**kind.options, "weights": weights if isinstance(model, str) else None}
    report = in_python(model, getattr(library_networks, kind.data)(), tmp_path / "run", **given)
    assert report.exit_code == 0
    check(json.loads((tmp_path / "run" / "report.json").read_text()), kind)


@pytest.mark.parametrize("name", rows(SLOW_COMMANDS))
def test_an_audit_on_the_command_line_is_complete(name, prepared, tmp_path):
    kind = KINDS[name]
    _, weights, model = prepared(name, kind)
    assert on_the_command_line(model, f"{HERE}:{kind.data}", tmp_path / "run", weights=weights, **kind.options) == 0
    check(json.loads((tmp_path / "run" / "report.json").read_text()), kind)


@pytest.mark.slow
def test_a_lightning_module_is_audited_right_after_its_training(tmp_path):
    """Its trainer still hangs on it."""
    network = trained_by_lightning(tmp_path / "last.ckpt")
    assert in_python(network, library_networks.digits(), tmp_path / "run").exit_code == 0
    assert network.training


def test_a_network_that_names_classes_meets_the_stresses_on_weights_as_the_one_inside_does(tmp_path):
    scoring, naming = trained("flattened", "digits"), library_networks.naming()
    naming.load_state_dict(scoring.state_dict())
    one, other = (in_python(net, library_networks.digits(), tmp_path / word) for word, net in (("a", scoring), ("b", naming)))
    assert other.exit_code == 0
    reasons = {entry.stress: entry.reason for entry in other.document.skipped}
    asked = {"clean": "scores", "square": "scores", "pgd": "gradients"}
    assert reasons == {name: f"it needs {word}, and the network answers with labels" for name, word in asked.items()}
    for name in set(STRESSES) - asked.keys():
        accuracies = [[point.metrics["accuracy"].value for point in run.document.stresses()[name].points] for run in (one, other)]
        drawn = name in {"weight_noise", "activation_variation"}  # chips of a network that is wrapped otherwise are others
        assert accuracies[0] == pytest.approx(accuracies[1], abs=0.1 if drawn else 0), name
    save_file(naming.state_dict(), tmp_path / "w.safetensors")
    words = {"weights": tmp_path / "w.safetensors"}
    assert on_the_command_line(f"{HERE}:naming", f"{HERE}:digits", tmp_path / "c", **words) == 0


# --- what is refused, and what the remedy leads to ---

WRITTEN_TWICE = re.compile(r"--(?P<flag>[a-z-]+)[ =](?P<text>\S+) \(Python: (?P<name>\w+)=(?P<value>.+?)\)")
SETTINGS_THAT_HELP = {
    "one logit": ("one_logit", "zeros_and_ones", "one number per example, shape"),
    "one sigmoid": ("one_sigmoid", "zeros_and_ones", "one number per example, shape"),
    "a pair": ("pair", "digits", "returns a tuple with the parts 0, 1"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "one sigmoid" else ()) for name in SETTINGS_THAT_HELP]
)
def test_the_setting_that_a_refusal_names_completes_the_audit(name, tmp_path, capsys):
    make, data, message = SETTINGS_THAT_HELP[name]
    network = trained(make, data)
    with pytest.raises(InputError, match=message) as refusal:
        in_python(network, getattr(library_networks, data)(), tmp_path / "run")
    named = WRITTEN_TWICE.search(str(refusal.value))
    given = {named["name"]: eval(named["value"])}
    assert in_python(network, getattr(library_networks, data)(), tmp_path / "run", **given).exit_code == 0
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    words = {"weights": tmp_path / "w.safetensors"}
    assert on_the_command_line(f"{HERE}:{make}", f"{HERE}:{data}", tmp_path / "by-words", **words) == 2
    assert named[0] in " ".join(capsys.readouterr().err.split())
    words[named["flag"]] = named["text"]
    assert on_the_command_line(f"{HERE}:{make}", f"{HERE}:{data}", tmp_path / "by-words", **words) == 0


CHANGES_THAT_HELP = {
    "a forward pass that ends in squeeze": (
        ("squeezed", "digits"),
        r"\(10,\) for one example: keep the batch axis.*\.flatten\(1\)",
        ("flattened", "digits"),
    ),
    "one-hot labels": (("flattened", "one_hot"), r"Convert one-hot rows with \.argmax\(1\)", ("flattened", "one_label")),
    "several labels": (("flattened", "several_labels"), "Several labels per example are not supported, because", None),
}


@pytest.mark.slow
def test_weights_that_transformers_wrote_under_other_names_are_refused_and_the_remedy_works(tmp_path, capsys):
    """A transformer for images is stored under the names of an earlier version."""
    trained("vit", "digits").save_pretrained(tmp_path)
    words = {"weights": tmp_path / "model.safetensors"}
    assert on_the_command_line(f"{HERE}:vit", f"{HERE}:digits", tmp_path / "run", **words) == 2
    said = " ".join(capsys.readouterr().err.split())
    expression = re.search(r"return (ViTForImageClassification\.from_pretrained\(.+?\)) without --weights", said)[1]
    code = f"from transformers import ViTForImageClassification\n\ndef make():\n    return {expression}\n"
    (tmp_path / "from_transformers.py").write_text(code)
    assert on_the_command_line(str(tmp_path / "from_transformers.py:make"), f"{HERE}:digits", tmp_path / "run") == 0


@pytest.mark.slow
def test_an_exported_network_of_transformers_is_refused_and_the_remedy_works(tmp_path, capsys):
    """The answer of the program is an object of that library."""
    network = trained("resnet", "digits")
    _archived(network, tmp_path / "whole.pt2")
    assert on_the_command_line(str(tmp_path / "whole.pt2"), f"{HERE}:digits", tmp_path / "run") == 2
    assert "Let the network return a tensor, a tuple or a dictionary, e.g. its logits" in " ".join(capsys.readouterr().err.split())
    _archived(Logits(network), tmp_path / "logits.pt2")
    assert on_the_command_line(str(tmp_path / "logits.pt2"), f"{HERE}:digits", tmp_path / "run") == 0


class Logits(nn.Module):
    """The logits alone."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x).logits


@pytest.mark.parametrize("name", CHANGES_THAT_HELP)
def test_the_change_that_a_refusal_names_completes_the_audit(name, tmp_path, capsys):
    before, message, after = CHANGES_THAT_HELP[name]
    save_file(trained("flattened", "digits").state_dict(), tmp_path / "w.safetensors")
    for (make, data), code in ((before, 2), *([(after, 0)] if after else [])):
        words = {"weights": tmp_path / "w.safetensors"}
        assert on_the_command_line(f"{HERE}:{make}", f"{HERE}:{data}", tmp_path / "run", **words) == code
        if code:
            assert re.search(message, " ".join(capsys.readouterr().err.split()))
