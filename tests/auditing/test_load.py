"""A user's network and data are taken in every form that is named, unchanged, and refused in words that help."""

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from holdfast.auditing.loading.data import load_data, load_inputs
from holdfast.auditing.loading.normalisation import parse_normalisation
from holdfast.auditing.loading.target import load_target
from holdfast.auditing.loading.weights import named_globals
from holdfast.core.errors import DataUnavailableError, InputError, UnsafePickleError
from holdfast.data import load_images
from holdfast.nets import fit, mlp, weights_digest

USER_CODE = """
import os
from pathlib import Path
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, hidden: int = 16, classes: int = 10):
        super().__init__()
        self.fc1, self.head = nn.Linear(64, hidden), nn.Linear(hidden, classes)
    def forward(self, x):
        return self.head(self.fc1(x.flatten(1)).relu())

def make(hidden: int = 16, *, scale: float = 1.0, deep: bool = False, rates: tuple[float, ...] = (), name: str = "net",
         seed: int | None = None, where: Path = Path(".")):
    net = Net(hidden)
    net.given = (hidden, scale, deep, rates, name, seed, where)
    return net

def untyped(hidden=16, rate=None, **rest):
    net = Net(hidden)
    net.given = (hidden, rate, rest)
    return net

def needy(width: int):
    return Net(width)

def broken():
    raise ValueError("no such dataset split")

def leaving():
    raise SystemExit(3)

def pair():
    return Net(), 3

def number():
    return 3

def predict(x):
    return torch.eye(10)[x.flatten(1).sum(1).long() % 10]

def opaque(layer: nn.Module):
    return layer

def arrays():
    return torch.zeros(4, 1, 8, 8), torch.tensor([0, 1, 0, 1])

def bad_rows():
    yield torch.zeros(1, 8, 8), 0
    raise KeyError("image 1")

net = Net()
rows = [(torch.zeros(1, 8, 8), 0), (torch.ones(1, 8, 8), 1)]
answer = 42
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's folder with a module in it, which they stand in; their modules are forgotten afterwards."""
    (tmp_path / "usernet.py").write_text(USER_CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(scope="module")
def digits():
    return load_images("digits", "test")


@pytest.fixture(scope="module")
def net():
    """A network that has learned scikit-learn's digits."""
    trained = mlp(64, hidden=(32,))
    fit(trained, load_images("digits"), epochs=4, lr=2e-2)
    return trained


class Foreign(tuple):
    """A harmless type that no tensors-only reader knows."""

    __slots__ = ()


def logits(model, x):
    with torch.no_grad():
        return model.eval()(x)


class Payload:
    """What unpickling must never run: it would create a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


# --- the forms of a network ---


def test_a_module_is_copied_and_stays_as_it_was(digits):
    own = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10)).train()
    own[2].weight.requires_grad_(False)
    before = weights_digest(own)
    loaded = load_target(own)
    with torch.no_grad():
        loaded.target.module[2].weight.zero_()
    assert weights_digest(own) == before
    assert own.training
    assert own[1].training
    assert not own[2].weight.requires_grad
    assert not any(module.training for module in loaded.target.module.modules())
    assert loaded.target.access == "weights"
    assert not loaded.unsafe


def test_a_loaded_module_gives_the_users_own_logits(net, digits):
    assert torch.equal(load_target(net).target(digits.x), logits(net, digits.x))


@pytest.mark.parametrize("address", ["usernet:make", "usernet:Net", "usernet:net", "usernet.py:make", "./usernet.py:Net"])
def test_an_address_is_a_factory_a_class_or_a_network(home, address):
    loaded = load_target(address)
    assert loaded.target(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert loaded.source == address
    assert loaded.target.name


def test_a_file_inside_a_package_may_import_its_neighbours(home):
    package = home / "deep" / "inner"
    package.mkdir(parents=True)
    for folder in (home / "deep", package):
        (folder / "__init__.py").touch()
    (package / "parts.py").write_text("from torch import nn\nlayer = nn.Linear(4, 3)\n")
    (package / "whole.py").write_text("from .parts import layer\n\ndef make():\n    return layer\n")
    assert load_target("deep/inner/whole.py:make").target(torch.zeros(1, 4)).shape == (1, 3)


def test_an_address_is_seen_by_worker_processes(home):
    """A loaded network can be sent to a spawned process, which imports the user's module by itself."""
    loaded = load_target("usernet:make")
    (home / "target.pickle").write_bytes(pickle.dumps(loaded.target))
    read = "pickle.loads(pathlib.Path('target.pickle').read_bytes())"
    code = f"import sys, pickle, pathlib; sys.path[:] = {sys.path!r}; print({read}.model)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=home)
    assert done.stdout.startswith("Net(")


@pytest.mark.parametrize(
    ("factory", "arguments", "given"),
    [
        ("make", ["hidden=8", "scale=0.5", "deep=true"], (8, 0.5, True, (), "net", None, Path())),
        ("make", ["rates=0.1, 0.2", "name=7", "seed=3"], (16, 1.0, False, (0.1, 0.2), "7", 3, Path())),
        ("make", ["seed=none", "where=a/b", "deep=off"], (16, 1.0, False, (), "net", None, Path("a/b"))),
        ("make", {"hidden": "4", "scale": 2}, (4, 2, False, (), "net", None, Path())),
        ("untyped", ["hidden=8", "rate=0.5", "other=[1, 2]", "word=blue"], (8, 0.5, {"other": [1, 2], "word": "blue"})),
    ],
)
def test_arguments_take_the_types_of_the_factorys_signature(home, factory, arguments, given):
    model = load_target(f"usernet:{factory}", arguments=arguments).target.module
    assert model.given == given
    assert [type(value) for value in model.given] == [type(value) for value in given]


@pytest.mark.parametrize("form", ["safetensors", "npz", "pt", "checkpoint", "only_entry", "data_parallel", "compiled", "inner"])
def test_weights_of_every_form_give_the_network_that_was_saved(net, digits, tmp_path, form):
    state = {name: value.detach().clone() for name, value in net.state_dict().items()}
    path = tmp_path / f"w.{form if form in ('safetensors', 'npz') else 'pt'}"
    if form == "safetensors":
        save_file(state, path)
    elif form == "npz":
        np.savez(path, **{name: value.numpy() for name, value in state.items()})
    else:
        torch.save(
            {
                "pt": state,
                "checkpoint": {"epoch": 3, "state_dict": state, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}},
                "only_entry": {"epoch": 3, "best_weights": state},
                "data_parallel": {f"module.{name}": value for name, value in state.items()},
                "compiled": {f"_orig_mod.module.{name}": value for name, value in state.items()},
                "inner": {name.replace(".", "._orig_mod.", 1): value for name, value in state.items()},
            }[form],
            path,
        )
    fresh = mlp(64, hidden=(32,), seed=1)
    before = weights_digest(fresh)
    loaded = load_target(fresh, weights=path)
    assert torch.equal(loaded.target(digits.x), logits(net, digits.x))
    assert weights_digest(fresh) == before
    said = " ".join(loaded.notes)
    assert ("checkpoint" in said) == (form in ("checkpoint", "only_entry"))
    assert ("prefix" in said) == (form in ("data_parallel", "compiled", "inner"))


