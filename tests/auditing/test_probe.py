"""The probe tells a network that is what its user takes it for from one that is not, and never changes it."""

import copy
import json
import re
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.auditing.loading.target import load_target
from holdfast.auditing.probing.behaviour import batch_size
from holdfast.auditing.probing.probe import probe
from holdfast.core.errors import InputError, QueryBudgetError
from holdfast.core.target import QueryCounter, Target
from holdfast.data import Examples, load_images
from holdfast.nets import Normalized, evaluate, fit, mlp, weights_digest


@pytest.fixture(scope="module")
def train():
    return load_images("digits")


@pytest.fixture(scope="module")
def digits():
    return load_images("digits", "test")


@pytest.fixture(scope="module")
def net(train):
    """A network that has learned scikit-learn's digits as they are, in [0, 1]."""
    trained = mlp(64, hidden=(32,))
    fit(trained, train, epochs=8, lr=1e-2, batch_size=64)
    return trained


def expecting(net, *, mean, std):
    """The same function of normalised inputs: g((x - mean) / std) = f(x), exact up to rounding."""
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.fc1.bias += mean * other.fc1.weight.sum(1)
        other.fc1.weight *= std
    return other


@pytest.fixture(scope="module")
def centred(net):
    """A network of digits in [-1, 1]: it needs `--normalize 0.5,0.5`."""
    return expecting(net, mean=0.5, std=0.5)


@pytest.fixture(scope="module")
def pixels(net):
    """A network of digits in [0, 255]: it needs `--normalize 0,0.003922`."""
    return expecting(net, mean=0.0, std=1 / 255)


class Through(nn.Module):
    """A network with something done to its logits."""

    def __init__(self, net, change):
        super().__init__()
        self.net, self.change = net, change

    def forward(self, x):
        return self.change(self.net(x))


def look(model, examples, **options):
    return probe(load_target(model).target, examples, **options)


def said(found):
    return " ".join(found.notes)


# --- what it tells ---


def test_an_ordinary_network_is_taken_as_it_is(net, digits):
    found = look(net, digits)
    assert found.notes == ()
    assert (found.classes, found.input_shape, found.logits_shape, found.dtype) == (10, (1, 8, 8), (256, 10), "float32")
    assert (found.finite, found.deterministic, found.batch_invariant, found.has_gradients, found.gradients_finite) == (True,) * 5
    assert found.outputs_look_like == "logits"
    assert found.saturated.value == 0
    assert found.target.access == "weights"
    assert found.t_forward > 0
    assert found.threads == torch.get_num_threads()


def test_the_accuracy_is_that_of_a_stratified_part(net, digits):
    found = look(net, digits, seed=3)
    assert found.accuracy == evaluate(net, digits.stratified(256, seed=3)).accuracy


def test_the_same_seed_finds_the_same_facts(net, digits):
    first, second = (look(net, digits, seed=1).to_json() for _ in range(2))
    for clock in ("t_forward", "t_backward"):
        first.pop(clock), second.pop(clock)
    assert first == second


def test_all_facts_are_json(net, digits):
    facts = json.loads(json.dumps(look(net, digits).to_json(), allow_nan=False))
    assert facts["accuracy"]["n"] == 256
    assert (facts["access"], facts["outputs"]) == ("weights", "logits")
    assert "target" not in facts


def test_the_network_the_data_and_the_global_generator_are_left_alone(net, digits):
    target = load_target(net).target
    before, digest, state = weights_digest(target.module), digits.digest, torch.get_rng_state()
    probe(target, digits)
    assert weights_digest(target.module) == before
    assert Examples(digits.x, digits.y, digits.classes).digest == digest
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in target.module.parameters())


@pytest.mark.parametrize("n", [1, 5, 300])
def test_a_few_examples_are_enough(net, digits, n):
    found = look(net, digits[:n], allow_low_accuracy=True)
    assert found.accuracy.n == min(n, 256)


@pytest.mark.parametrize(
    ("numbers", "seconds", "rows"), [(64, 1e-6, 256), (64, 0.01, 50), (64, 1.0, 8), (3 * 224 * 224, 1e-6, 26), (10**9, 1e-6, 8)]
)
def test_a_batch_is_realistic(numbers, seconds, rows):
    """At most 256 rows, half a second and 4 million numbers, at least 8 rows."""
    assert batch_size(torch.empty(1).expand(300, numbers), seconds) == rows


