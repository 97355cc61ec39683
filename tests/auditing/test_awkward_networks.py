"""Networks that behave badly get the figures of their well-behaved twins."""

import pytest
import torch
from torch import nn

import holdfast
from holdfast.attacks import ThreatModel, fgsm, pgd
from holdfast.attacks.query import square
from holdfast.auditing.stresses.answers import chips_measured
from holdfast.auditing.stresses.clean import Clean
from holdfast.core.estimate import proportion
from holdfast.core.stress import StressContext
from holdfast.core.target import Target, predicted_classes
from holdfast.data import Examples
from holdfast.hardware import chips
from holdfast.nets import evaluate, features, layer_records, predict, stacked_predict


class Rescaled(nn.Module):
    """Images in [0, 1] stretched before the network, in place or not; the weights are those of the digits network."""

    def __init__(self, net, how):
        super().__init__()
        self.net, self.how = net, how

    def forward(self, x):
        if self.how == "apart":
            return self.net(x * 0.5 + 0.25)
        if self.how == "detached":  # no version of the tensor tells of it
            x.data.mul_(0.5).add_(0.25)
            return self.net(x)
        if self.how == "without gradients":
            return self.net(x * 0.5 + 0.25).detach()
        if self.how == "numpy":
            image = x.detach().numpy()
            image *= 0.5
            image += 0.25
            return self.net(x)
        return self.net(x.mul_(0.5).add_(0.25))


class Reused(nn.Module):
    """Answers with the same memory at every call, as a captured graph does."""

    def __init__(self, net, *, reuses=True):
        super().__init__()
        self.net, self.reuses, self.memory = net, reuses, torch.empty(1000, 10)

    def forward(self, x):
        logits = self.net(x)
        if logits.requires_grad or not self.reuses:
            return logits
        return self.memory[: len(x)].copy_(logits)


STRESSES = {
    "data": {"examples": 80},
    "adversarial": {
        "pgd": {"steps": 3, "eps": (0.0, 0.1)},
        "apgd": {"steps": 3, "goals": 2, "eps": (0.1,), "examples": 80},
        "fgsm": {"eps": (0.0, 0.1)},
        "square": {"examples": 20, "queries": 20, "eps": 0.1},
        "hopskipjump": {"examples": 5, "queries": 100, "eps": 0.1},
        "masking": {"examples": 20, "steps": 3, "queries": 20, "eps": 0.1},
    },
    "precision": {"weight_bits": {"bits": (8, 3)}, "act_bits": {"bits": (8, 3)}},
    "device": {
        "weight_noise": {"chips": 2, "sigma": (0.0, 0.1), "kinds": ("additive",)},
        "activation_variation": {"chips": 2, "spread": (0.0, 0.1)},
    },
    "shift": {"corruptions": {"kinds": ("fog",), "severities": (3,)}},
    "run": {"threads": 1, "batch_size": 30},
}


def figures(report):
    """Every estimate of the report, by stress and point."""
    return {
        (name, str(point.at), metric): (estimate.value, estimate.lo, estimate.hi)
        for card in report.document.cards.values()
        for name, stress in card.stresses.items()
        for point in stress.points
        for metric, estimate in point.metrics.items()
    }


def audited(net, data, out, **settings):
    return holdfast.audit(net, data, out=str(out), settings=STRESSES, allow_low_accuracy=True, **settings)


@pytest.fixture(scope="module")
def tidy(digits_cnn, digits_small, tmp_path_factory):
    return figures(audited(Rescaled(digits_cnn, "apart"), digits_small[1], tmp_path_factory.mktemp("tidy") / "run"))


@pytest.mark.parametrize("how", ["in place", "detached"])
def test_no_stress_is_misled_by_a_network_that_changes_its_input(tidy, digits_cnn, digits_small, tmp_path, how):
    before = digits_small[1].x.clone()
    found = figures(audited(Rescaled(digits_cnn, how), digits_small[1], tmp_path / "run"))
    assert torch.equal(digits_small[1].x, before)
    assert found.keys() == tidy.keys()
    slope = (
        {"fgsm", "pgd", "apgd", "masking", "worst_case"} if how == "detached" else set()
    )  # it cuts the scaling from the gradient
    assert {key: value for key, value in found.items() if key[0] not in slope} == {
        key: value for key, value in tidy.items() if key[0] not in slope
    }


def test_a_network_without_gradients_gets_all_figures_but_those_of_attacks_that_follow_them(
    tidy, digits_cnn, digits_small, tmp_path
):
    report = audited(Rescaled(digits_cnn, "without gradients"), digits_small[1], tmp_path / "run")
    assert {entry.stress for entry in report.document.skipped} == {"fgsm", "pgd", "apgd", "masking"}
    assert all("no gradient reaches the input: look for torch.no_grad()" in entry.reason for entry in report.document.skipped)
    slope = {"fgsm", "pgd", "apgd", "masking", "worst_case"}
    found = {key: value for key, value in figures(report).items() if key[0] not in slope}
    assert found == {key: value for key, value in tidy.items() if key[0] not in slope}
    assert {"weight_bits", "act_bits", "weight_noise", "activation_variation"} <= {name for name, *_ in found}


def test_no_stress_is_misled_by_a_network_that_answers_in_the_same_memory(digits_cnn, digits_small, tmp_path):
    stresses = ["clean", "fgsm", "pgd", "square", "weight_bits", "weight_noise", "corruptions"]
    plain, reused = (
        figures(audited(Reused(digits_cnn, reuses=reuses), digits_small[1], tmp_path / f"{reuses}", stresses=stresses))
        for reuses in (False, True)
    )
    assert reused == plain


