"""What one point measures, and what the uses of a network say together."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.drawn import curve
from holdfast.core.estimate import Estimate, exact, mean_t
from holdfast.core.experiment import Measurement, Quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import nn

    from holdfast.core.experiment import Context, Point
    from holdfast.core.runs import Runs
    from holdfast.data.examples import Examples
    from holdfast.hardware import ChipResults
    from holdfast.studies.study import Row

KINDS = ("sigmoid", "relu")
PHYSICAL = ("thermal", "oscillator")  # simulated devices that neurons are made of
WORDS = {"sigmoid": "sigmoid", "relu": "ReLU-like", "thermal": "thermal junctions", "oscillator": "oscillators"}
USES = {
    "in_situ": "in situ",
    "transferred": "transferred",
    "from_ideal": "from ideal",
    "recalibrated": "re-calibrated",
    "aware": "aware",
}
DEVICES = {  # name, drive and its unit
    "thermal": ("thermally agitated junction", "current", "A"),
    "hard_axis": ("moment turned from its easy axis", "line current", "A"),
    "oscillator": ("spin-torque oscillator", "current", "A"),
}
DRIVES = 21  # of each simulated curve
COMPARED, REPEATED = 9, 64  # drives and runs of the comparison with the closed form
TOLERABLE = 0.01  # a chip that loses no more than this share of the images counts into the yield


@lru_cache(maxsize=2)
def _images(name: str) -> tuple[Examples, Examples]:
    """Training and test images, read once per process."""
    from holdfast.data import load_images

    return load_images(name, split="train"), load_images(name, split="test")


def network(study: Any, point: Point, context: Context) -> Measurement:
    """Right and wrong answers on the test images, (n, chips)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="more than .* outside the curves' grid")  # devices have an end: it is measured
        results = _used(study, point, context)
    estimates = {"accuracy": results.accuracy}
    if len(results.correct) > 1:
        estimates |= {"sd": results.sd, "p05": results.p05}
    return Measurement(estimates=estimates, arrays={"correct": results.correct.T})


def _used(study: Any, point: Point, context: Context) -> ChipResults:
    """Right and wrong answers on one chip (in situ) or on the others."""
    from holdfast.hardware import ChipResults, chip_seed, other_chips, recalibrate, redraw_devices
    from holdfast.nets import evaluate

    recipe, mode, seed = study.recipe(point["net"]), point["mode"], point["seed"]
    train, test = (part.to(context.device) for part in _images(study.data))
    net = _trained(study, recipe, point, context)
    elsewhere = context.seeds.integer("other chips", seed)
    if mode == "in_situ":
        return ChipResults(evaluate(net, test).correct.cpu().numpy()[None])
    if mode != "recalibrated":
        return other_chips(net, test, count=recipe.chips, seed=elsewhere, check_time=context.check_time)
    trimmed = []
    for number in range(recipe.trimmed):
        context.check_time()
        with redraw_devices(net, seed=chip_seed(elsewhere, number)):
            repaired = recalibrate(net, train, seed=context.seeds.integer("trims", seed, number))
        trimmed.append(evaluate(repaired, test).correct.cpu().numpy())
    return ChipResults(np.stack(trimmed))


def _trained(study: Any, recipe: Any, point: Point, context: Context) -> nn.Module:
    """The trained network on its own chip: trained there, on a new chip per batch, or through ideal neurons."""
    from holdfast.hardware import fresh_devices
    from holdfast.nets import fit, kept, random_shift, with_weights

    seed, aware = point["seed"], point["mode"] == "aware"
    spread = 0.0 if point["mode"] == "from_ideal" else point["spread"]

    def train(net: nn.Module, *, epochs: int, lr: float, shift: int, aware: bool, **_: Any) -> None:
        augment = random_shift(shift) if shift else None
        on_batch = fresh_devices if aware else None
        images, order = _images(study.data)[0].to(context.device), context.seeds.integer("training", seed)
        fit(net, images, epochs=epochs, lr=lr, augment=augment, on_batch=on_batch, seed=order)

    settings = {key: getattr(recipe, key) for key in ("hidden", "epochs", "lr", "shift")}
    plan = {"data": study.data, "kind": point["kind"], "spread": spread, "seed": seed, "aware": aware}
    found = kept(context, lambda: _blank(study, recipe, {**point, "spread": spread}, context), train, **settings, **plan)
    return with_weights(_blank(study, recipe, point, context), dict(found.named_parameters()))


