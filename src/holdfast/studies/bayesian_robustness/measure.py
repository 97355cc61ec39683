"""What one point measures, part by part, and what the points of a part say together."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import torch

from holdfast import bayes
from holdfast.attacks import ThreatModel, pgd
from holdfast.core.drawn import curve
from holdfast.core.estimate import mean_t, paired_difference, share_of, spearman
from holdfast.core.experiment import Drawing, Finding, Measurement, Quantity
from holdfast.core.pictures import arrow_figure, scatter_figure
from holdfast.core.posteriors import HMC, AttackEffort, SampledPerceptron
from holdfast.core.target import predicted_classes
from holdfast.data import embed, half_moons, load_images, random_plane
from holdfast.nets import predict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.core.estimate import Estimate
    from holdfast.core.experiment import Context, Point
    from holdfast.core.runs import Runs
    from holdfast.data.examples import Examples
    from holdfast.studies.study import Row

DIMENSION = 20  # of the space in which half-moons and the regression's data fill 2 dimensions
SIZES, DRAWS = (1, 25, 50, 100, 400), (1, 4, 16, 64, 256)  # samples in a mean: of half-moons, of exact draws
DISTANCES, FAR = (0.0, 0.25, 0.5, 1.0), (-9.0, 9.0)  # of the attack off the data, in L2; walls that it does not reach
TEST = 2000  # images for the accuracy without attack
SMALL, SWEPT = 0.1, 500  # eps in L-infinity, and attacked images, of the sweep
LARGE = 0.3  # eps, in L-infinity, at which the best attacks are expected to fool every network
WORDS = {"hmc": "HMC", "vi": "VI", "hmc_few": "HMC of few chains", "ensemble": "ensemble", "deterministic": "one network"}
JUDGED = ("orthogonal.r25", "orthogonal.r400", "orthogonal.single", "orthogonal.slope", "tangential.r400")
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
    right = (predicted_classes(predict(post.as_module(), more.x)) == more.y).cpu().numpy()
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
    right = [predicted_classes(post.log_predictive(test.x)) == test.y, *(~success for success in fooled)]
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
    right = (predicted_classes(post.log_predictive(test.x)) == test.y).cpu().numpy()
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


def of_posteriors(study: Any, runs: Runs) -> Iterator[Row]:
    """Accuracy beside that of the deterministic network, and how far gradients cancel against samples."""
    yield from bayes.sample_notes(runs)
    for data, group in ((at["data"], group) for at, group in runs.by("data")):
        base, lines = group.where(model="deterministic").first, {WORDS[point["model"]]: found for point, found in group}
        yield from bayes.cancellation_curves(lines, "r", study.at, chart=f"Cancellation of gradients on {data}")
        for point, found in group:
            at, samples = {"data": data, "model": point["model"]}, found.details["samples"]
            yield from bayes.posterior_quantities("gain", paired_difference(base.arrays["right"], found.arrays["right"]), at, found)
            yield from bayes.posterior_quantities("kept", found.estimates[f"r{samples}"], at, found)
            dots = {float(n): found.estimates.get(f"largest{n if samples > 1 else 1}") for n in study.at}
            words: dict[str, Any] = {"axis": "samples", "quantity": "largest component of the mean gradient", "log": "xy"}
            yield from curve(WORDS[point["model"]], dots, chart=f"Largest component of the mean gradient on {data}", **words)


def of_moons(study: Any, runs: Runs) -> Iterator[Row]:
    """Cancellation against samples, accuracy against the distance of the attack, and the gradients themselves."""
    yield from bayes.sample_notes(runs)
    lines = {WORDS[point["model"]]: found for point, found in runs}
    for direction, words in (("orthogonal", "off the data"), ("tangential", "along the data")):
        yield from bayes.cancellation_curves(lines, f"{direction}.r", SIZES, chart=f"Half-moons: cancellation of gradients {words}")
    base, hmc = (runs.where(model=model).first for model in ("deterministic", "hmc"))
    for key in JUDGED:
        yield from bayes.posterior_quantities(f"hmc.{key}", hmc.estimates[key], {}, hmc)
    for point, found in runs:
        right = dict(zip(DISTANCES, found.arrays["right"].T, strict=True))
        shares = {distance: share_of(hits) for distance, hits in right.items()}
        yield from curve(WORDS[point["model"]], shares, axis="L2 distance", chart="Half-moons: accuracy under attacks off the data")
        for before, (distance, after) in zip(base.arrays["right"].T, right.items(), strict=True):
            at = {"model": point["model"], "distance": distance}
            yield from bayes.posterior_quantities("accuracy", shares[distance], at, found)
            yield from bayes.posterior_quantities("gain", paired_difference(before, after), at, found)
    z, y, gradients = (hmc.arrays[key] for key in ("z", "y", "gradients"))
    parts = {"Along the data": gradients[..., :2], "Off the data, 2 of 18 directions": gradients[..., 2:]}
    panels = {title: {"one sample": part[:, 0], "mean of all": part[:, 1]} for title, part in parts.items()}
    figure = arrow_figure(z, y, panels, x="first axis of the data's plane", y="second axis of the data's plane")
    note = (
        "The test points with the longest gradients. Each arrow is a gradient over the mean length of all samples' gradients there."
    )
    yield Drawing(title="Gradients of half-moons under HMC", figure=figure, note=note)


def of_plane(study: Any, runs: Runs) -> Iterator[Row]:
    """How the gradients of samples agree, and how the length of their mean falls with training points."""
    yield from bayes.sample_notes(runs)
    for point, found in runs:
        yield from bayes.posterior_quantities("kept", found.estimates["ratio"], {"examples": point["examples"]}, found)
    few, many = (runs.where(examples=n).first for n in (min(study.fills), max(study.fills)))
    yield from bayes.posterior_quantities("excess", mean_t(many.arrays["norm"] - few.arrays["norm"] / 2), {}, few, many)


def of_regression(study: Any, runs: Runs) -> Iterator[Row]:
    """Cancellation against the number of exact draws."""
    chart = "Linear regression: cancellation of gradients off the data"
    yield from bayes.cancellation_curves({"exact draws": runs.first}, "orthogonal.r", DRAWS, chart=chart)


def of_attacks(study: Any, runs: Runs) -> Iterator[Row]:
    """Gains over the deterministic network, what the best attacks leave, and accuracy and robustness against eps."""
    yield from bayes.protocol_notes(runs.where(protocol=("code", "second_softmax", "adaptive"), eps=SMALL))
    for data, group in ((at["data"], group) for at, group in runs.by("data")):
        base = group.where(model="deterministic")
        drawn: dict[tuple[str, float], Mapping[str, Estimate]] = {}
        for at, mine in group.by("data", "model", "eps"):
            pair = ({point["protocol"]: found.arrays for point, found in some} for some in (mine, base.where(eps=at["eps"])))
            found = drawn[at["model"], at["eps"]] = bayes.compared_protocols(*pair)
            yield from (
                row for name, estimate in found.items() for row in bayes.posterior_quantities(name, estimate, at, mine.first)
            )
        left = [numbers["left"] for (_, eps), numbers in drawn.items() if eps == LARGE]
        yield Quantity("most_left", max(left, key=lambda share: share.value), {"data": data, "eps": LARGE})
        yield from (_security(data, model, drawn[model, SMALL], drawn[model, LARGE]) for model in ("hmc", "vi"))
        for model in dict.fromkeys(model for model, _ in drawn if model != "deterministic"):
            yield from bayes.protocol_curves(group.where(model=model), base, name=f"{WORDS[model]} on {data}")


def _security(data: str, model: str, small: Mapping[str, Estimate], large: Mapping[str, Estimate]) -> Finding:
    """How much of the gain under the paper's attack is left under the adaptive protocol."""
    gain = small["adaptive_gain"]
    text = (
        f"{WORDS[model]} on {data}, samples as drawn, eps {SMALL:g}: accuracy exceeds that of the deterministic network by "
        f"{small['fgsm_gain']} under FGSM along the mean gradient, and by {gain} under the adaptive protocol. The best PGD on the "
        f"prediction leaves an accuracy of {small['best_pgd']}. At eps {LARGE:g} the best attacks leave {large['left']}."
    )
    remedy, id_ = "Rest statements about security on holdfast.bayes.adaptive_protocol alone.", f"bayesian.security.{data}.{model}"
    about: dict[str, Any] = {"severity": "medium" if gain.lo <= 0 else "info", "evidence": "attack.adaptive_gain", "remedy": remedy}
    return Finding(id=id_, text=text, estimate=gain, **about)