def test_a_function_that_changes_the_array_behind_its_input_gets_the_figures_of_one_that_does_not(
    digits_cnn, digits_small, tmp_path
):
    found = [
        figures(audited(Rescaled(digits_cnn.eval(), how).__call__, digits_small[1], tmp_path / how, access="scores"))
        for how in ("apart", "numpy")
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("attack", [fgsm, pgd, square])
def test_attacks_on_a_plain_network_neither_spoil_their_images_nor_lose_their_gradient(digits_cnn, digits_small, attack):
    x, y = digits_small[1].x[:40].clone(), digits_small[1].y[:40]
    threat = ThreatModel("linf", 0.1)
    tidy, untidy = (attack(Rescaled(digits_cnn, how), x, y, threat) for how in ("apart", "in place"))
    assert torch.equal(x, digits_small[1].x[:40])
    assert torch.equal(tidy.x_adv, untidy.x_adv)
    assert torch.equal(tidy.success, untidy.success)


def test_answers_of_a_plain_network_do_not_spoil_the_data(digits_cnn, digits_small):
    data = digits_small[1][:50]
    x = data.x.clone()
    net = Rescaled(digits_cnn, "in place")
    accuracy = evaluate(net, data, batch_size=20).accuracy
    assert evaluate(net, data, batch_size=20).accuracy == accuracy == evaluate(Rescaled(digits_cnn, "apart"), data).accuracy
    weight = net.get_parameter("net.head.weight").detach()
    each = stacked_predict(net, {"net.head.weight": weight.expand(3, *weight.shape)}, data.x)
    assert torch.equal(each[0], each[2])
    layer_records(net, data.x)
    features(net, data.x, ["net"])
    assert torch.equal(data.x, x)
    assert torch.equal(predict(Reused(digits_cnn), data.x, batch_size=20), predict(digits_cnn, data.x, batch_size=20))


def test_an_activation_in_place_does_not_change_the_features_before_it():
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 2))
    x = torch.rand(5, 4)
    assert torch.equal(features(net, x, ["0"])["0"], net[0](x))


class Gridded(nn.Module):
    """NaN for images with other values than those of the digits, multiples of 1/16."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        off = (x * 16 != (x * 16).round()).flatten(1).any(1)
        return self.net(x).masked_fill(off[:, None], torch.nan)


@pytest.mark.filterwarnings("ignore:The model answered")
def test_an_answer_of_nan_is_wrong_counted_and_a_finding(digits_cnn, digits_small, tmp_path):
    stresses = ["clean", "fgsm", "square", "corruptions", "weight_noise"]
    report = audited(Gridded(digits_cnn), digits_small[1], tmp_path / "run", stresses=stresses)
    found = figures(report)
    fog = ("corruptions", "{'corruption': 'fog', 'severity': 3}")
    assert (found[*fog, "accuracy"][0], found[*fog, "not_finite"][0]) == (0.0, 1.0)
    assert found["fgsm", "{'eps': 0.1}", "accuracy"][0] == 0.0
    clean = {("clean", "{}"), ("fgsm", "{'eps': 0.0}"), ("weight_noise", "{'sigma': 0.0}")}
    assert all((*point, "not_finite") not in found for point in clean)
    finding = next(entry for entry in report.document.findings if entry.id == "shift.corruptions.not_finite")
    assert finding.severity == "high"
    assert finding.evidence == "shift.corruptions.not_finite[corruption=fog, severity=3]"
    assert "1.000 [0.954, 1.000]" in finding.text  # Wilson, 80 of 80
    assert finding.text in report.page.read_text()


def test_clean_answers_of_nan_are_wrong_in_every_figure(digits_cnn, digits_small):
    data = digits_small[1][:200]
    lost = torch.arange(200) % 4 == 0

    def some(x):
        logits = digits_cnn(x)
        return logits.masked_fill((x[:, None] == data.x[lost]).flatten(2).all(2).any(1)[:, None], torch.nan)

    right = evaluate(digits_cnn, data).correct & ~lost
    assert torch.equal(evaluate(some, data).correct, right)
    found = Clean().measure({}, StressContext(target=Target(model=some), data=data))
    assert found.estimates["accuracy"] == proportion(int(right.sum()), 200)
    assert found.estimates["not_finite"] == proportion(50, 200)
    assert [entry["value"] for entry in found.details["per_class"]] == [
        pytest.approx(float(right[data.y == label].float().mean())) for label in range(10)
    ]
    assert sum(map(sum, found.details["confusion"])) == 150
    assert (found.arrays["prediction"][lost] == -1).all()
    rest = Clean().measure({}, StressContext(target=Target(model=digits_cnn), data=data[~lost]))
    assert found.estimates["nll"] == rest.estimates["nll"]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_an_answer_that_is_not_finite_names_no_class(value):
    scores = torch.tensor([[[0.0, 1.0], [1.0, 0.0]], [[value, 1.0], [1.0, value]]])
    assert predicted_classes(scores).tolist() == [[1, 0], [-1, -1]]
    assert Target(model=lambda x: x).labels(scores[1]).tolist() == [-1, -1]


def test_a_chip_that_answers_nan_is_wrong():
    net = nn.Sequential(nn.Linear(2, 2, bias=False))
    data = Examples(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]))

    def draw(number):
        return {"0.weight": torch.tensor([[1.0, 1.0], [0.0, 0.0]]) if number == 0 else torch.full((2, 2), torch.nan)}

    found = chips(net, data, draw, count=2)
    assert found.correct.tolist() == [[True, True], [False, False]]
    assert found.not_finite == 0.5
    assert chips_measured(found).estimates["not_finite"].value == 0.5