def _blank(study: Any, recipe: Any, point: Point, context: Context) -> nn.Module:
    """The untrained network on its own chip; equal initial weights for all cells of a seed."""
    from torch import nn

    from holdfast.devices.spintronics.neurons.reference import network_curves
    from holdfast.hardware import hardware_activations
    from holdfast.nets import mlp

    test, seeds = _images(study.data)[1], context.seeds
    weights = seeds.integer("weights", point["seed"])
    net = mlp(test.x[0].numel(), hidden=recipe.hidden, classes=test.classes, activation=nn.Sigmoid, seed=weights)
    own = seeds.integer("own chip", point["seed"])
    if point["kind"] in PHYSICAL:
        seed = seeds.integer("fabrication", point["kind"])
        settings = {"samples": study.fabricated, "points": DRIVES, "runs": study.runs, "seed": seed}
        curves = network_curves(point["kind"], point["spread"], keep=context.memo, **settings)
        return hardware_activations(net, curves, seed=own).to(context.device)
    return hardware_activations(net, point["kind"], spread=point["spread"], seed=own).to(context.device)


def closed_form(study: Any, point: Point, context: Context) -> Measurement:
    """Largest distance in standard errors between the simulated mean state and its closed form, over the operating range."""
    from holdfast.devices.spintronics import simulate_neuron
    from holdfast.devices.spintronics.neurons.reference import REFERENCE

    device, _ = REFERENCE[point["device"]]
    drive = np.linspace(*device.operating_range, COMPARED)
    run = simulate_neuron(device, drive, runs=REPEATED, seed=context.seeds.integer("comparison", point["device"]))
    seen = {"drive": drive, "state": run.state[:, 0], "stderr": run.state_stderr[:, 0], "expected": device.mean_state(drive)}
    distances = (seen["state"] - seen["expected"]) / seen["stderr"]
    largest = exact(float(np.abs(distances).max()), COMPARED, "largest")
    return Measurement(estimates={"distance": largest}, arrays={**seen, "distances": distances})


def of_closed_forms(study: Any, runs: Runs) -> Iterator[Row]:
    """The simulated curve of each device in one chart with its closed form."""
    for point, found in runs:
        drive, state, stderr, expected = (found.arrays[key] for key in ("drive", "state", "stderr", "expected"))
        name, axis, unit = DEVICES[point["device"]]
        simulated = [
            Estimate(mean, mean - 2 * error, mean + 2 * error, REPEATED, "2 standard errors")
            for mean, error in zip(state, stderr, strict=True)
        ]
        words = {"axis": axis, "unit": unit, "quantity": "mean state", "chart": f"Simulated curve beside its closed form: {name}"}
        yield from curve("simulated", dict(zip(drive, simulated, strict=True)), **words)
        yield from curve("closed form", {at: exact(value) for at, value in zip(drive, expected, strict=True)}, **words)


def table(study: Any, point: Point, context: Context) -> Measurement:
    """A tabulated sigmoid against its formula, and the least slope between the knots of random monotone data."""
    from holdfast.hardware.interpolation import interpolation_errors

    return Measurement(estimates={name: exact(error) for name, error in interpolation_errors(point["knots"]).items()})


