"""Every attack, in every norm and precision, keeps one promise: an input that is finite, allowed, and judged as it was returned."""

import copy
import inspect
import warnings
from dataclasses import replace
from functools import partial

import pytest
import torch

from holdfast import attacks
from holdfast.attacks import ThreatModel
from holdfast.core.errors import InputError
from holdfast.nets import predict, seeded

BOUNDS = (0.0, 1.0)
SIZES = {"linf": 0.15, "l2": 0.9, "l1": 3.0, "l0": 6}
ORDERS = {"linf": torch.inf, "l2": 2, "l1": 1, "l0": 0}
PRECISIONS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def by_ensemble(model, x, y, threat, **settings):
    return attacks.auto_attack(model, x, y, threat, steps=3, queries=10, **settings).combined


def by_sweep(model, x, y, threat):
    whole = float(torch.as_tensor(threat.eps).max())
    half = whole // 2 if threat.norm == "l0" else whole / 2
    return attacks.pgd_sweep(model, x, y, replace(threat, eps=0), eps=[half, whole], steps=3)[-1]


def by_prior(model, x, y, threat, **settings):
    guess = attacks.loss_gradient(model, y)
    return attacks.p_rgf(model, x, y, threat, prior=guess, truth=guess, queries=60, samples=6, **settings)


CONVEX, SMOOTH = ("linf", "l2", "l1"), ("linf", "l2")
DOORS = {
    "fgsm": ("fgsm", attacks.fgsm, (*CONVEX, "l0")),
    "pgd": ("pgd", partial(attacks.pgd, steps=5, restarts=2), (*CONVEX, "l0")),
    "pgd dlr": ("pgd", partial(attacks.pgd, steps=5, loss="dlr", momentum=0.9), (*CONVEX, "l0")),
    "pgd_sweep": ("pgd_sweep", by_sweep, (*CONVEX, "l0")),
    "apgd": ("apgd", partial(attacks.apgd, steps=8), CONVEX),
    "apgd dlr": ("apgd", partial(attacks.apgd, steps=8, loss="dlr"), CONVEX),
    "apgd_targeted": ("apgd_targeted", partial(attacks.apgd_targeted, steps=8), CONVEX),
    "fab": ("fab", partial(attacks.fab, steps=5, restarts=2), CONVEX),
    "fab_targeted": ("fab_targeted", partial(attacks.fab_targeted, steps=4), CONVEX),
    "auto_attack": ("auto_attack", by_ensemble, CONVEX),
    "random_noise": ("random_noise", partial(attacks.random_noise, draws=4), (*CONVEX, "l0")),
    "square": ("square", partial(attacks.square, queries=60), CONVEX),
    "nes": ("nes", partial(attacks.nes, queries=60, samples=6), SMOOTH),
    "rgf": ("rgf", partial(attacks.rgf, queries=60, samples=6), SMOOTH),
    "rgf orthogonal": ("rgf", partial(attacks.rgf, queries=60, samples=6, estimator="orthogonal", memory=True), SMOOTH),
    "p_rgf": ("p_rgf", by_prior, SMOOTH),
    "p_rgf orthogonal": ("p_rgf", partial(by_prior, estimator="orthogonal"), SMOOTH),
    "hopskipjump": ("hopskipjump", partial(attacks.hopskipjump, queries=120, first_samples=10), SMOOTH),
}
CASES = [(name, norm) for name, (_, _, norms) in DOORS.items() for norm in norms]


@pytest.fixture(scope="module")
def problems():
    """A network for each precision, with 12 of its inputs, both rounded, and the classes that it gives them."""
    with seeded(0):
        layers = (torch.nn.Flatten(), torch.nn.Linear(64, 24), torch.nn.ReLU(), torch.nn.Linear(24, 5))
        net = torch.nn.Sequential(*layers).eval()
        x = torch.rand(12, 1, 8, 8)
        x[:4] = (x[:4] > 0.5).float()  # some at the walls of the box

    def rounded(dtype):
        twin, inputs = copy.deepcopy(net).to(dtype), x.to(dtype)
        return twin, inputs, predict(twin, inputs).argmax(1)

    return {dtype: rounded(dtype) for dtype in PRECISIONS}


