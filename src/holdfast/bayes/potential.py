r"""The potential energy of a network's weights: what Hamiltonian samplers descend and climb.

.. math:: U(w) = -\sum_i \log p(y_i|f(x_i, w)) + \sum_j w_j^2 / 2 s_j^2

A sum over all examples, never a mean: a mean would be a posterior at N times the temperature. Many chains are one flat tensor
(C, P), so that a step of all of them is one tensor program.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import nn

from holdfast.bayes.perceptron import Perceptron, read_perceptron
from holdfast.bayes.posterior import check_logits, check_mode
from holdfast.bayes.prior import Prior, random_parameters
from holdfast.core.checks import check_finite, check_labels, check_one_of, check_same_length, check_whole, check_within, refuse
from holdfast.nets import evaluating, stacked_logits

if TYPE_CHECKING:
    from holdfast.data.examples import Examples

__all__ = [
    "FunctionPotential",
    "Layout",
    "Likelihood",
    "NetworkPotential",
    "Potential",
    "categorical",
    "check_data",
    "gaussian",
    "network_potential",
]

Likelihood = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
LikelihoodName = Literal["categorical", "gaussian"]
PROBE_ROWS = 8
COLUMN = "Values of a network with one output are a column: y[:, None]."


def categorical(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Negative log likelihood (C,) of labels `y` (N,) under logits `outputs` (C, N, K), summed over examples."""
    chains, examples, _ = outputs.shape
    losses = nn.functional.cross_entropy(outputs.flatten(0, 1), y.repeat(chains), reduction="none")
    return losses.view(chains, examples).sum(1, dtype=torch.float64)