def of_networks(study: Any, runs: Runs) -> Iterator[Row]:
    """Accuracy in situ beside identical ideal neurons; what each other use of a cell loses; curves over the spread."""
    if study.data == "digits":
        yield "This ran on scikit-learn's 1797 digits; tolerances are 1.5 points."
    for at, cell in runs.by("net", "kind", "spread"):
        recipe = study.recipe(at["net"])
        mine = _per_image(cell)
        if mine is not None:
            yield Quantity("accuracy", mean_t(mine), at)
            for other in KINDS:
                ideal = _per_image(runs.where(net=recipe.beside or recipe.net, kind=other, spread=0.0))
                if ideal is not None and (other, 0.0) != (at["kind"], at["spread"]):
                    yield Quantity("change", mean_t(mine - ideal), {**at, "from_ideal": other})
        for mode in USES:
            yield from _lost(runs, cell, {**at, "mode": mode})
    for recipe in study.recipes:
        yield from _drawn(recipe, runs.where(net=recipe.net))


def _per_image(cell: Runs) -> NDArray[np.float64] | None:
    """Array (n,): share of seeds whose network in situ is right."""
    arrays = cell.where(mode="in_situ").arrays("correct")
    return np.mean([run[:, 0] for run in arrays], axis=0) if arrays else None


def _lost(runs: Runs, cell: Runs, at: dict[str, Any]) -> Iterator[Row]:
    """Mean and largest loss on other chips, the share of chips without a loss worth speaking of, and what a repair wins back."""
    from holdfast.hardware import mean_over_chips, recovered_share, share_of_chips

    home = runs.where(net=at["net"], kind=at["kind"], spread=0.0 if at["mode"] == "from_ideal" else at["spread"], mode="in_situ")
    right = {point["seed"]: float(found.arrays["correct"].mean()) for point, found in home}
    accuracies = {
        mode: {point["seed"]: found.arrays["correct"].mean(axis=0) for point, found in cell.where(mode=mode)}
        for mode in (at["mode"], "transferred")
    }
    away = {seed: right[seed] - run for seed, run in accuracies[at["mode"]].items() if seed in right}
    if at["mode"] == "in_situ" or not away:
        return
    losses = [*away.values()]
    yield Quantity("loss", mean_over_chips(losses), at)
    yield Quantity("worst_loss", exact(np.max(np.concatenate(losses)), sum(map(len, losses)), "largest"), at)
    yield Quantity("yield", share_of_chips([run <= TOLERABLE for run in losses]), at)
    if at["mode"] in {"recalibrated", "aware"}:
        careless = {seed: right[seed] - run for seed, run in accuracies["transferred"].items() if seed in right}
        both = {seed: min(len(away[seed]), len(careless[seed])) for seed in away if seed in careless}
        pairs = [np.stack([careless[seed][:chips], away[seed][:chips]], axis=1) for seed, chips in both.items()]
        share = recovered_share(pairs) if pairs else None
        if share is not None:
            yield Quantity("recovered", share, at)


def _drawn(recipe: Any, runs: Runs) -> Iterator[Row]:
    """Accuracy against spread for each kind of neuron and each use; without spread all uses are the same."""
    from holdfast.hardware import mean_over_chips

    for kind in KINDS:
        for mode in recipe.modes:
            dots: dict[float, Estimate] = {}
            for at, cell in runs.where(kind=kind).by("spread"):
                mine, other = _per_image(cell), cell.where(mode=mode).arrays("correct")
                if mine is not None and (mode == "in_situ" or at["spread"] == 0):
                    dots[at["spread"]] = mean_t(mine)
                elif other and mode != "in_situ":
                    dots[at["spread"]] = mean_over_chips([run.mean(axis=0) for run in other])
            size = f"{'-'.join(map(str, recipe.hidden))} hidden, {recipe.epochs} epochs"
            chart = f"Accuracy against device spread: {WORDS[kind]} neurons, {size}"
            yield from curve(USES[mode], dots, axis="relative spread", chart=chart)