def test_a_tied_weight_may_be_left_out_of_the_file(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)
            self.last.weight = self.first.weight

        def forward(self, x):
            return self.last(self.first(x))

    saved = Tied()
    save_file({name: value for name, value in saved.state_dict().items() if name != "last.weight"}, tmp_path / "w.safetensors")
    loaded = load_target(Tied(), weights=tmp_path / "w.safetensors")
    x = torch.rand(3, 4)
    assert torch.equal(loaded.target(x), logits(saved, x))
    assert loaded.target.module.last.weight is loaded.target.module.first.weight


@pytest.fixture(scope="module")
def archives(tmp_path_factory, net):
    """The trained network as an exported program and as TorchScript, and one exported for a single batch size."""
    folder = tmp_path_factory.mktemp("archives")
    network, x = net.eval(), torch.rand(4, 1, 8, 8)
    batch = torch.export.Dim("batch", min=1, max=4096)
    torch.export.save(torch.export.export(network, (x,), dynamic_shapes=({0: batch},)), folder / "net.pt2")
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.trace(network, x).save(folder / "net.ts")
    (folder / "script.pt").write_bytes((folder / "net.ts").read_bytes())
    return folder


@pytest.mark.parametrize("name", ["net.pt2", "net.ts", "script.pt"])
def test_an_archive_gives_the_logits_of_the_network_it_was_made_from(archives, net, digits, name):
    loaded = load_target(str(archives / name))
    assert torch.allclose(loaded.target(digits.x), logits(net, digits.x), atol=1e-5)
    assert loaded.target.access == "gradients"
    assert any("deprecated" in note for note in loaded.notes) == (name != "net.pt2")
    assert not loaded.unsafe