def test_a_batch_is_no_larger_than_the_data():
    assert batch_size(torch.zeros(5, 4), 1e-6) == 5


# --- preprocessing ---


@pytest.mark.parametrize(("which", "normalize"), [("net", None), ("centred", "0.5,0.5"), ("pixels", "0,0.00392157")])
@pytest.mark.parametrize("expected", [None, 0.95])
def test_a_rightly_normalised_network_passes(request, net, digits, which, normalize, expected):
    """Claim 8 of the audit: a correct one is not refused."""
    loaded = load_target(request.getfixturevalue(which), normalize=normalize)
    found = probe(loaded.target, digits, expect_accuracy=expected)
    assert found.accuracy == look(net, digits).accuracy
    assert found.notes == ()


@pytest.mark.parametrize(
    ("which", "normalize", "advice"),
    [
        ("centred", None, "with --normalize (0.5,0.5|0.3035,0.3748)"),  # the second: mean and deviation of these digits
        ("pixels", None, "with --normalize 0,0.003922"),
        ("net", "2,1", "without --normalize"),
    ],
)
@pytest.mark.parametrize("expected", [None, 0.95])
def test_a_wrongly_normalised_network_is_refused_with_the_remedy(request, digits, which, normalize, advice, expected):
    """Claim 8 of the audit: whether or not the user said what to expect."""
    model = request.getfixturevalue(which)
    with pytest.raises(InputError, match=f"Normalisation is probably missing or applied twice: .*{advice}.*--allow-low-accuracy"):
        probe(load_target(model, normalize=normalize).target, digits, expect_accuracy=expected)


def test_a_low_accuracy_may_be_allowed_and_is_noted(pixels, digits):
    found = look(pixels, digits, allow_low_accuracy=True)
    assert found.accuracy.value < 0.5
    assert "1.5 times chance" in said(found) or "normalisation" in said(found)


def test_an_untrained_network_is_refused(digits):
    with pytest.raises(InputError, match=r"allowed: at least 0.15, 1.5 times chance"):
        look(mlp(64), digits)


def test_a_network_that_does_worse_than_expected_is_refused(net, digits):
    noisy = Through(net, lambda z: z + 0)
    right = look(noisy, digits).accuracy.value
    assert look(noisy, digits, expect_accuracy=right).accuracy.value == right
    shuffled = replace(digits, y=torch.where(torch.arange(len(digits)) % 8 == 0, (digits.y + 1) % 10, digits.y))
    with pytest.raises(InputError, match=rf"allowed: the expected {right:g}, less 0.05"):
        look(noisy, shuffled, expect_accuracy=right)


def test_a_black_box_is_not_asked_outside_its_range(centred, digits):
    """No other normalisation is tried on a callable: its inputs stay in the declared bounds."""
    seen = []

    def service(x):
        seen.append((float(x.min()), float(x.max())))
        return centred(x).detach()

    look(service, digits, allow_low_accuracy=True)
    assert min(low for low, _ in seen) >= 0
    assert max(high for _, high in seen) <= 1


@pytest.mark.parametrize("bounds", [(0.0, 0.5), (0.1, 1.0)])
def test_data_outside_the_declared_range_are_refused(net, digits, bounds):
    with pytest.raises(InputError, match=r"`data` has values in \[0, 1\]; allowed: the range .*--normalize.*--bounds=0,1 "):
        probe(load_target(net, bounds=bounds).target, digits)


def test_data_that_fill_little_of_the_declared_range_are_noted(net, digits):
    assert "small part of the declared range (0, 255)" in said(probe(load_target(net, bounds=(0, 255)).target, digits))


# --- outputs ---


def test_probabilities_are_declared_and_become_logits(net, digits):
    found = look(Through(net, lambda z: z.softmax(1)), digits)
    assert found.outputs_look_like == "probabilities"
    assert found.target.outputs == "probabilities"
    assert "their logarithm is taken" in said(found)
    reference = net.eval()(digits.x).log_softmax(1).detach()
    assert torch.allclose(found.target(digits.x).detach().log_softmax(1).exp(), reference.exp(), atol=1e-5)


