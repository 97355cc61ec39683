"""Networks that read images: expected gradients, and attacks as the paper made them and as somebody would who wants to get in."""

from __future__ import annotations

import warnings
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from torch import nn

from holdfast.attacks import ThreatModel
from holdfast.bayes import adaptive_protocol, cancellation_ratio, expected_input_gradient, paper_protocol
from holdfast.core.estimate import exact, mean_t, proportion
from holdfast.core.experiment import Measurement
from holdfast.data import load_images
from holdfast.nets import mlp, predict
from holdfast.studies.bayesian_robustness.samples import Workshop, facts

if TYPE_CHECKING:
    from holdfast.bayes import Posterior, ProtocolResult
    from holdfast.core.estimate import Estimate
    from holdfast.core.experiment import Context, Point
    from holdfast.data.examples import Examples
    from holdfast.studies.bayesian_robustness.recipes import Images, Sweep

__all__ = ["measure_images", "measure_sweep"]


@lru_cache(maxsize=4)
def part_of(name: str, split: str, n: int) -> Examples:
    """So many images, stratified, read once per process."""
    return load_images(name, split, n=n, seed=1)


def _net(inputs: int, classes: int, hidden: tuple[int, ...], seed: int) -> nn.Module:
    return mlp(inputs, hidden=hidden, classes=classes, activation=nn.LeakyReLU, seed=seed)


def _workshop(context: Context, data: str, n: int, hidden: tuple[int, ...]) -> Workshop:
    train = part_of(data, "train", n)
    make_net = partial(_net, train.x[0].numel(), train.classes, hidden)
    return Workshop(context, make_net, train, plan={"data": data, "n": n, "hidden": list(hidden)})


def posterior_of(recipe: Images, model: str, context: Context) -> Posterior:
    """The samples of weights that `model` stands for."""
    if model == "vi":
        return _workshop(context, recipe.data, recipe.vi.examples, recipe.vi_hidden).variational(recipe.vi)
    shop = _workshop(context, recipe.data, recipe.examples, recipe.hidden)
    if model == "hmc":
        return shop.chains(recipe.hmc)
    if model == "hmc_few":
        assert recipe.few is not None, "a point asks for few chains, but the recipe has none"
        return shop.chains(recipe.few, name="few")
    members = shop.members(recipe.members, epochs=recipe.epochs, lr=recipe.lr, batch_size=recipe.batch_size)
    return members if model == "ensemble" else members.take([0])


def measure_images(recipe: Images, point: Point, context: Context) -> Measurement:
    """One posterior without attack, or under the attacks of one protocol at one size."""
    post = posterior_of(recipe, point["model"], context)
    test = part_of(recipe.data, "test", recipe.points).to(context.device)
    if point["protocol"] == "clean":
        return _clean(recipe, post, test, context)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The gradient of .* is exactly zero", category=UserWarning)  # counted below
        results = _attacked(recipe, post, test, point)
    estimates: dict[str, Estimate] = {}
    arrays: dict[str, Any] = {}
    for name, outcome in results.outcomes.items():
        arrays[f"{name}.right"] = (~outcome.result.success).cpu().numpy()
        arrays[f"{name}.softmax"] = outcome.robustness.cpu().numpy()
        estimates |= {f"{name}.accuracy": outcome.accuracy, f"{name}.softmax": outcome.softmax_robustness}
        if point["protocol"] == "code":  # which measures after that second softmax as well
            estimates[f"{name}.softmax_twice"] = outcome.softmax_robustness_twice
    arrays["worst.right"] = (~results.worst.combined.success).cpu().numpy()
    arrays["worst.softmax"] = results.robustness.cpu().numpy()
    estimates |= {"worst.accuracy": results.accuracy, "worst.softmax": results.softmax_robustness}
    estimates["zero_gradients"] = proportion(results.zero_gradients, len(test))
    about = facts(post) | {
        "attack_samples": results.attack_samples,
        "defence_samples": results.defence_samples,
        "overlap": results.overlap,
    }
    return Measurement(estimates=estimates, arrays=arrays, details=about)


def _attacked(recipe: Images, post: Posterior, test: Examples, point: Point) -> ProtocolResult:
    eps = float(point["eps"])
    threat = ThreatModel("linf", eps)
    if point["protocol"] == "adaptive":
        effort: dict[str, Any] = {"steps": recipe.climbs, "restarts": recipe.restarts, "queries": recipe.queries}
        return adaptive_protocol(post, test.x, test.y, threat, **effort)
    if point["protocol"] == "code":  # one sample attacks, through a second softmax
        return paper_protocol(post, test.x, test.y, threat)
    pace: dict[str, Any] = {"steps": recipe.steps, "step_size": 2.5 * eps / recipe.steps}
    return paper_protocol(post, test.x, test.y, threat, loss=point["protocol"], attack_samples=None, **pace)


def _clean(recipe: Images, post: Posterior, test: Examples, context: Context) -> Measurement:
    at = sorted({size for size in recipe.at if size <= len(post)} | {len(post)})
    table = cancellation_ratio(post, test.x, test.y, samples=at)
    more = part_of(recipe.data, "test", recipe.test).to(context.device)
    right = (predict(post.as_module(), more.x).argmax(1) == more.y).cpu().numpy()
    estimates: dict[str, Estimate] = {"accuracy": proportion(int(right.sum()), len(right)), "single": table.single_norm}
    for row in table.rows:
        estimates |= {f"r{row.samples}": row.ratio, f"largest{row.samples}": row.largest}
    gradient = expected_input_gradient(post, test.x, test.y)
    estimates["zero_gradients"] = proportion(int(gradient.zero_rows.sum()), len(test))
    if post.diagnostics is not None:
        says = post.diagnostics
        names = ("rhat_logits", "worst_rhat_logits", "ess_logits", "rhat_potential", "divergences")
        estimates |= {name: exact(getattr(says, name)) for name in names}
        estimates["accept"] = mean_t(says.accept) if len(says.accept) > 1 else exact(says.accept[0])
    lengths = gradient.norm.cpu().numpy()
    return Measurement(estimates=estimates, arrays={"right": right, "gradient_norm": lengths}, details=facts(post))


def measure_sweep(recipe: Sweep, point: Point, context: Context) -> Measurement:
    """Accuracy and softmax robustness of one setting under FGSM along the expected gradient."""
    shop = _workshop(context, recipe.data, int(point["examples"]), (int(point["width"]),))
    post = shop.chains(recipe.hmc, std=float(point["std"]), name="sweep")
    test = part_of(recipe.data, "test", recipe.points).to(context.device)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The gradient of .* is exactly zero", category=UserWarning)
        found = paper_protocol(
            post, test.x, test.y, ThreatModel("linf", recipe.eps), methods=("fgsm",), loss="expected", attack_samples=None
        )
    estimates = {"clean": found.clean_accuracy, "attacked": found.accuracy, "softmax": found.softmax_robustness}
    return Measurement(estimates=estimates, details=facts(post))