@pytest.mark.parametrize("name", ["net.pt2", "net.ts"])
def test_an_archived_network_travels_to_another_process_and_switches_modes(archives, digits, name):
    target = load_target(archives / name).target
    again = pickle.loads(pickle.dumps(target))
    assert torch.equal(again(digits.x[:5]), target(digits.x[:5]))
    assert str(again.model) == str(target.model)
    target.model.train()
    assert not target.model.eval().training


def test_a_plain_callable_gives_scores_and_may_be_numpy(digits):
    from sklearn.linear_model import LogisticRegression

    train = load_images("digits")
    learned = LogisticRegression(max_iter=500).fit(train.x.flatten(1).numpy(), train.y.numpy())
    loaded = load_target(lambda x: learned.predict_proba(x.flatten(1)), name="logistic regression")
    assert loaded.target.access == "scores"
    assert torch.equal(loaded.target.labels(digits.x), torch.from_numpy(learned.predict(digits.x.flatten(1).numpy())))
    assert any("callable gives scores at most" in note for note in loaded.notes)


def test_a_callable_is_differentiated_only_if_asked(net, digits):
    x = digits.x[:2].clone().requires_grad_()
    assert not load_target(lambda x: logits(net, x)).target(x).requires_grad
    asked = load_target(net.forward, access="gradients").target
    assert asked.access == "gradients"
    assert torch.autograd.grad(asked(x).sum(), x)[0].abs().sum() > 0


def test_a_function_at_an_address_is_the_network_itself_where_only_answers_are_asked_for(home):
    loaded = load_target("usernet:predict", access="labels")
    assert loaded.target.access == "labels"
    assert loaded.target(torch.zeros(2, 1, 8, 8)).tolist() == [[1.0] + [0.0] * 9] * 2
    with pytest.raises(InputError, match="leaves out x"):
        load_target("usernet:predict")


def test_two_callables_are_two_networks_by_their_print():
    assert str(load_target(torch.softmax).target.model) != str(load_target(torch.log_softmax).target.model)


# --- between the network and the audit ---


def test_normalisation_is_inside_the_target(net, digits):
    colour = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4, 5))
    x, mean, std = torch.rand(2, 3, 2, 2), [0.4, 0.5, 0.6], [0.1, 0.2, 0.3]
    by_hand = (x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    for written in ((mean, std), "0.4,0.5,0.6,0.1,0.2,0.3"):
        assert torch.allclose(load_target(colour, normalize=written).target(x), logits(colour, by_hand), atol=1e-6)
    assert torch.allclose(load_target(net, normalize="0.5,2").target(digits.x), logits(net, (digits.x - 0.5) / 2), atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-5), (torch.bfloat16, 0.05), (torch.float16, 0.01)],
)
def test_a_network_of_another_dtype_gets_it_and_answers_in_float32(net, digits, dtype, tolerance):
    loaded = load_target(mlp(64, hidden=(32,)).to(dtype))
    reference = logits(mlp(64, hidden=(32,)), digits.x)
    answer = loaded.target(digits.x)
    assert answer.dtype == torch.float32
    assert (answer - reference).abs().max() < tolerance * reference.abs().max()
    assert any(str(dtype).removeprefix("torch.") in note for note in loaded.notes)
    assert any("underflow" in note for note in loaded.notes) == (dtype != torch.float64)