def test_the_second_softmax_no_longer_hides_the_gradient(net, digits):
    """Log-probabilities have the gradient of the logits; a softmax of probabilities would have shrunk it."""
    x, y = digits.x[:32].clone().requires_grad_(), digits.y[:32]

    def size(model):
        return torch.autograd.grad(nn.functional.cross_entropy(model(x), y), x)[0].norm()

    as_logits, as_probabilities = load_target(net).target, Through(net, lambda z: z.softmax(1)).eval()
    found = look(as_probabilities, digits)
    assert torch.isclose(size(found.target), size(as_logits), rtol=1e-3)
    assert size(as_probabilities) < size(as_logits)


def test_declared_probabilities_must_be_some(net, digits):
    with pytest.raises(InputError, match=r"`outputs` declares probabilities, but a number is -"):
        probe(load_target(net, outputs="probabilities").target, digits)


def test_declared_probabilities_need_no_note(net, digits):
    loaded = load_target(Through(net, lambda z: z.softmax(1)), outputs="probabilities")
    found = probe(loaded.target, digits)
    assert found.outputs_look_like == "probabilities"
    assert found.notes == ()


def test_log_probabilities_are_logits(net, digits):
    assert look(Through(net, lambda z: z.log_softmax(1)), digits).outputs_look_like == "logits"


