r"""Laplace approximations: a normal distribution around the mode of the posterior, with the width of the curvature there.

.. math:: q(w) = N(w^*, H^{-1}), \qquad H = \sum_i J_i^\top\, \nabla^2_f L_i\, J_i + \mathrm{diag}(1/s^2)

with J the Jacobian of the network's outputs in its weights. This generalised Gauss-Newton matrix is the Hessian for networks that
are linear in their weights, never has negative eigenvalues, and for a categorical likelihood equals the Fisher matrix. The
empirical Fisher matrix (squares of the gradients at the labels) is cheaper by the number of classes and is not used: it vanishes
where the data are fitted, and the approximation would be the wider the better the fit. Two structures: the diagonal of H for all
weights, or all of H for the last layer alone, with the others fixed (A. Kristiadi, M. Hein and P. Hennig, arXiv:2002.10118).

The network must be at the mode: trained with the prior's weight decay 1/s² on the sum of losses, 1/(N s²) on their mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn
from torch.func import functional_call, jacrev, vmap

from holdfast.bayes.posterior import Posterior
from holdfast.bayes.potential import network_potential
from holdfast.core.checks import check_one_of, check_whole, refuse
from holdfast.core.seeds import Seeds
from holdfast.nets import evaluating, per_example_gradients

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from torch.utils.hooks import RemovableHandle

    from holdfast.bayes.posterior import Sampler
    from holdfast.bayes.potential import Likelihood, LikelihoodName, NetworkPotential
    from holdfast.bayes.prior import Prior
    from holdfast.data.examples import Examples

__all__ = ["laplace"]

MOST = 20_000  # rows of a full matrix: 3.2 GB


def laplace(
    model: nn.Module,
    data: Examples | tuple[torch.Tensor, torch.Tensor],
    *,
    prior: Prior,
    likelihood: LikelihoodName | Likelihood = "categorical",
    structure: Literal["diagonal", "last_layer"] = "diagonal",
    samples: int = 50,
    batch_size: int = 100,
    seed: int = 0,
) -> Posterior:
    """Draws of the normal approximation around a trained network's weights.

    Parameters
    ----------
    model : network at the mode, unchanged; dropout and batch normalisation in evaluation mode
    data : that it was trained on: examples, or inputs (N, ...) and labels (N,)
    prior : of the weights
    likelihood : ``"categorical"``, ``"gaussian"`` or a callable; see :func:`~holdfast.bayes.potential.network_potential`
    structure : ``"diagonal"``: all weights, independent; ``"last_layer"``: weights and bias of the linear layer that gives the
        outputs, with all their correlations
    samples : S, draws of the result, >= 1; ``resample`` draws fresh ones
    batch_size : examples per pass, to bound memory
    seed : of the draws

    Returns
    -------
    Posterior

    Raises
    ------
    InputError : see :func:`~holdfast.bayes.potential.check_data`; ``"last_layer"`` of a network that does not end in a linear layer

    Examples
    --------
    >>> from holdfast.bayes import Prior
    >>> from holdfast.nets import mlp
    >>> x = torch.rand(100, 2)
    >>> post = laplace(mlp(2, classes=3), (x, torch.arange(100) % 3), prior=Prior(), structure="last_layer", samples=7)
    >>> len(post), sorted(post.params)
    (7, ['head.bias', 'head.weight'])
    """
    check_one_of(structure, "structure", allowed=("diagonal", "last_layer"))
    check_whole(samples, "samples", low=1)
    potential = network_potential(model, data, prior=prior, likelihood=likelihood, batch_size=batch_size)
    with evaluating(model):
        sampler = _diagonal(potential) if structure == "diagonal" else _last_layer(potential)
    method = {"diagonal": "Laplace, diagonal", "last_layer": "Laplace, last layer"}[structure]
    return Posterior.from_sampler(model, sampler, samples=samples, method=method, generator=Seeds(seed).torch("laplace"))


def _batches(potential: NetworkPotential) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    size = potential.batch_size or len(potential.x)
    return zip(potential.x.split(size), potential.y.split(size), strict=True)


def output_roots(potential: NetworkPotential, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Matrices A (n, K, K) with A Aᵀ the Hessian of each example's negative log-likelihood in its outputs (n, K)."""

    def misfit(output: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return potential.likelihood(output[None, None], label[None])[0]

    curvature = vmap(jacrev(jacrev(misfit)))(outputs.detach().double(), y)
    values, vectors = torch.linalg.eigh(curvature)
    return vectors * values.clamp_min(0).sqrt()[:, None]


def _own(potential: NetworkPotential) -> dict[str, torch.Tensor]:
    named = dict(potential.model.named_parameters())
    return {name: named[name].detach() for name in potential.layout.shapes}


def _diagonal(potential: NetworkPotential) -> Sampler:
    """Draws with variances 1 / diag(H): each column of the roots gives one product with the Jacobian per example."""
    own, layout = _own(potential), potential.layout
    precision = potential.precision.double()
    for x, y in _batches(potential):
        with torch.no_grad():
            outputs = functional_call(potential.model, own, (x.clone(),))
        roots = output_roots(potential, outputs, y).to(outputs.dtype)
        for column in roots.unbind(-1):
            products = per_example_gradients(potential.model, x, column, loss=lambda output, root: (output * root).sum())
            precision = precision + layout.flatten({name: products[name] for name in layout.shapes}).double().square().sum(0)
    mean = layout.flatten({name: values[None] for name, values in own.items()})[0]
    std = precision.rsqrt().to(mean.dtype)

    def sampler(samples: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        noise = torch.randn(samples, len(mean), generator=generator, dtype=mean.dtype, device=generator.device).to(mean.device)
        return {name: values.contiguous() for name, values in layout.unflatten(mean + std * noise).items()}

    return sampler


def _last_layer(potential: NetworkPotential) -> Sampler:
    """Draws of the last layer's weights (K, D) and bias (K,), one row (K, D + 1) with the bias last."""
    path, layer = _output_layer(potential)
    weight, bias = f"{path}weight", f"{path}bias"
    biased = layer.bias is not None and bias in potential.layout.shapes
    width = layer.in_features + biased
    total = layer.out_features * width
    if total > MOST:
        refuse("structure", f"is 'last_layer' with {total} weights", allowed=f"at most {MOST}", remedy='Take structure="diagonal".')
    scales = potential.layout.unflatten(potential.precision[None])
    blocks = [scales[weight][0], *([scales[bias][0][:, None]] if biased else [])]
    precision = torch.diag(torch.cat(blocks, 1).flatten().double())
    for x, y in _batches(potential):
        features, outputs = _features(potential.model, layer, x)
        roots = output_roots(potential, outputs, y)
        rows = torch.cat([features, torch.ones_like(features[:, :1])], 1).double() if biased else features.double()
        jacobians = torch.einsum("nki,nd->nikd", roots, rows).reshape(-1, total)
        precision.addmm_(jacobians.T, jacobians)
    own = [layer.weight.detach(), *([layer.bias.detach()[:, None]] if biased else [])]
    mean, factor = torch.cat(own, 1).flatten().double(), torch.linalg.cholesky(precision)

    def sampler(samples: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        noise = torch.randn(total, samples, generator=generator, dtype=torch.float64, device=generator.device).to(mean.device)
        drawn = mean + torch.linalg.solve_triangular(factor.T, noise, upper=True).T
        drawn = drawn.view(samples, layer.out_features, width).to(layer.weight.dtype)
        params = {weight: drawn[..., : layer.in_features].contiguous()}
        return params | ({bias: drawn[..., -1].contiguous()} if biased else {})

    return sampler


def _run(model: nn.Module, x: torch.Tensor, hook: RemovableHandle) -> torch.Tensor:
    """Outputs of the network on the batch `x`, without gradients; `hook` is removed afterwards."""
    try:
        with torch.no_grad():
            return model(x.clone())
    finally:
        hook.remove()


def _features(model: nn.Module, layer: nn.Linear, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (n, D) of `layer` and outputs of the network on the batch `x`."""
    seen: list[torch.Tensor] = []

    def keep(module: nn.Module, args: tuple[Any, ...]) -> None:
        del module
        seen.append(args[0])

    outputs = _run(model, x, layer.register_forward_pre_hook(keep))
    return seen[-1] if seen else outputs.new_zeros(0), outputs


def _gives_outputs(model: nn.Module, layer: nn.Linear, x: torch.Tensor) -> bool:
    """Whether the network returns the output of `layer`: tested with random outputs of both signs in its place."""
    said: list[torch.Tensor] = []

    def replaced(module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        del module, args
        draws = torch.randn(output.shape, generator=torch.Generator().manual_seed(0))
        said.append(draws.to(output))
        return said[-1]

    outputs = _run(model, x, layer.register_forward_hook(replaced))
    return len(said) == 1 and said[0].ndim == 2 and torch.equal(said[0], outputs)


def _output_layer(potential: NetworkPotential) -> tuple[str, nn.Linear]:
    """The linear layer whose output is the network's, with the prefix of its parameters' names."""
    x, found = potential.x[:8], None
    for path, module in reversed(list(potential.model.named_modules())):
        prefix = f"{path}." if path else ""
        if not isinstance(module, nn.Linear) or f"{prefix}weight" not in potential.layout.shapes:
            continue
        if _gives_outputs(potential.model, module, x):
            found = prefix, module
            break
    if found is None:
        refuse(
            "structure",
            "is 'last_layer', but no linear layer with weights to be inferred gives the outputs of the model",
            allowed="networks that end in an nn.Linear",
            remedy='Take structure="diagonal".',
        )
    return found
