"""One point at work: a network trained on one chip and used on others, and a table beside its formula."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.estimate import exact
from holdfast.core.experiment import Measurement
from holdfast.core.seeds import Seeds
from holdfast.studies.spintronic_neuron.physics import curves_of
from holdfast.studies.spintronic_neuron.recipes import PHYSICAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray
    from torch import nn

    from holdfast.core.experiment import Context, Point
    from holdfast.data.examples import Examples
    from holdfast.hardware import ChipResults
    from holdfast.studies.spintronic_neuron.recipes import Mode, Recipe

__all__ = ["Bench", "images", "measure_table"]


@lru_cache(maxsize=1)
def images(name: str) -> tuple[Examples, Examples]:
    """Training and test images, read once per process."""
    from holdfast.data import load_images

    return load_images(name, split="train"), load_images(name, split="test")


class Bench:
    """One point at work: the trained network of its cell, and the chips it is carried to."""

    def __init__(self, recipe: Recipe, point: Point, context: Context, data: str) -> None:
        self.recipe, self.kind, self.spread, self.seed = recipe, point["kind"], point["spread"], point["seed"]
        self.context, self.data = context, data
        self.train, self.test = (part.to(context.device) for part in images(data))
        self.elsewhere = context.seeds.integer("other chips", self.seed)

    def use(self, mode: Mode) -> ChipResults:
        """Right and wrong answers on one chip (in situ) or on the others."""
        from holdfast.hardware import ChipResults, other_chips
        from holdfast.nets import evaluate

        if mode == "in_situ":
            return ChipResults(evaluate(self.trained(), self.test).correct.cpu().numpy()[None])
        if mode == "recalibrated":
            return ChipResults(np.stack([*self.trimmed()]))
        net = self.trained(aware=mode == "aware", ideal=mode == "from_ideal")
        return other_chips(net, self.test, count=self.recipe.chips, seed=self.elsewhere, check_time=self.context.check_time)

    def blank(self, spread: float) -> nn.Module:
        """The untrained network on its own chip; equal initial weights for all cells of a seed."""
        from torch import nn

        from holdfast.hardware import hardware_activations
        from holdfast.nets import mlp

        seeds = self.context.seeds
        net = mlp(
            self.test.x[0].numel(),
            hidden=self.recipe.hidden,
            classes=self.test.classes,
            activation=nn.Sigmoid,
            seed=seeds.integer("weights", self.seed),
        )
        own = seeds.integer("own chip", self.seed)
        if self.kind in PHYSICAL:
            return hardware_activations(net, curves_of(self.kind, spread, self.context), seed=own).to(self.context.device)
        return hardware_activations(net, self.kind, spread=spread, seed=own).to(self.context.device)

    def trained(self, *, aware: bool = False, ideal: bool = False) -> nn.Module:
        """The trained network of this cell: on its own chip, on a new chip per batch, or through ideal neurons."""
        from holdfast.hardware import fresh_devices
        from holdfast.nets import fit, random_shift, with_weights

        spread = 0.0 if ideal else self.spread

        def build() -> Mapping[str, nn.Parameter]:
            self.context.check_time()
            net = self.blank(spread)
            fit(
                net,
                self.train,
                epochs=self.recipe.epochs,
                lr=self.recipe.lr,
                augment=random_shift(self.recipe.shift) if self.recipe.shift else None,
                on_batch=fresh_devices if aware else None,
                seed=self.context.seeds.integer("training", self.seed),
            )
            return dict(net.named_parameters())

        plan = {"data": self.data, "kind": self.kind, "spread": spread, "seed": self.seed, "aware": aware}
        learned = {key: getattr(self.recipe, key) for key in ("hidden", "epochs", "lr", "shift")}
        return with_weights(self.blank(self.spread), self.context.memo("trained", plan | learned, build))

    def trimmed(self) -> Iterator[NDArray[np.bool_]]:
        """Right and wrong answers on each re-calibrated chip."""
        from holdfast.hardware import chip_seed, recalibrate, redraw_devices
        from holdfast.nets import evaluate

        net = self.trained()
        for number in range(self.recipe.trimmed):
            self.context.check_time()
            with redraw_devices(net, seed=chip_seed(self.elsewhere, number)):
                repaired = recalibrate(net, self.train, seed=self.context.seeds.integer("trims", self.seed, number))
            yield evaluate(repaired, self.test).correct.cpu().numpy()


def measure_table(knots: int) -> Measurement:
    """A tabulated sigmoid against its formula, and the least slope between the knots of random monotone data."""
    import torch

    from holdfast.devices import CharacteristicCurves, SigmoidNeuron, response_curves
    from holdfast.hardware import CurveActivation

    grid = np.linspace(-8, 8, knots)
    drive = torch.linspace(-8, 8, 100_001, dtype=torch.float64)[:, None].requires_grad_()
    value = CurveActivation(response_curves(SigmoidNeuron(), grid)).double()(drive)
    slope = torch.autograd.grad(value.sum(), drive)[0]
    ideal = torch.sigmoid(drive.detach())
    rises = Seeds(0).numpy("steps").exponential(size=(100, knots)) ** 3  # long flats and sudden steps
    steep = CurveActivation(CharacteristicCurves(x=grid, y=np.cumsum(rises, axis=1) / rises.sum(axis=1, keepdims=True))).double()
    wide = drive.detach().expand(-1, 100).clone().requires_grad_()
    least = torch.autograd.grad(steep(wide).sum(), wide)[0].min()
    errors = {
        "value_error": float((value.detach() - ideal).abs().max()),
        "slope_error": float((slope - ideal * (1 - ideal)).abs().max()),
        "least_slope": float(least),
    }
    return Measurement(estimates={name: exact(error) for name, error in errors.items()})