@pytest.mark.parametrize(("wrap", "key"), [(lambda z: {"logits": z, "aux": z[:, :2]}, "logits"), (lambda z: (z[:, :2], z), "1")])
def test_the_logits_are_taken_out_of_their_container(net, digits, wrap, key):
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = net

        def forward(self, x):
            return wrap(self.inner(x))

    assert torch.equal(load_target(Wrapped(), output_key=key).target(digits.x), logits(net, digits.x))
    with pytest.raises(InputError, match=r"`output_key` is 'logit'.*allowed: one of"):
        load_target(Wrapped(), output_key="logit").target(digits.x)


@pytest.mark.parametrize("wrapper", [nn.DataParallel, partial(torch.compile, backend="eager")], ids=["data parallel", "compiled"])
def test_wrappers_for_training_are_taken_off(net, digits, wrapper):
    loaded = load_target(wrapper(net))
    assert type(loaded.target.module) is type(net)
    assert torch.equal(loaded.target(digits.x), logits(net, digits.x))
    assert any("taken out of" in note for note in loaded.notes)


def test_notes_tell_the_mode_and_the_layers_that_depend_on_chance_or_batch():
    own = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Dropout(0.5), nn.Linear(4, 2))
    said = " ".join(load_target(own.train()).notes)
    assert "training mode" in said
    assert "1 BatchNorm1d, 1 Dropout" in said
    assert "without running statistics (1)" in said
    assert "training mode" not in " ".join(load_target(own.eval()).notes)


def test_a_fresh_network_that_does_not_care_about_its_mode_needs_no_note(home):
    assert load_target("usernet:make").notes == ()


def test_a_layer_that_keeps_dropping_is_noted():
    class Always(nn.Dropout):
        def train(self, mode=True):  # noqa: FBT002 (torch's own signature)
            return super().train(True)

    assert any("1 stayed in training mode" in note for note in load_target(nn.Sequential(nn.Linear(4, 2), Always())).notes)


@pytest.mark.parametrize("text", ["", "0.1", "0.1,0.2,0.3", "a,b", "0.1,0", "0.1,-1", "nan,1", 3, ((1, 2), (3,))])
def test_a_normalisation_that_is_no_pair_of_equal_lists_is_refused(text):
    with pytest.raises(InputError, match="`normalize` is"):
        parse_normalisation(text)


# --- pickles ---


def hostile(path, mark, form):
    if form == "plain":
        path.write_bytes(pickle.dumps({"weight": Payload(mark)}))
    elif form == "network":
        carrier = nn.Linear(4, 2)
        carrier.note = Payload(mark)
        torch.save(carrier, path)
    else:
        torch.save({"weight": Payload(mark)}, path, _use_new_zipfile_serialization=form == "zip")


@pytest.mark.parametrize("form", ["zip", "legacy", "plain", "network"])
@pytest.mark.parametrize("role", ["model", "weights"])
def test_a_pickle_with_a_payload_is_refused_by_name_and_never_run(tmp_path, form, role):
    """Claim 8 of the audit, second half."""
    path, mark = tmp_path / "w.pt", tmp_path / "executed"
    hostile(path, mark, form)
    with pytest.raises(
        UnsafePickleError, match=rf"`{role}` is 'w.pt', a pickle that asks for .*`posix.system`.*safetensors"
    ) as refusal:
        load_target(str(path)) if role == "model" else load_target(nn.Linear(4, 2), weights=path)
    assert "Nothing of it was executed" in str(refusal.value)
    assert not mark.exists()


def test_the_payload_would_have_run(tmp_path):
    """The control of the test above: reading the same file without care does create the file."""
    path, mark = tmp_path / "w.pt", tmp_path / "executed"
    hostile(path, mark, "zip")
    torch.load(path, weights_only=False)
    assert mark.exists()


def test_a_pickled_network_is_refused_and_told_how_to_insist(net, tmp_path):
    torch.save(net, tmp_path / "whole.pt")
    with pytest.raises(UnsafePickleError, match=r"torch.nn.modules.*--unsafe-pickle"):
        load_target(tmp_path / "whole.pt")


