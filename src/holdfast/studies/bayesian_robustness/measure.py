"""What one point measures, part by part."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import torch

from holdfast import bayes
from holdfast.attacks import ThreatModel, pgd
from holdfast.core.estimate import share_of
from holdfast.core.experiment import Measurement
from holdfast.core.posteriors import HMC, AttackEffort, SampledPerceptron
from holdfast.data import embed, half_moons, load_images, random_plane
from holdfast.nets import predict

if TYPE_CHECKING:
    from holdfast.core.estimate import Estimate
    from holdfast.core.experiment import Context, Point
    from holdfast.data.examples import Examples

__all__ = ["DISTANCES", "DRAWS", "SIZES", "SMALL", "attack", "moons", "plane", "posterior", "regression", "setting"]

DIMENSION = 20  # of the space in which half-moons and the regression's data fill 2 dimensions
SIZES, DRAWS = (1, 25, 50, 100, 400), (1, 4, 16, 64, 256)  # samples in a mean: of half-moons, of exact draws
DISTANCES, FAR = (0.0, 0.25, 0.5, 1.0), (-9.0, 9.0)  # of the attack off the data, in L2; walls that it does not reach
TEST = 2000  # images for the accuracy without attack
SMALL, SWEPT = 0.1, 500  # eps in L-infinity, and attacked images, of the sweep
SWEEP = HMC(chains=4, samples=10, warmup=20, steps=10)


@lru_cache(maxsize=4)
def images(name: str, split: str, n: int) -> Examples:
    """Images, stratified, read once per process."""
    return load_images(name, split, n=n, seed=1)


def _posterior(study: Any, point: Point, context: Context) -> bayes.Posterior:
    settings, train = dict(study.readers)[point["data"]], partial(images, point["data"], "train")
    return bayes.perceptron_posterior(settings, point["model"], train, context)


def posterior(study: Any, point: Point, context: Context) -> Measurement:
    """Accuracy of one posterior without attack, how far its gradients cancel, and what its chains say of themselves."""
    post = _posterior(study, point, context)
    some, more = (images(point["data"], "test", n).to(context.device) for n in (study.attacked, TEST))
    at = sorted({size for size in study.at if size <= len(post)} | {len(post)})
    right = (predict(post.as_module(), more.x).argmax(1) == more.y).cpu().numpy()
    gradient = bayes.expected_input_gradient(post, some.x, some.y)
    estimates = bayes.cancellation_ratio(post, some.x, some.y, samples=at).estimates() | {"accuracy": share_of(right)}
    estimates["zero_gradients"] = share_of(gradient.zero_rows.cpu().numpy())
    estimates |= post.diagnostics.estimates if post.diagnostics else {}
    arrays = {"right": right, "gradient_norm": gradient.norm.cpu().numpy()}
    return Measurement(estimates=estimates, arrays=arrays, details=post.facts)


def moons(study: Any, point: Point, context: Context) -> Measurement:
    """Cancellation along and off the data, accuracy under attacks off the data, and the longest gradients, over mean length."""
    axes = random_plane(DIMENSION, size=4, generator=context.seeds.numpy("plane"))

    def load(n: int, seed: int = 1) -> Examples:
        return embed(half_moons(n, seed=seed, scaling="centred"), axes[:, :2])

    post, test = bayes.perceptron_posterior(study.moons, point["model"], load, context), load(study.shown, 2).to(context.device)
    estimates: dict[str, Estimate] = {}
    basis, at = axes[:, :2].to(context.device), [size for size in SIZES if size <= len(post)]
    parts = {"tangential": lambda g: bayes.split_gradient(g, basis).tangential}
    parts |= {"orthogonal": lambda g: bayes.split_gradient(g, basis).orthogonal}
    for name, part in parts.items():
        table = bayes.cancellation_ratio(post, test.x, test.y, samples=at, part=part)
        estimates |= table.estimates(f"{name}.", slope=name == "orthogonal" and len(at) > 1)
    off: dict[str, Any] = {"steps": 20, "random_start": False, "grad_transform": (bayes.orthogonal_to(basis),)}
    threats = [ThreatModel("l2", distance, bounds=FAR) for distance in DISTANCES[1:]]
    fooled = [pgd(post.as_module(), test.x, test.y, threat, **off).success for threat in threats]
    right = [post.log_predictive(test.x).argmax(1) == test.y, *(~success for success in fooled)]
    one, every = (bayes.expected_input_gradient(some, test.x, test.y) for some in (post.take([0]), post))
    both = (torch.stack([one.mean, every.mean], 1) / every.sample_norms.mean(0)[:, None, None]).cpu().float() @ axes
    longest = every.sample_norms.mean(0).argsort(descending=True)[:20]
    arrays = {"right": torch.stack(right, 1), "z": test.x[longest] @ basis, "y": test.y[longest], "gradients": both[longest.cpu()]}
    return Measurement(estimates=estimates, arrays={key: item.cpu().numpy() for key, item in arrays.items()}, details=post.facts)


def plane(study: Any, point: Point, context: Context) -> Measurement:
    """Expected gradients at test points of half-moons that fill their plane, after training on some of them."""
    load = partial(half_moons, seed=1, scaling="box")
    post = bayes.perceptron_posterior(replace(study.plane, examples=point["examples"]), "hmc", load, context)
    test = half_moons(study.shown, seed=2, scaling="box").to(context.device)
    row = bayes.cancellation_ratio(post, test.x, test.y, samples=(1, len(post))).rows[-1]
    right = (post.log_predictive(test.x).argmax(1) == test.y).cpu().numpy()
    arrays = {"right": right, "norm": bayes.expected_input_gradient(post, test.x, test.y).norm.cpu().numpy()}
    estimates = {"single": row.single_norm, "norm": row.mean_norm, "ratio": row.ratio, "accuracy": share_of(right)}
    return Measurement(estimates=estimates, arrays=arrays, details=post.facts)


def regression(study: Any, point: Point, context: Context) -> Measurement:
    r"""How gradients off the data cancel under exact posterior draws of :math:`y = w \cdot x` with unit noise and prior."""
    basis, draw = random_plane(DIMENSION, generator=context.seeds.numpy("plane")), context.seeds.torch("regression")
    x = torch.randn(100, 2, generator=draw) @ basis.T
    post = bayes.linear_regression(x, x.sum(1) + torch.randn(100, generator=draw), samples=study.draws, generator=draw)
    settings: dict[str, Any] = {"loss": lambda outputs, _: outputs[:, 0].square() / 2, "samples": DRAWS}
    settings |= {"part": lambda g: bayes.split_gradient(g, basis).orthogonal}
    table = bayes.cancellation_ratio(post, x, torch.zeros(100, dtype=torch.long), **settings)
    return Measurement(estimates=table.estimates("orthogonal.", slope=True), details=post.facts)


def attack(study: Any, point: Point, context: Context) -> Measurement:
    """One posterior under the attacks of one protocol at one size."""
    post, test = _posterior(study, point, context), images(point["data"], "test", study.attacked).to(context.device)
    found = bayes.named_protocol(point["protocol"], post, test.x, test.y, ThreatModel("linf", point["eps"]), effort=study.effort)
    return Measurement(estimates=found.estimates, arrays=found.arrays, details=post.facts | found.facts)


def setting(study: Any, point: Point, context: Context) -> Measurement:
    """Accuracy and softmax robustness of HMC with one setting, under FGSM along the expected gradient."""
    data, hidden = study.readers[0][0], (point["width"],)
    network = SampledPerceptron(examples=point["examples"], hidden=hidden, std=point["std"], hmc=SWEEP)
    post = bayes.perceptron_posterior(network, "hmc", partial(images, data, "train"), context, stream="sweep")
    test = images(data, "test", SWEPT).to(context.device)
    found = bayes.named_protocol("expected", post, test.x, test.y, ThreatModel("linf", SMALL), effort=AttackEffort(steps=1))
    fgsm = found.outcomes["fgsm"]
    estimates = {"clean": found.clean_accuracy, "attacked": fgsm.accuracy, "softmax": fgsm.softmax_robustness}
    return Measurement(estimates=estimates, details=post.facts)