def test_the_list_names_every_attack_of_the_package():
    found = {
        name
        for name in attacks.__all__
        if inspect.isfunction(door := getattr(attacks, name)) and {"y", "threat"} <= set(inspect.signature(door).parameters)
    }
    assert found - {"check_masking", "nearest_adversarial"} == {name for name, _, _ in DOORS.values()}


@pytest.mark.parametrize("masked", [False, True], ids=["images", "rows with a mask"])
@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
@pytest.mark.parametrize(("name", "norm"), CASES)
def test_a_result_is_finite_allowed_and_judged_as_it_is_returned(problems, name, norm, dtype, masked):
    net, x, y = problems[dtype]
    x, mask = (x.flatten(1), torch.arange(64) % 3 > 0) if masked else (x, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = DOORS[name][1](net, x, y, ThreatModel(norm, SIZES[norm], bounds=BOUNDS, mask=mask))
    assert result.x_adv.dtype == dtype
    assert not masked or torch.equal(result.x_adv[:, ::3], x[:, ::3])
    assert bool(result.x_adv.isfinite().all())
    assert bool(((result.x_adv >= BOUNDS[0]) & (result.x_adv <= BOUNDS[1])).all())
    size = torch.linalg.vector_norm((result.x_adv.double() - x.double()).flatten(1), ord=ORDERS[norm], dim=1)
    assert float(size.max()) <= SIZES[norm] * (1 + 1e-5), "rounding to the input's precision must not lead out of the ball"
    torch.testing.assert_close(result.norm.double(), size, rtol=1e-4, atol=1e-6)
    assert torch.equal(result.success, predict(net, result.x_adv).argmax(1) != y)
    assert not result.invalid.any()
    assert not result.loss.isnan().any()


def one_hot(y):
    return torch.nn.functional.one_hot(y, 5)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda y: y + 1, r"`y` runs from \d to 5; allowed: 0 to 4"),
        (lambda y: y + 5, r"`y` runs from 5 to 9; allowed: 0 to 4"),
        (lambda y: y.masked_fill(y == 0, -100), "`y` has a smallest entry of -100; allowed: classes from 0 upwards"),
        (lambda y: y.float(), "`y` has dtype torch.float32.*one integer per example"),
        (lambda y: y > 2, "`y` has dtype torch.bool.*one integer per example"),
        (one_hot, r"`y` has .* shape \(12, 5\).*one integer per example"),
    ],
    ids=["from 1", "beyond", "negative", "floats", "booleans", "one-hot"],
)
@pytest.mark.parametrize("name", DOORS)
def test_labels_that_the_network_does_not_have_are_refused(problems, name, spoil, message):
    net, x, y = problems[torch.float32]
    with pytest.raises(InputError, match=message):
        DOORS[name][1](net, x, spoil(torch.arange(len(y)) % 5), ThreatModel("linf", 0.1))


@pytest.mark.parametrize("kind", [torch.uint8, torch.int16, torch.int32])
@pytest.mark.parametrize("name", DOORS)
def test_labels_of_any_integer_type_are_the_same(problems, name, kind):
    net, x, y = problems[torch.float32]
    few, wide = (DOORS[name][1](net, x, labels, ThreatModel("linf", 0.1)) for labels in (y.to(kind), y))
    assert torch.equal(few.x_adv, wide.x_adv)


TARGETED = {name: door for name, (_, door, _) in DOORS.items() if "target_class" in inspect.signature(door).parameters}


@pytest.mark.parametrize(
    ("goal", "message"), [(5, "runs from 5 to 5; allowed: 0 to 4"), (-1, "smallest entry of -1"), (1.5, "float")]
)
@pytest.mark.parametrize("name", [*TARGETED, "p_rgf"])
def test_target_classes_that_the_network_does_not_have_are_refused(problems, name, goal, message):
    net, x, y = problems[torch.float32]
    with pytest.raises(InputError, match=f"`target_class` .*{message}"):
        DOORS[name][1](net, x, y, ThreatModel("linf", 0.1), target_class=goal)