@pytest.mark.parametrize("form", ["tensor", "array", "module"])
def test_a_network_that_names_classes_has_the_access_of_labels_and_a_module_that_of_its_weights(net, digits, form):
    changes = {"tensor": lambda x: net(x).argmax(1), "array": lambda x: net(x).argmax(1).numpy()}
    found = look(changes.get(form, Through(net, lambda z: z.argmax(1))), digits)
    assert found.outputs_look_like == "labels"
    assert found.target.access == ("weights" if form == "module" else "labels")
    assert found.has_gradients is None
    assert torch.equal(found.target.labels(digits.x), net(digits.x).argmax(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda z: {"scores": z, "aux": z}, r"returns a dict with the parts scores, aux.*--output-key scores"),
        (lambda z: {"loss": z.sum(), "scores": z}, r"--output-key scores"),
        (lambda z: (z, z), r"returns a tuple with the parts 0, 1.*--output-key 0"),
        (list, r"returns a list with the parts 0, 1, 2, 3, 4, 5, 6, 7; .*Return one tensor: torch\.stack"),
        (lambda z: {"loss": z.sum(), "hidden": z[:, :, None]}, r"parts loss, hidden; .*return the scores of the classes alone"),
        (lambda z: [z.sum(), z], r"returns a list.*--output-key 1"),
        (lambda z: "seven", r"returns a str; allowed: one tensor"),
        (lambda z: None, r"returns a NoneType"),
        (lambda z: np.array(list("abcdefgh")), r"returns a ndarray; allowed: one tensor"),
        (lambda z: z[:, :5], r"`y` runs from 0 to 9; allowed: 0 to 4 for a model with 5 outputs"),
        (lambda z: z[:, 0], r"returns one number per example, shape \(8,\).*cannot name one of 10 classes"),
        (lambda z: z[:, :1], r"returns one number per example, shape \(8, 1\).*cannot name one of 10 classes"),
        (lambda z: z[:, :, None, None], r"returns shape \(8, 10, 1, 1\).*End its forward with \.flatten\(1\)"),
        (lambda z: z.squeeze(), r"returns \(10,\) for one example: keep the batch axis; allowed: \(1, 10\).*\.flatten\(1\)"),
        (lambda z: z.mean(0), r"answers 8 examples with shape \(10,\)"),
        (lambda z: z.argmax(1).float(), r"one number per example.*return it as a whole number, with \.long\(\)"),
        (lambda z: z[:, :, None, None].expand(-1, -1, 3, 3), r"\(8, 10, 3, 3\).*Scores for each place of an input are not"),
        (lambda z: z.sum(), r"answers 8 examples with shape \(\)"),
        (lambda z: z.round().long(), r"returns int64 scores"),
        (lambda z: z.argmax(1) - 1, r"answers with labels from -1 to 8; allowed: 0 to 9"),
        (lambda z: z * float("nan"), r"NaN or infinite scores for 256 of 256 examples.*weights are finite"),
        (lambda z: z / 0, r"NaN or infinite scores"),
        (lambda z: z @ torch.zeros(3, 3), r"your network, given a batch of shape \(8, 1, 8, 8\) in float32, raised RuntimeError"),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_table_of_scores_is_refused(net, digits, change, message):
    with pytest.raises(InputError, match=message):
        look(Through(net, change), digits)


@pytest.mark.parametrize("answer", [lambda z: {"out": z}, lambda z: (z,), lambda z: Named(z, None), lambda z: Held(z=z)])
def test_the_only_tensor_of_a_container_is_examined(net, digits, answer):
    found = look(Through(net, answer), digits)
    assert found.accuracy == look(net, digits).accuracy
    assert re.search(r"of the \w+ that the network returns, the part '\w+' is examined", said(found))


def test_an_array_is_read_as_a_tensor_and_the_weights_stay_in_reach(net, digits):
    found = look(Through(net, lambda z: z.detach().double().numpy()), digits)
    assert (found.accuracy, found.target.access, found.has_gradients) == (look(net, digits).accuracy, "weights", False)
    assert "a NumPy array, which is read as a tensor" in said(found)


class Named(NamedTuple):
    """A named tuple."""

    logits: torch.Tensor
    hidden: None


class Held:
    """An object with an attribute."""

    def __init__(self, z):
        self.scores = z


def test_a_network_of_several_inputs_is_refused_with_what_is_asked_of_it(net, digits):
    class Several(nn.Module):
        def forward(self, x, lengths):
            return net(x)

    with pytest.raises(InputError, match=r"missing 1 required positional argument: 'lengths'.*It is called with one batch alone"):
        look(Several(), digits)


def test_labels_may_stand_in_a_column(net, digits):
    found = look(Through(net, lambda z: z.argmax(1, keepdim=True)), digits)
    assert found.outputs_look_like == "labels"
    assert found.accuracy == look(net, digits).accuracy


def test_broken_weights_are_named(net, digits):
    broken = mlp(64, hidden=(32,))
    broken.load_state_dict(net.state_dict())
    with torch.no_grad():
        broken.fc1.bias[0] = float("nan")
    with pytest.raises(InputError, match=r"These weights are not finite: fc1\.bias"):
        look(broken, digits)


def test_labels_beyond_the_outputs_are_refused(net, digits):
    with pytest.raises(InputError, match=r"`y` runs from 1 to 10; allowed: 0 to 9.*start at 1"):
        look(net, Examples(digits.x, digits.y + 1))


def test_inputs_that_are_not_finite_are_refused(net, digits):
    x = digits.x.clone()
    x[3, 0, 0, 0] = float("nan")
    with pytest.raises(InputError, match=r"`data` holds 1 values that are NaN or infinite \(first in row 3\)"):
        look(net, Examples(x, digits.y))


def test_more_outputs_than_classes_are_noted(net, digits):
    found = look(Through(net, lambda z: nn.functional.pad(z, (0, 5), value=-9.0)), digits)
    assert found.classes == 15
    assert "15 outputs and the data hold examples of 10 classes" in said(found)


# --- gradients ---


class Cut(nn.Module):
    """A network whose author cut the gradient off."""

    def __init__(self, net, how):
        super().__init__()
        self.net, self.how = net, how

    def forward(self, x):
        if self.how == "detach":
            return self.net(x.detach())
        if self.how == "numpy":
            return self.net(torch.from_numpy(x.numpy()))
        with {"no_grad": torch.no_grad, "inference_mode": torch.inference_mode}[self.how]():
            return self.net(x)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("no_grad", "torch.no_grad()"),
        ("inference_mode", "torch.inference_mode()"),
        ("detach", ".detach()"),
        ("numpy", "raised RuntimeError"),
    ],
)
def test_a_network_without_gradients_keeps_its_weights_and_says_why(net, digits, how, reason):
    found = look(Cut(net, how), digits)
    assert found.has_gradients is False
    assert found.target.access == "weights"
    assert reason in found.why_no_gradients
    assert f"{found.why_no_gradients}. Stresses that follow gradients are left out" in found.notes
    assert found.t_backward == 0
    assert found.saturated is None


def test_a_network_of_which_gradients_are_the_most_falls_to_scores(net, digits):
    found = probe(load_target(Cut(net, "detach"), access="gradients").target, digits)
    assert found.target.access == "scores"


def test_gradients_are_found_from_within_no_grad(net, digits):
    with torch.no_grad():
        assert look(net, digits).has_gradients
    with torch.inference_mode():
        assert look(net, digits).has_gradients


