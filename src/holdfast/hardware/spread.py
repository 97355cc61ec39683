"""Monte Carlo over chips: the same network fabricated many times, with weights or neurons that differ from chip to chip.

All chips of a chunk run in one vectorised program (a loop where a network does not allow it), on the same examples and with the
same draws at every strength, so that curves over strengths are smooth and comparisons are paired. The network itself is never
changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from holdfast.core.checks import check_one_of, check_whole, check_within, refuse
from holdfast.core.curve import Curve
from holdfast.core.estimate import Estimate, exact, mean_t, proportion
from holdfast.core.seeds import Seeds, seeded
from holdfast.core.target import mean_of_passes, predicted_classes
from holdfast.hardware.equip import chip, hardware_activations
from holdfast.nets import bake_weights, device_of, layer_records, named_weights, stacked_predict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import nn

    from holdfast.data.examples import Examples

__all__ = [
    "ChipResults",
    "SpreadSweep",
    "activation_variation",
    "chip_seed",
    "chips",
    "other_chips",
    "spread_sweep",
    "weight_draws",
    "weight_noise",
]

Draw = Callable[[int], Mapping[str, torch.Tensor]]
Noise = Literal["additive", "multiplicative"]
MEMORY = 2**26  # bytes that a chunk of chips may take: four times as much was 1.7 times slower on convolutional networks


@dataclass(frozen=True)
class ChipResults:
    """Right and wrong answers of one network on several chips.

    Parameters
    ----------
    correct : boolean array (chips, n)
    not_finite : share of all answers that hold NaN or infinity, which are wrong ones
    alike : nothing deviates, so that every other chip is equal to these
    """

    correct: NDArray[np.bool_]
    not_finite: float = 0.0
    alike: bool = False

    @cached_property
    def accuracies(self) -> NDArray[np.float64]:
        """Array (chips,)."""
        return np.asarray(self.correct.mean(axis=1))

    @property
    def accuracy(self) -> Estimate:
        """Mean over chips with Student's t interval, no narrower than the Wilson interval over all answers.

        Equal chips do not prove that the next one is equal. One chip alone gives no information about the others and has the Wilson
        interval of its answers.
        """
        answers = proportion(int(self.correct.sum()), self.correct.size)
        if len(self.correct) == 1:
            return answers
        mean = mean_t(self.accuracies)
        return replace(mean, lo=min(mean.lo, answers.lo), hi=max(mean.hi, answers.hi))

    @property
    def sd(self) -> Estimate:
        r"""Standard deviation over chips with the chi-square interval of normal accuracies.

        .. math:: s \sqrt{(n - 1) / \chi^2_{n - 1,\, 1/2 \pm 0.475}}

        Where `s` is below half of what one answer counts it is taken as that much for the upper end. A single chip has 0, and an
        interval up to 0.5, beyond which no numbers in [0, 1] spread. Chips that are `alike` have exactly 0.
        """
        count = len(self.accuracies)
        if self.alike:
            return exact(0.0, count)
        if count == 1:
            return Estimate(0.0, 0.0, 0.5, 1, "chi-square")
        from scipy.special import chdtri

        spread = float(self.accuracies.std(ddof=1))
        lo, hi = (size * math.sqrt((count - 1) / chdtri(count - 1, tail)) for size, tail in ((spread, 0.025), (self._seen, 0.975)))
        return Estimate(spread, lo, hi, count, "chi-square")

    @property
    def p05(self) -> Estimate:
        r"""Fifth percentile over chips, what nearly every chip reaches, with two one-sided tolerance limits of normal accuracies.

        .. math:: \bar a - s\, t'_{n - 1,\, 1/2 \pm 0.475}(1.645 \sqrt n) / \sqrt n

        with `t'` the quantile of the noncentral t distribution (G. J. Hahn and W. Q. Meeker, Statistical Intervals, Wiley 1991,
        section 4.4); `s` is at least half of what one answer counts. The interval is clipped to [0, 1] and contains the percentile
        of the sample, and for equal chips the interval of their accuracy.
        A single chip may be any of its kind: its interval is [0, 1]. Of chips that are `alike` each percentile is the accuracy.
        """
        count, value = len(self.accuracies), float(np.quantile(self.accuracies, 0.05))
        if self.alike:
            return self.accuracy
        if count == 1:
            return Estimate(value, 0.0, 1.0, 1, "noncentral t")
        from scipy.special import nctdtrit, ndtri

        away = -float(ndtri(0.05)) * math.sqrt(count)
        mean, unit = float(self.accuracies.mean()), self._seen / math.sqrt(count)
        lo, hi = (mean - unit * float(nctdtrit(count - 1, away, share)) for share in (0.975, 0.025))
        if not np.ptp(self.accuracies):
            lo, hi = min(lo, self.accuracy.lo), max(hi, self.accuracy.hi)
        return Estimate(value, min(max(lo, 0.0), value), max(min(hi, 1.0), value), count, "noncentral t")

    @property
    def _seen(self) -> float:
        """Standard deviation over chips, at least half the weight of one answer, the smallest that is resolved."""
        return max(float(self.accuracies.std(ddof=1)), 0.5 / self.correct.shape[1])

    def yield_at(self, accuracy: float) -> Estimate:
        """Share of chips that reach `accuracy`, with its Wilson interval."""
        return proportion(int((self.accuracies >= accuracy).sum()), len(self.accuracies))


def chips(
    model: nn.Module,
    examples: Examples,
    draw: Draw,
    *,
    count: int = 20,
    batch_size: int = 1000,
    memory: int = MEMORY,
    samples: int = 1,
    check_time: Callable[[], None] | None = None,
) -> ChipResults:
    """The network on `count` chips.

    Parameters
    ----------
    model : network, unchanged; runs in evaluation mode
    examples : what is classified on every chip
    draw : chip number -> the tensors (by state-dict name) that this chip has in place of the network's own
    count : number of chips, >= 1
    batch_size : rows per pass
    memory : bytes that the tensors and activations of a chunk of chips may take; decides how many run at once
    samples : passes whose mean probabilities are one answer, for networks that answer at random. Several passes draw the same
        numbers from global generators on every chip, so that chips differ by their own tensors alone
    check_time : called before each chunk; may raise to stop
    """
    check_whole(count, "count", low=1)
    device = next(iter((*model.parameters(), *model.buffers())), examples.y).device
    at_once = max(1, memory // _bytes_per_chip(model, draw(0), examples[:batch_size].x.to(device))) if samples == 1 else 1
    named: list[torch.Tensor] = []
    for first in range(0, count, at_once):
        if check_time is not None:
            check_time()
        drawn = [draw(number) for number in range(first, min(first + at_once, count))]
        stacked = {name: torch.stack([tensors[name] for tensors in drawn]) for name in drawn[0]}
        parts = []
        with seeded(Seeds(0).integer("passes"), device) if samples > 1 else nullcontext():
            for x, _ in examples.batches(batch_size):
                answers = [stacked_predict(model, stacked, x.to(device), batch_size=batch_size) for _ in range(samples)]
                passes = torch.stack(answers)
                parts.append(predicted_classes(mean_of_passes(passes.flatten(1, 2)).unflatten(0, passes.shape[1:3])))
        named.append(torch.cat(parts, dim=1))
    classes = torch.cat(named)
    return ChipResults((classes == examples.y.to(device)).cpu().numpy(), not_finite=float((classes < 0).double().mean()))


def _bytes_per_chip(model: nn.Module, tensors: Mapping[str, torch.Tensor], x: torch.Tensor) -> int:
    """What one chip takes: its own tensors, and about three copies of the largest activation."""
    largest = max((math.prod(record.output_shape) for record in layer_records(model, x[:1])), default=x[0].numel())
    own = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    return own + 3 * largest * len(x) * x.element_size()


def weight_noise(
    model: nn.Module,
    examples: Examples,
    *,
    sigma: float,
    mode: Noise = "additive",
    count: int = 20,
    seed: int = 0,
    everything: bool = False,
    **settings: Any,
) -> ChipResults:
    r"""The network on chips whose memory cells hold each weight with a Gaussian error.

    .. math:: w + \sigma \max|W|\, \xi \quad\text{or}\quad w\,(1 + \sigma \xi)

    Parameters
    ----------
    model, examples, count, settings : as in :func:`chips`
    sigma : standard deviation in units of the tensor's largest weight (additive) or of the weight itself (multiplicative), >= 0
    mode : ``"additive"`` or ``"multiplicative"``
    seed : of the draws; the same at every `sigma`
    everything : also perturb biases and normalisation layers; default: weight matrices and kernels, tied ones once

    Weights that a layer computes in each pass are perturbed as they come out (:func:`holdfast.nets.bake_weights`).

    Examples
    --------
    >>> from holdfast.data import Examples
    >>> data = Examples(torch.rand(30, 4), torch.arange(30) % 2)
    >>> weight_noise(torch.nn.Linear(4, 2), data, sigma=0.1, count=3).correct.shape
    (3, 30)
    """
    model = bake_weights(model)
    draw = weight_draws(model, sigma=sigma, mode=mode, seed=seed, everything=everything)
    return replace(chips(model, examples, draw, count=count, **settings), alike=sigma == 0)


def weight_draws(model: nn.Module, *, sigma: float, mode: Noise = "additive", seed: int = 0, everything: bool = False) -> Draw:
    """From the number of a chip to its weights, as :func:`weight_noise` draws them; the same for the same number.

    Parameters
    ----------
    model, sigma, mode, seed, everything : as in :func:`weight_noise`

    Examples
    --------
    >>> draw = weight_draws(torch.nn.Linear(4, 2), sigma=0.1)
    >>> list(draw(0)), bool((draw(0)["weight"] == draw(0)["weight"]).all())
    (['weight'], True)
    """
    check_within(sigma, "sigma", low=0)
    check_one_of(mode, "mode", allowed=("additive", "multiplicative"))
    matrices = named_weights(model)
    weights: Mapping[str, torch.Tensor] = dict(model.named_parameters()) if everything else matrices
    if not weights:
        refuse("model", "has no weights", allowed="networks with weight matrices or kernels")

    def draw(number: int) -> dict[str, torch.Tensor]:
        return {name: _noisy(weight.detach(), name, number) for name, weight in weights.items()}

    def _noisy(weight: torch.Tensor, name: str, number: int) -> torch.Tensor:
        generator = Seeds(seed).torch("weights", name, number)
        noise = torch.randn(weight.shape, generator=generator).to(weight)
        return weight + sigma * noise * (weight.abs().max() if mode == "additive" else weight)

    return draw


def other_chips(model: nn.Module, examples: Examples, *, count: int = 20, seed: int = 0, **settings: Any) -> ChipResults:
    """A network with layers of devices, carried with its weights to `count` other chips.

    Parameters
    ----------
    model : with layers of devices, e.g. from :func:`~holdfast.hardware.hardware_activations`
    examples, count, settings : as in :func:`chips`
    seed : of the chips; chip k is ``redraw_devices(model, seed=chip_seed(seed, k))``
    """
    return chips(model, examples, lambda number: chip(model, chip_seed(seed, number)), count=count, **settings)


def chip_seed(seed: int, number: int) -> int:
    """The seed of chip `number` of the family `seed`."""
    return Seeds(seed).integer("chip", number)


def activation_variation(
    model: nn.Module, examples: Examples, *, spread: float, count: int = 20, seed: int = 0, **settings: Any
) -> ChipResults:
    """Any network on chips whose neurons keep their nonlinearity but differ in gain, steepness, threshold and offset.

    Parameters
    ----------
    model : network with activation modules, unchanged
    examples, count, settings : as in :func:`chips`; the first 256 examples give the size of the pre-activations
    spread : relative standard deviation from neuron to neuron (:func:`~holdfast.hardware.hardware_activations` with ``"own"``)
    seed : of the chips; the same at every `spread`
    """
    x = examples[:256].x.to(device_of(model, default=torch.device("cpu")))
    equipped = hardware_activations(model, "own", x=x, spread=spread, seed=seed)
    return replace(other_chips(equipped, examples, count=count, seed=seed, **settings), alike=spread == 0)


@dataclass(frozen=True, kw_only=True)
class SpreadSweep:
    """What :func:`spread_sweep` measured.

    Parameters
    ----------
    name : legend of the curves
    spreads : strengths, increasing
    results : one per strength
    """

    name: str
    spreads: tuple[float, ...]
    results: tuple[ChipResults, ...]

    def curve(self, quantity: Literal["accuracy", "p05", "sd"] = "accuracy") -> Curve:
        """Mean accuracy over chips, its fifth percentile or its standard deviation, against the spread."""
        check_one_of(quantity, "quantity", allowed=("accuracy", "p05", "sd"))
        estimates = tuple(getattr(result, quantity) for result in self.results)
        return Curve(name=self.name, axis="spread", at=self.spreads, estimates=estimates, quantity=quantity)


def spread_sweep(measure: Callable[[float], ChipResults], spreads: Sequence[float], *, name: str = "chips") -> SpreadSweep:
    """Chips at several strengths.

    Parameters
    ----------
    measure : strength -> chips, e.g. ``lambda s: activation_variation(net, test, spread=s)``
    spreads : strengths, increasing
    name : legend of the curves
    """
    return SpreadSweep(name=name, spreads=tuple(spreads), results=tuple(measure(spread) for spread in spreads))