def gaussian(noise: float = 1.0) -> Likelihood:
    """The likelihood of regression: values `y` (N, K) are the network's outputs (C, N, K) and normal noise of this deviation.

    Examples
    --------
    >>> gaussian(0.5)(torch.zeros(1, 1, 1), torch.ones(1, 1)).item() - gaussian(0.5)(torch.zeros(1, 1, 1), torch.zeros(1, 1)).item()
    2.0
    """
    check_within(noise, "noise", low=0.0, low_open=True)

    def negative_log(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if y.shape != outputs.shape[1:]:  # it might broadcast, to another posterior
            refuse("y", f"has shape {tuple(y.shape)}", allowed=f"that of the outputs, {tuple(outputs.shape[1:])}", remedy=COLUMN)
        constant = y.numel() * (math.log(noise) + 0.5 * math.log(2 * math.pi))
        return (outputs - y).square().sum((1, 2), dtype=torch.float64) / (2 * noise**2) + constant

    return negative_log


class Potential(Protocol):
    """An energy of C points of a flat space at once."""

    def value_and_gradient(self, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies (C,) of the points `q` (C, P), and their gradients (C, P)."""

    def gradient(self, q: torch.Tensor) -> torch.Tensor:
        """The gradients (C, P) alone, which may be cheaper."""


@dataclass(frozen=True)
class FunctionPotential:
    """The potential that a differentiable function from points (C, P) to energies (C,) gives.

    Examples
    --------
    >>> FunctionPotential(lambda q: q.square().sum(1) / 2).value_and_gradient(torch.ones(2, 3))[1].tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    function: Callable[[torch.Tensor], torch.Tensor]

    def value_and_gradient(self, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies (C,) of the points `q` (C, P), and their gradients (C, P)."""
        with torch.enable_grad():
            points = q.detach().requires_grad_()
            values = _one_per_chain(self.function(points), len(q))
            (gradient,) = torch.autograd.grad(values.sum(), points)
        return values.detach(), gradient

    def gradient(self, q: torch.Tensor) -> torch.Tensor:
        """Gradients (C, P) of the points `q` (C, P)."""
        return self.value_and_gradient(q)[1]


def _one_per_chain(values: torch.Tensor, chains: int) -> torch.Tensor:
    if not isinstance(values, torch.Tensor) or values.shape != (chains,):
        shape = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
        refuse(
            "potential",
            f"returned {shape} for {chains} chains",
            allowed=f"({chains},): a potential must return one value per chain",
            remedy="Sum over examples and parameters, and keep the axis of chains.",
        )
    return values


@dataclass(frozen=True)
class Layout:
    """Where each parameter lies in a flat vector of length P.

    Examples
    --------
    >>> layout = Layout({"weight": (2, 3), "bias": (2,)})
    >>> layout.unflatten(torch.arange(8.0)[None])["bias"].tolist()
    [[6.0, 7.0]]
    """

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def sizes(self) -> list[int]:
        """Numbers of each parameter."""
        return [math.prod(shape) for shape in self.shapes.values()]

    def flatten(self, params: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Points (C, P) from parameters by name, each (C, *shape)."""
        return torch.cat([params[name].flatten(1) for name in self.shapes], 1)

    def unflatten(self, q: torch.Tensor) -> dict[str, torch.Tensor]:
        """Parameters by name, each (C, *shape), as views of the points `q` (C, P)."""
        parts = q.split(self.sizes, dim=1)
        return {name: part.view(len(q), *shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}


@dataclass(frozen=True, kw_only=True)
class NetworkPotential:
    """The potential of a network's weights given data; made by :func:`network_potential`.

    Parameters
    ----------
    model : the network
    x, y : all examples
    likelihood : ``(outputs (C, N, K), y) -> (C,)``, negative and logarithmic, summed over examples
    layout : of the weights in the flat vector
    precision : tensor (P,), :math:`1/s^2` of the prior
    batch_size : rows per pass, to bound memory; the sum is the same. None: all at once
    perceptron : what `model` is, if its misfit under the categorical likelihood can be differentiated by hand
    """

    model: nn.Module
    x: torch.Tensor
    y: torch.Tensor
    likelihood: Likelihood
    layout: Layout
    precision: torch.Tensor
    batch_size: int | None = None
    perceptron: Perceptron | None = None

    def value_and_gradient(self, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies (C,) in double precision of the points `q` (C, P), and their gradients (C, P)."""
        energy, gradient = self._misfit_of_all(q)
        return energy + self._prior_energy(q), gradient.addcmul_(q, self.precision)

    def gradient(self, q: torch.Tensor) -> torch.Tensor:
        """Gradients (C, P) of the points `q` (C, P)."""
        return self._misfit_of_all(q)[1].addcmul_(q, self.precision)

    def estimate(self, q: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As :meth:`value_and_gradient`, estimated without bias from the examples `rows` alone."""
        energy, slope = self.misfit(q, self.x[rows], self.y[rows])
        scale = len(self.x) / len(rows)
        return energy * scale + self._prior_energy(q), slope.mul_(scale).addcmul_(q, self.precision)

    def _misfit_of_all(self, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        size = self.batch_size or len(self.x)
        energy, gradient = self.misfit(q, self.x[:size], self.y[:size])
        for start in range(size, len(self.x), size):
            more, slope = self.misfit(q, self.x[start : start + size], self.y[start : start + size])
            energy, gradient = energy + more, gradient.add_(slope)
        return energy, gradient

    def _prior_energy(self, q: torch.Tensor) -> torch.Tensor:
        return 0.5 * (q.square() * self.precision).sum(1, dtype=torch.float64)

    def misfit(self, q: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Negative log likelihoods (C,) of some examples, and their gradients (C, P)."""
        if self.perceptron is not None and self.likelihood is categorical:
            return self._misfit_by_hand(self.perceptron, q, x, y)
        with torch.enable_grad():
            points = q.detach().requires_grad_()
            outputs = stacked_logits(self.model, self.layout.unflatten(points), x)
            energy = _one_per_chain(self.likelihood(outputs, y), len(q))
            (gradient,) = torch.autograd.grad(energy.sum(), points)
        return energy.detach(), gradient

    @torch.no_grad()
    def _misfit_by_hand(
        self, net: Perceptron, q: torch.Tensor, x: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        params = self.layout.unflatten(q)
        values = net.logits(params, x.flatten(1))
        logs = torch.log_softmax(values[-1], -1)
        right = y.expand(len(q), -1).unsqueeze(-1)
        energy = -logs.gather(2, right).sum((1, 2), dtype=torch.float64)
        slope = logs.exp_().scatter_add_(2, right, right.new_full((), -1, dtype=logs.dtype).expand_as(right))
        gradient = torch.empty_like(q)
        net.pull_back(slope, params, values, into=self.layout.unflatten(gradient))
        return energy, gradient


def network_potential(
    model: nn.Module,
    data: Examples | tuple[torch.Tensor, torch.Tensor],
    *,
    prior: Prior,
    likelihood: LikelihoodName | Likelihood = "categorical",
    batch_size: int | None = None,
) -> NetworkPotential:
    """The potential of the weights of `model`, checked at the door.

    Parameters
    ----------
    model : network; parameters that take no gradients stay as they are
    data : examples, or inputs (N, ...) and labels (N,)
    prior : of the weights
    likelihood : ``"categorical"`` over logits, ``"gaussian"`` with unit noise, or a callable ``(outputs (C, N, K), y) -> (C,)``
    batch_size : rows per pass; None: all

    Raises
    ------
    InputError : see :func:`check_data` and :func:`~holdfast.bayes.posterior.check_mode`
    """
    random = random_parameters(check_mode(model))
    x, y = check_data(model, data, likelihood=likelihood)
    prior.check_names(random)
    layout = Layout({name: tuple(values.shape) for name, values in random.items()})
    kinds = {(values.dtype, values.device) for values in random.values()}
    if len(kinds) > 1:
        refuse("model", f"mixes {sorted(map(str, kinds))}", allowed="parameters of one precision on one device")
    precision = [torch.full_like(values, prior.scale(name, tuple(values.shape)) ** -2).flatten() for name, values in random.items()]
    return NetworkPotential(
        model=model,
        x=x,
        y=y,
        likelihood=_likelihood(likelihood),
        layout=layout,
        precision=torch.cat(precision),
        batch_size=None if batch_size is None else check_whole(batch_size, "batch_size", low=1),
        perceptron=read_perceptron(model, x) if likelihood == "categorical" else None,
    )


def _likelihood(likelihood: LikelihoodName | Likelihood) -> Likelihood:
    if callable(likelihood):
        return likelihood
    check_one_of(likelihood, "likelihood", allowed=("categorical", "gaussian"))
    return categorical if likelihood == "categorical" else gaussian()


def check_data(
    model: nn.Module,
    data: Examples | tuple[torch.Tensor, torch.Tensor],
    *,
    likelihood: LikelihoodName | Likelihood = "categorical",
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and labels of `data`, if they and the network's answers to the first rows are fit for a likelihood.

    Raises
    ------
    InputError : empty data, unequal lengths, NaN in inputs or labels, integer inputs; for ``"categorical"`` also labels that are
        one-hot, floats or out of range, and a network that returns probabilities
    """
    x, y = (part.clone() if part.is_inference() else part for part in (data if isinstance(data, tuple) else (data.x, data.y)))
    check_same_length(x, y)
    if not x.is_floating_point():
        refuse("x", f"has dtype {x.dtype}", allowed="floating point", remedy="Convert images with x.float() / 255.")
    check_finite(x, "x")
    with torch.no_grad(), evaluating(model):
        outputs = model(x[:PROBE_ROWS].clone())
    if outputs.ndim != 2:
        refuse("model", f"answers with shape {tuple(outputs.shape)}", allowed="(examples, outputs)")
    check_finite(outputs, "outputs of the model")
    if likelihood == "categorical":
        check_labels(y, "y", classes=outputs.shape[1])
        check_logits(outputs)
        return x, y.long()
    check_finite(y, "y")
    return x, y