def test_an_unsafe_pickle_needs_a_confirmation(net, tmp_path, monkeypatch):
    monkeypatch.delenv("HOLDFAST_UNSAFE_PICKLE", raising=False)
    torch.save(net, tmp_path / "whole.pt")
    with pytest.raises(UnsafePickleError, match="was not confirmed"):
        load_target(tmp_path / "whole.pt", unsafe_pickle=True)


def test_insisting_twice_reads_the_network_and_marks_it_unsafe(net, digits, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_UNSAFE_PICKLE", "1")
    torch.save(net, tmp_path / "whole.pt")
    loaded = load_target(tmp_path / "whole.pt", unsafe_pickle=True)
    assert loaded.unsafe
    assert torch.equal(loaded.target(digits.x), logits(net, digits.x))


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")
@pytest.mark.parametrize(("typed", "agreed"), [("yes\n", True), ("\n", False)])
def test_the_second_yes_may_be_typed_at_the_terminal(net, tmp_path, monkeypatch, typed, agreed):
    monkeypatch.delenv("HOLDFAST_UNSAFE_PICKLE", raising=False)
    torch.save(net, tmp_path / "whole.pt")
    master, slave = os.openpty()
    os.write(master, typed.encode())
    with os.fdopen(slave) as terminal, os.fdopen(master, "wb"):
        monkeypatch.setattr(sys, "stdin", terminal)
        if agreed:
            assert load_target(tmp_path / "whole.pt", unsafe_pickle=True).unsafe
        else:
            with pytest.raises(UnsafePickleError, match="was not confirmed"):
                load_target(tmp_path / "whole.pt", unsafe_pickle=True)


def forged(archives, path, mark, record):
    """The exported network with a payload put into one of its records, or into a new one."""
    content = io.BytesIO()
    torch.save((Payload(mark),), content)
    with zipfile.ZipFile(archives / "net.pt2") as honest, zipfile.ZipFile(path, "w") as written:
        names = honest.namelist()
        for name in names:
            written.writestr(name, content.getvalue() if name.endswith(record) else honest.read(name))
        if not any(name.endswith(record) for name in names):
            written.writestr(f"{names[0].partition('/')[0]}/{record}", pickle.dumps(Payload(mark)))


@pytest.mark.parametrize("record", ["data/sample_inputs/model.pt", "data/constants/opaque_obj_0", "data/aotinductor/model/x.so"])
def test_an_exported_program_with_a_payload_is_refused_before_it_runs(archives, tmp_path, record):
    path, mark = tmp_path / "forged.pt2", tmp_path / "executed"
    forged(archives, path, mark, record)
    with pytest.raises(UnsafePickleError, match=r"'forged.pt2': it carries .*Nothing of it was executed"):
        load_target(path)
    assert not mark.exists()


def test_an_exported_program_with_a_foreign_object_is_read_if_the_user_insists_twice(archives, digits, tmp_path, monkeypatch):
    content, path = io.BytesIO(), tmp_path / "own.pt2"
    torch.save(Foreign(((digits.x[:4],), {})), content)
    with zipfile.ZipFile(archives / "net.pt2") as honest, zipfile.ZipFile(path, "w") as written:
        for name in honest.namelist():
            written.writestr(name, content.getvalue() if name.endswith("sample_inputs/model.pt") else honest.read(name))
    with pytest.raises(UnsafePickleError, match="--unsafe-pickle"):
        load_target(path)
    monkeypatch.setenv("HOLDFAST_UNSAFE_PICKLE", "1")
    loaded = load_target(path, unsafe_pickle=True)
    assert loaded.unsafe
    assert torch.equal(loaded.target(digits.x), load_target(archives / "net.pt2").target(digits.x))


def test_reading_leaves_the_environment_as_it_was(archives, monkeypatch):
    for value in (None, "0"):
        if value is None:
            monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", raising=False)
        else:
            monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", value)
        load_target(archives / "net.pt2")
        assert os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD") == value


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_names_in_a_pickle_are_read_in_every_protocol(tmp_path, protocol):
    (tmp_path / "p.pkl").write_bytes(pickle.dumps([Payload("a"), Payload("b"), json.JSONDecodeError], protocol=protocol))
    found = set(named_globals(tmp_path / "p.pkl"))
    assert {"posix.system", "json.decoder.JSONDecodeError"} <= found
    assert all(name.count(".") >= 1 and not name.startswith(".") for name in found)


# --- bad input ---


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (3, {}, r"`model` is a int; allowed: an nn.Module, or a callable"),
        (nn.Linear, {}, r"`model` is the class Linear.*Make an instance"),
        ("usernet:maek", {}, r"names 'maek', which 'usernet' does not define.*Did you mean 'make'"),
        ("usernte:make", {}, r"there is no 'usernte'.*Did you mean 'usernet'"),
        ("usernet.sub:make", {}, r"names the module 'usernet.sub'"),
        ("usernt.py:make", {}, r"which is no file.*Did you mean 'usernet.py'"),
        ("usernet", {}, r"`model` is 'usernet'; allowed: package.module:factory"),
        ("usernet.py", {}, r"Say what in it makes the network: --model usernet.py:factory"),
        ("nowhere/net.pt2", {}, r"there is no folder 'nowhere'"),
        ("net.pt2", {}, r"'net.pt2', which is no file"),
        ("usernet:answer", {}, r"`model` is a int at usernet:answer"),
        ("usernet:number", {}, r"usernet:number, which returns a int; allowed: a factory"),
        ("usernet:pair", {}, r"returns a tuple; allowed: a factory that returns the network alone"),
        ("usernet:broken", {}, r"your factory `broken` raised ValueError: no such dataset split \(usernet.py, line \d+\)"),
        ("usernet:leaving", {}, r"your factory `leaving` raised SystemExit: 3"),
        ("usernet:needy", {}, r"leaves out width.*needy\(width: ?'?int'?\).*--argument width=VALUE"),
        ("usernet:make", {"arguments": ["hiden=3"]}, r"names 'hiden', which your factory `make`.*Did you mean 'hidden'"),
        ("usernet:make", {"arguments": ["hidden=three"]}, r"`arguments` gives hidden='three'; allowed: int"),
        ("usernet:make", {"arguments": ["hidden"]}, r"`arguments` holds 'hidden'; allowed: key=value"),
        ("usernet:make", {"arguments": ["hidden=1", "hidden=2"]}, r"gives 'hidden' twice"),
        ("usernet:opaque", {"arguments": ["layer=x"]}, r"for a parameter of type Module"),
        ("usernet:net", {"arguments": ["hidden=3"]}, r"`arguments` is given; allowed: none, since usernet:net is a network"),
        ("hf:org/name", {}, r"does not reach models on a hub"),
        ("https://example.org/predict", {}, r"does not reach endpoints"),
        ("net.onnx", {}, r"does not read ONNX.*Pass the PyTorch network"),
        ("w.safetensors", {}, r"holds weights without a network.*--weights w.safetensors"),
        ("w.pt", {}, r"holds weights without a network.*--weights w.pt"),
        ("text.pt", {}, r"'text.pt', which"),
        ("text.pt2", {}, r"not an archive of torch.export or torch.jit"),
        ("text.ts", {}, r"not an archive of torch.export or torch.jit"),
        ("empty.pt2", {}, r"cannot read as an exported program"),
        ("usernet:make", {"weights": "w.saftensors"}, r"'w.saftensors', which is no file.*Did you mean 'w.safetensors'"),
        ("usernet:make", {"weights": "usernet.py"}, r"`weights` is .*usernet.py', a file with another ending; allowed: .saf"),
        ("usernet:make", {"weights": "text.pt"}, r"`weights` is 'text.pt', which"),
        ("usernet:make", {"weights": "text.safetensors"}, r"not a safetensors file"),
        ("usernet:make", {"weights": "text.npz"}, r"not an archive of numeric arrays"),
        ("usernet:make", {"weights": "list.pt"}, r"which holds a list; allowed: a mapping"),
        ("usernet:make", {"weights": "several.pt"}, r"tensors stand in a, b"),
        ("usernet:make", {"weights": "renamed.pt"},
         r"1 missing: head.bias \(nearest: heads.bias\); 1 unexpected: heads.bias \(nearest: head.bias\)"),
        ("usernet:make", {"weights": "w.pt", "arguments": ["hidden=8"]},
         r"3 of another shape: fc1.weight \(file \(16, 64\), network \(8, 64\)\)"),
        (torch.relu, {"weights": "w.pt"}, r"`weights` are given for a callable"),
        ("usernet:make", {"access": "weight"}, r"`access` is 'weight'.*Did you mean 'weights'"),
        ("usernet:make", {"device": "cuda:99"}, r"`device` is 'cuda:99', which is not available here"),
        ("usernet:make", {"device": "gpu"}, r"`device` is 'gpu', which is not available here"),
        ("usernet:make", {"bounds": (1, 0)}, r"`bounds` is \(1.0, 0.0\)"),
        ("usernet:make", {"outputs": "softmax"}, r"`outputs` is 'softmax'"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_is_refused_with_its_remedy(home, model, options, message):
    shapes = {"fc1.weight": (16, 64), "fc1.bias": (16,), "head.weight": (10, 16), "head.bias": (10,)}
    state = {name: torch.zeros(shape) for name, shape in shapes.items()}
    torch.save(state, "w.pt")
    save_file(state, "w.safetensors")
    torch.save({"a": state, "b": state}, "several.pt")
    torch.save({"heads.bias" if name == "head.bias" else name: value for name, value in state.items()}, "renamed.pt")
    torch.save([1, 2], "list.pt")
    for suffix in ("pt", "pt2", "ts", "safetensors", "npz"):
        (home / f"text.{suffix}").write_text("hello world, this is no network")
    with zipfile.ZipFile("empty.pt2", "w") as archive:
        archive.writestr("net/archive_format", "pt2")
    with pytest.raises(InputError, match=message):
        load_target(model, **options)


def test_an_error_in_the_users_factory_keeps_its_traceback(home):
    with pytest.raises(InputError) as refusal:
        load_target("usernet:broken")
    cause = refusal.value.__cause__
    assert isinstance(cause, ValueError)
    assert cause.__traceback__ is not None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import numpyy\n", r"importing your module `faulty` raised ModuleNotFoundError: No module named 'numpyy'"),
        ("1 / 0\n", r"importing your module `faulty` raised ZeroDivisionError: division by zero \(faulty.py, line 1\)"),
        ("def f(:\n", r"importing your module `faulty` raised SyntaxError"),
        ("raise SystemExit(1)\n", r"importing your module `faulty` raised SystemExit"),
    ],
)
def test_an_error_while_importing_the_users_module_is_shown_as_theirs(home, body, message):
    (home / "faulty.py").write_text(body)
    with pytest.raises(InputError, match=message):
        load_target("faulty:make")