def test_saturated_logits_are_counted(net, digits):
    """Logits times 1000 have an exactly zero float32 gradient wherever the network is right, and look like robustness."""
    found = look(Through(net, lambda z: 1000 * z), digits)
    assert found.saturated.value > 0.5
    assert found.has_gradients
    assert "saturated logits look like robustness" in said(found)
    assert look(net, digits).saturated.value == 0


def test_gradients_that_are_not_finite_are_noted(net, digits):
    """The slope of a square root at zero is infinite; pixels at exactly zero are common."""
    found = look(Through(nn.Sequential(Root(), net), lambda z: z), digits, allow_low_accuracy=True)
    assert found.gradients_finite is False
    assert found.saturated.value == 1
    assert "NaN or infinity" in said(found)


class Root(nn.Module):
    """Square root of each pixel."""

    def forward(self, x):
        return x.sqrt()


def test_scores_need_no_gradients(net, digits):
    found = probe(load_target(net, access="scores").target, digits)
    assert found.has_gradients is None
    assert found.target.access == "scores"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_network_of_another_dtype_is_judged_by_its_own_rounding(net, digits, dtype):
    found = look(copy.deepcopy(net).to(dtype), digits)
    assert found.batch_invariant
    assert found.dtype == "float32"


# --- behaviour ---


def test_a_network_in_training_mode_is_refused(net, digits):
    with pytest.raises(InputError, match=r"`model` is in training mode.*model.eval\(\)"):
        probe(Target(model=mlp(64).train()), digits)


def test_batch_normalisation_by_the_batch_itself_is_found(digits):
    coupled = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64, track_running_stats=False), nn.Linear(64, 10))
    found = look(coupled, digits, allow_low_accuracy=True)
    assert found.batch_invariant is False
    assert found.deterministic


def test_centred_scores_depend_on_the_batch(net, digits):
    found = look(Through(net, lambda z: z - z.mean(0)), digits)
    assert found.batch_invariant is False
    assert "alone gets another answer than in a batch" in said(found)


def test_a_nondeterministic_network_is_distinguished_from_one_that_depends_on_the_batch(net, digits):
    found = look(Through(net, lambda z: z + 0.1 * torch.randn_like(z)), digits)
    assert not found.deterministic
    assert found.batch_invariant is None
    assert "nondeterministic" in said(found)


def test_a_program_for_one_batch_size_says_how_to_export_it(net, digits, tmp_path):
    torch.export.save(torch.export.export(net.eval(), (digits.x[:4],)), tmp_path / "fixed.pt2")
    with pytest.raises(InputError, match="your network, given a batch of shape") as refusal:
        look(tmp_path / "fixed.pt2", digits)
    assert "dynamic_shapes" in str(refusal.value)


def test_an_exported_program_keeps_its_gradients(net, digits, tmp_path):
    dynamic = ({0: torch.export.Dim("batch", min=1, max=4096)},)
    torch.export.save(torch.export.export(net.eval(), (digits.x[:4],), dynamic_shapes=dynamic), tmp_path / "net.pt2")
    found = look(tmp_path / "net.pt2", digits)
    assert found.has_gradients
    assert found.target.access == "gradients"
    assert found.batch_invariant
    assert found.accuracy == look(net, digits).accuracy


def test_a_batch_of_one_may_fail(net, digits):
    class Several(nn.Module):
        def forward(self, x):
            if len(x) == 1:
                raise ValueError("one is no batch")
            return net(x)

    found = look(Several(), digits)
    assert found.batch_invariant is False
    assert "refuses a batch of one" in said(found)


def test_every_question_is_counted_and_a_limit_is_kept(net, digits):
    """256 answers, 2 x 8 for repetition and 8 alone; nothing is asked for the clock's sake where questions are limited."""
    free = load_target(net, access="scores").target
    limited = replace(free, queries=QueryCounter(limit=300))
    found = probe(limited, digits)
    assert found.queries == limited.queries.count <= 300
    assert found.queries >= 256
    with pytest.raises(QueryBudgetError):
        probe(replace(free, queries=QueryCounter(limit=100)), digits)


def test_a_target_made_by_hand_is_probed_too(net, digits):
    found = probe(Target(model=Normalized(net, 0.0, 1.0).eval()), digits)
    assert found.accuracy == look(net, digits).accuracy


@pytest.mark.gpu
def test_a_network_on_a_gpu_gets_its_data_there(net, digits):
    found = probe(load_target(net, device="cuda").target, digits)
    assert found.accuracy == look(net, digits).accuracy
    assert found.t_forward > 0