def test_labels_alone_that_are_never_right_are_pointed_out(problems):
    """Ten examples or more are beyond bad luck: an attack on them would report a success that is none."""
    net, x, y = problems[torch.float32]
    attack = partial(attacks.hopskipjump, lambda x: net(x).argmax(1), threat=ThreatModel("l2", 0.5), queries=20)
    with pytest.raises(InputError, match=r"none of the 12 examples its label.*start at 1"):
        attack(x, y + 5)
    with pytest.warns(UserWarning, match=r"gives none of the 6 examples its label.*start at 1"):
        assert attack(x[:6], y[:6] + 5).success_rate.value == 1


@pytest.mark.parametrize("size", [0.5, 8.0, 300.0])
@pytest.mark.parametrize(("name", "norm"), CASES)
def test_a_network_that_is_flat_leaves_finite_inputs_at_every_size(problems, name, norm, size):
    """Size over length is infinite where a slope is zero, and infinity times zero is no number."""
    _, x, y = problems[torch.float32]
    result = DOORS[name][1](
        lambda x: 0 * x.flatten(1)[:, :5] + 3 * (torch.arange(5) == 0), x, 0 * y, ThreatModel(norm, size // 1 + 1)
    )
    assert bool(result.x_adv.isfinite().all())
    assert not result.success.any()


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("name", ["fgsm", "pgd", "apgd"])
def test_slopes_whose_squares_are_zero_lead_as_far_as_any(problems, name, norm):
    net, x, y = problems[torch.float32]
    attack = partial(DOORS[name][1], loss="cw_margin")
    found = [attack(lambda x, scale=scale: scale * net(x), x, y, ThreatModel(norm, 0.6)) for scale in (1.0, 2.0**-90)]
    torch.testing.assert_close(found[0].x_adv, found[1].x_adv)


@pytest.mark.parametrize("name", ["pgd", "square", "hopskipjump", "fab"])
def test_an_input_that_is_not_finite_is_never_a_result(problems, name, monkeypatch):
    """Whatever went wrong in an attack's arithmetic: the example itself comes back, and does not count as fooled."""
    from holdfast.attacks.problem import Problem

    net, x, y = problems[torch.float32]
    asked = Problem.ask

    def spoiled(self, rows, inputs):
        if len(inputs) and not torch.equal(inputs, self.x[rows]):
            inputs.detach()[:, 0, 0] = torch.nan  # in place: what the attack goes on with
        return asked(self, rows, inputs)

    monkeypatch.setattr(Problem, "ask", spoiled)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = DOORS[name][1](net, x, y, ThreatModel("linf" if name != "square" else "l2", 0.3))
    assert torch.equal(result.x_adv, x)
    assert not result.success.any()


def test_a_result_made_by_hand_counts_no_input_that_is_not_finite(problems):
    net, x, y = problems[torch.float32]
    found = attacks.pgd(net, x, y, ThreatModel("linf", 0.3), steps=3)
    spoiled = found.x_adv.clone()
    spoiled[0, 0, 0, 0] = torch.nan
    spoiled[1, 0, 0, 0] = torch.inf
    made = replace(found, x_adv=spoiled, success=torch.ones_like(found.success))
    assert made.success.tolist() == [False, False] + [True] * 10
    assert attacks.worst_case({"made": made}).first.tolist() == [-1, -1] + [0] * 10


@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
@pytest.mark.parametrize("norm", CONVEX)
def test_the_nearest_input_is_finite_and_as_near_as_it_says(problems, norm, dtype):
    net, x, y = problems[dtype]
    nearest = attacks.nearest_adversarial(net, x, y, ThreatModel(norm, SIZES[norm]), steps=6)
    assert nearest.x_adv.dtype == dtype
    size = torch.linalg.vector_norm((nearest.x_adv.double() - x.double()).flatten(1), ord=ORDERS[norm], dim=1)
    found = nearest.norm.isfinite()
    assert bool(found.any())
    assert bool((size[found] <= nearest.norm[found].double() * (1 + 1e-4) + 1e-6).all())
    assert torch.equal(predict(net, nearest.x_adv).argmax(1) != y, found)