def test_a_file_whose_name_is_taken_by_another_module_is_refused(home):
    (home / "json.py").write_text("net = None\n")
    with pytest.raises(InputError, match=r"'json' is already .*Rename the file"):
        load_target("json.py:net")


def test_a_module_that_cannot_be_copied_is_refused():
    class Held(nn.Linear):
        def __deepcopy__(self, memo):
            raise RuntimeError("holds a socket")

    with pytest.raises(InputError, match=r"Held that cannot be copied \(RuntimeError: holds a socket\).*factory"):
        load_target(Held(4, 2))


# --- data ---


def test_a_built_in_set_is_found_by_name():
    rows = load_data("digits").examples
    assert (len(rows), rows.classes, tuple(rows.x.shape[1:])) == (500, 10, (1, 8, 8))


@pytest.mark.parametrize("source", ["usernet:arrays", "usernet:rows", "usernet.py:arrays"])
def test_an_address_gives_data_or_makes_them(home, source):
    rows = load_data(source).examples
    assert rows.classes == 2
    assert rows.x.dtype == torch.float32
    assert rows.name == source


def test_files_and_folders_are_read(home):
    from PIL import Image

    np.savez("own.npz", x=np.random.default_rng(0).random((6, 4, 4, 3), dtype=np.float32), y=np.arange(6) % 3)
    assert load_data("own.npz", layout="NHWC").examples.x.shape == (6, 3, 4, 4)
    for label in ("cat", "dog"):
        (home / "pets" / label).mkdir(parents=True)
        Image.new("RGB", (6, 6), (255, 0, 0)).save(home / "pets" / label / "1.png")
    rows = load_data("pets", size=4).examples
    assert rows.class_names == ("cat", "dog")
    assert rows.x.shape == (2, 3, 4, 4)
    assert rows.x[0, :, 0, 0].tolist() == [1.0, 0.0, 0.0]


