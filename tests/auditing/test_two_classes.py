"""A network with one number per example gets the figures of its twin with two outputs."""

import pytest
import torch
from torch import nn

import holdfast
from holdfast.auditing.loading.target import load_target
from holdfast.auditing.loading.two_classes import two_classes
from holdfast.auditing.probing.probe import probe
from holdfast.core.errors import InputError
from holdfast.data import Examples

FORMS = {
    "column": lambda z: z,
    "vector": lambda z: z[:, 0],
    "squeezed": torch.squeeze,
    "image": lambda z: z[:, :, None, None],
    "sigmoid": torch.sigmoid,
}


class One(nn.Module):
    """The logit of class 1, in some form; the twin returns it beside a zero, in a mapping, as its layers then lie as deep."""

    def __init__(self, form):
        super().__init__()
        self.layers, self.form = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 1)), form

    def forward(self, x):
        z = self.layers(x)
        return {"logits": torch.cat((torch.zeros_like(z), z), 1)} if self.form == "twin" else FORMS[self.form](z)


@pytest.fixture(scope="module")
def pairs(digits_small):
    """The digits 0 and 1, to train and to test."""
    return tuple(Examples(part.x[part.y < 2], part.y[part.y < 2]) for part in digits_small)


@pytest.fixture(scope="module")
def make(pairs):
    """A factory of one trained network in every form."""
    torch.manual_seed(0)
    trained, (train, _) = One("vector"), pairs
    optimizer = torch.optim.Adam(trained.parameters(), 1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(trained(train.x), train.y.float()).backward()
        optimizer.step()

    def formed(form):
        net = One(form)
        net.load_state_dict(trained.state_dict())
        return net

    return formed


def figures(report):
    return {
        (name, str(point.at)): point.metrics["accuracy"].value
        for card in report.document.cards.values()
        for name, stress in card.stresses.items()
        for point in stress.points
        if "accuracy" in point.metrics
    }


STRESSES = ["clean", "pgd", "apgd", "fgsm", "weight_bits", "weight_noise", "act_bits", "activation_variation"]
SETTINGS = {
    "data": {"examples": 80},
    "adversarial": {"pgd": {"steps": 5}, "apgd": {"steps": 5, "goals": 2, "eps": (0.05,)}},
    "device": {"weight_noise": {"chips": 3}, "activation_variation": {"chips": 3}},
}


@pytest.fixture(scope="module")
def twin(make, pairs, tmp_path_factory):
    return figures(
        holdfast.audit(make("twin"), pairs[1], stresses=STRESSES, settings=SETTINGS, out=str(tmp_path_factory.mktemp("twin")))
    )


@pytest.mark.parametrize("form", ["column", "sigmoid"])
def test_the_audit_of_one_number_finds_what_that_of_two_logits_finds(make, pairs, twin, tmp_path, form):
    report = holdfast.audit(make(form), pairs[1], outputs="binary", stresses=STRESSES, settings=SETTINGS, out=str(tmp_path / "run"))
    assert (report.exit_code, report.document.run.status) == (0, "complete")
    assert not report.document.skipped
    found = figures(report)
    assert found.keys() == twin.keys()
    # the rounding of log(1 - p) may move a decision on the edge
    assert max(abs(found[key] - twin[key]) for key in twin) <= (2 / 80 if form == "sigmoid" else 0)


@pytest.mark.parametrize("form", FORMS)
def test_the_remedy_for_one_number_works(make, pairs, form):
    with pytest.raises(InputError, match=r"one number per example.*--outputs binary \(Python: outputs='binary'\)"):
        probe(load_target(make(form)).target, pairs[1])
    found = probe(load_target(make(form), outputs="binary").target, pairs[1])
    assert (found.classes, found.outputs_look_like, found.target.access, found.batch_invariant) == (2, "logits", "weights", True)
    expected = make("twin").eval()(pairs[1].x)["logits"].softmax(1).detach()
    assert torch.allclose(found.target(pairs[1].x).detach().softmax(1), expected, atol=1e-6)


def test_the_report_says_what_the_number_was_taken_for(make, pairs):
    notes = {
        form: " ".join(probe(load_target(make(form), outputs="binary").target, pairs[1]).notes) for form in ("column", "sigmoid")
    }
    assert "read as a logit" in notes["column"]
    assert "read as the probability of class 1" in notes["sigmoid"]
    assert "--outputs binary-logits" in notes["sigmoid"]


def test_the_reading_may_be_declared(make, pairs):
    x = pairs[1].x
    as_logits = probe(load_target(make("sigmoid"), outputs="binary-logits").target, pairs[1], allow_low_accuracy=True)
    assert torch.equal(as_logits.target(x)[:, 1], make("sigmoid").eval()(x)[:, 0])
    assert not as_logits.target(x)[:, 0].any()
    as_shares = probe(load_target(make("sigmoid"), outputs="binary-probabilities").target, pairs[1])
    assert torch.allclose(as_shares.target(x)[:, 1].exp(), make("sigmoid").eval()(x)[:, 0])
    with pytest.raises(InputError, match=r"declares probabilities of class 1, and a number is .*--outputs binary-logits"):
        probe(load_target(make("column"), outputs="binary-probabilities").target, pairs[1])


def test_late_logits_are_not_missed(pairs):
    """The first rows look like probabilities, and one of the others does not."""
    data = pairs[1][:50]

    class Late(nn.Module):
        def forward(self, x):
            return x.flatten(1).mean(1) + 2 * (x == data.x[40]).flatten(1).all(1)

    found = probe(load_target(Late(), outputs="binary").target, data, allow_low_accuracy=True)
    assert "read as a logit" in " ".join(found.notes)


def test_a_function_may_return_one_number(make, pairs):
    net = make("sigmoid").eval()
    found = probe(load_target(lambda x: net(x).detach().numpy(), access="scores", outputs="binary").target, pairs[1])
    assert found.accuracy == probe(load_target(make("twin")).target, pairs[1]).accuracy


def test_a_normalised_network_of_half_precision_may_return_one_number(make, pairs):
    loaded = load_target(make("column").to(torch.bfloat16), normalize="0,1", outputs="binary")
    found = probe(loaded.target, pairs[1])
    assert found.accuracy.value > 0.95
    assert torch.allclose(found.target(pairs[1].x[:5])[:, 1], make("column")(pairs[1].x[:5])[:, 0], rtol=0.05, atol=0.1)


def test_several_numbers_are_not_one(make, pairs, digits_small):
    with pytest.raises(InputError, match=r"declares one number per example, and the network returns shape \(8, 2\).*Leave out"):
        probe(load_target(make("twin"), outputs="binary").target, pairs[1])
    with pytest.raises(InputError, match="cannot name one of 10 classes"):
        probe(load_target(make("column")).target, digits_small[1])
    with pytest.raises(InputError, match=r"`outputs` is 'binery'; allowed: .*Did you mean 'binary'"):
        load_target(make("column"), outputs="binery")


def test_two_logits_are_finite_and_their_gradient_is_that_of_the_number():
    """For p from 0 to 1, and the cross entropy of class 1 has the slope -1 in log p."""
    p = torch.tensor([0.0, 1e-45, 0.25, 1.0], requires_grad=True)
    pairs = two_classes(p, "probabilities")
    assert pairs.isfinite().all()
    assert torch.allclose(pairs.softmax(1)[:, 1], p)
    (slope,) = torch.autograd.grad(-pairs.log_softmax(1)[2, 1], p)
    assert torch.allclose(slope, torch.tensor([0.0, 0.0, -4.0, 0.0]))


@pytest.mark.parametrize("answer", [lambda z: {"logits": z}, lambda z: (z, z)])
def test_one_number_inside_a_container(make, pairs, answer):
    inner = make("column")

    class Held(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return answer(self.inner(x))

    key = None if isinstance(answer(0), dict) else "0"
    found = probe(load_target(Held(), outputs="binary", output_key=key).target, pairs[1])
    assert found.accuracy == probe(load_target(make("twin")).target, pairs[1]).accuracy