def of_settings(study: Any, runs: Runs) -> Iterator[Row]:
    """Whether accuracy and robustness rise together over settings of HMC."""
    if not study.sweep:
        return
    rank = spearman(runs.values("clean"), runs.values("softmax"), interval="bootstrap")
    yield Quantity("rank_correlation", rank)
    words = "rise together" if rank.lo > 0 else "are traded against each other" if rank.hi < 0 else "show no clear correlation"
    doubtful = sum(bool(found.details["warnings"]) for _, found in runs)
    text = (
        f"Accuracy of HMC and its softmax robustness under FGSM along the mean gradient, eps {SMALL:g}, {words} over {len(runs)} "
        f"settings: Spearman's rank correlation is {rank}. In {doubtful} of them the chains disagree."
    )
    yield Finding(id="bayesian.sweep", severity="info", text=text, evidence="sweep.rank_correlation", estimate=rank)
    groups: dict[str, list[tuple[str, Estimate, Estimate]]] = {}
    for point, found in runs:
        dot = str(point["width"]), found.estimates["clean"], found.estimates["softmax"]
        groups.setdefault(f"{point['examples']} images, prior {point['std']:g}", []).append(dot)
    figure = scatter_figure(groups, x="accuracy without attack", y=f"softmax robustness under FGSM, eps {SMALL:g}")
    yield Drawing(title="Accuracy against robustness of HMC", figure=figure, note="Names are widths of the hidden layer.")