def test_a_limit_keeps_the_classes_in_proportion():
    rows = load_data("digits", limit=100).examples
    assert len(rows) == 100
    assert rows.y.bincount().min() >= 9


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("mnits", {}, r"`data` is 'mnits'.*Did you mean 'mnist'"),
        ("own.npy", {}, r"`data` is 'own.npy'"),
        ("missing.npz", {}, r"which is no file"),
        ("usernet:aray", {}, r"Did you mean 'array"),
        ("usernet:bad_rows", {}, r"your data raised KeyError: 'image 1' \(usernet.py, line \d+\)"),
        ("usernet:broken", {}, r"your factory `broken` raised ValueError"),
        ("usernet:answer", {}, r"^`data` is a int"),
        ("usernet:needy", {}, r"leaves out width"),
        ("hf:org/name", {}, r"does not reach models on a hub"),
        ([], {}, r"is empty"),
        ((torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)), {}, r"is empty"),
        ((torch.zeros(2, 4), torch.tensor([0, -1])), {}, r"`y` runs from -1 to 0"),
        ((torch.zeros(2, 4), torch.tensor([0.0, 1.5])), {}, r"`y` has dtype torch.float32"),
        ((torch.zeros(2, 4), torch.eye(2)), {}, r"argmax"),
        ((torch.full((2, 4), float("nan")), torch.tensor([0, 1])), {}, r"NaN or infinite"),
        ((torch.full((2, 4), float("inf")), torch.tensor([0, 1])), {}, r"NaN or infinite"),
        (
            (torch.full((2, 4), 2.0), torch.tensor([0, 1])),
            {"bounds": (0, 1)},
            r"has values in \[2, 2\]; allowed: the declared bounds \(0, 1\)",
        ),
        ((torch.zeros(2, 4), torch.tensor([0, 1])), {"size": 8}, r"`size` is 8"),
        ((torch.zeros(2, 8, 8, 3), torch.tensor([0, 1])), {}, r"looks like NHWC"),
        ("digits", {"bounds": (0, 255)}, r"`bounds` is \(0, 255\); allowed: \(0, 1\).*--normalize 0,0.003922"),
        ("digits", {"limit": 0}, r"`limit` is 0"),
    ],
)
def test_data_that_cannot_be_used_are_refused_with_their_remedy(home, source, options, message):
    with pytest.raises(InputError, match=message):
        load_data(source, **options)


def test_a_known_set_that_is_not_on_this_machine_says_which_file_goes_where(monkeypatch, tmp_path):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOLDFAST_OFFLINE", "1")
    with pytest.raises(DataUnavailableError, match="t10k-images"):
        load_data("mnist")


def test_a_refusal_of_files_names_the_setting_that_led_to_them(tmp_path):
    np.savez(tmp_path / "other.npz", images=np.zeros((2, 4), "float32"), targets=np.array([0, 1]))
    with pytest.raises(InputError, match=r"^`data` leads to .*other\.npz, which holds images, targets.*--input-key NAME"):
        load_data(tmp_path / "other.npz")
    assert len(load_data(tmp_path / "other.npz", input_key="images", label_column="targets").examples) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"^`data` leads to .*empty, which holds no folders"):
        load_data(tmp_path / "empty")
    with pytest.raises(InputError, match=r"^`unlabelled` leads to .*empty, which holds no folders"):
        load_inputs(tmp_path / "empty")
