r"""Gradients of a posterior in its inputs: their mean, which the fast gradient attack of a Bayesian network follows, and how far
single samples cancel in it.

.. math:: g(x) = \frac 1S \sum_s \nabla_x L(f(x, w_s), y), \qquad r = \frac{\langle |g| \rangle_x}{\langle |g_s| \rangle_{s,x}}

r is 1 where all samples agree and about :math:`1/\sqrt S` where their directions are random. Source: G. Carbone et al.,
arXiv:2002.04359. The cross entropy is climbed through its soft margin m: :math:`\nabla L = \sigma(m) \nabla m`, and
:math:`\sigma(m)` is kept as a logarithm, so the direction of the mean survives where the gradients themselves underflow. Sums over
samples are in double precision. One vectorised program for all samples of a chunk; stacked convolution kernels on the CPU run one
after another, which is faster there (:func:`~holdfast.nets.stacked_logits`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from holdfast.attacks.losses import Loss, soft_margin
from holdfast.bayes.posterior import split_samples
from holdfast.core.checks import check_finite, check_labels, check_one_of, check_same_length, check_whole, refuse
from holdfast.nets import evaluating, layer_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.bayes.posterior import Posterior

__all__ = ["ExpectedGradient", "SampleGradients", "expected_input_gradient", "sample_gradients"]

MEMORY = 2**26  # bytes that input gradients and outputs of all layers of a chunk of samples may take
PROBE_ROWS = 8
Climb = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True, kw_only=True)
class SampleGradients:
    r"""The input gradients of some samples of a posterior, :math:`e^{l} g`.

    Parameters
    ----------
    first : number of the first of these samples
    gradients : g, tensor (s, N, ...)
    log_scale : l, tensor (s, N), double precision
    """

    first: int
    gradients: torch.Tensor
    log_scale: torch.Tensor

    def __len__(self) -> int:
        return len(self.gradients)

    @property
    def scaled(self) -> torch.Tensor:
        """The gradients themselves, tensor (s, N, ...) in double precision."""
        return self.gradients * self.log_scale.exp().view(*self.log_scale.shape, *(1,) * (self.gradients.ndim - 2))

    @property
    def norms(self) -> torch.Tensor:
        """Their Euclidean lengths, tensor (s, N), double precision."""
        lengths = torch.linalg.vector_norm(self.gradients.flatten(2), dim=2)
        return lengths.double() * self.log_scale.exp()


@dataclass(frozen=True, kw_only=True)
class ExpectedGradient:
    """The mean of the input gradients of S samples for N examples.

    Parameters
    ----------
    mean : tensor (N, ...), double precision
    direction : tensor (N, ...), double precision: the mean times a positive number per example, which keeps it from underflow
    sample_norms : tensor (S, N), Euclidean length of each sample's gradient, double precision
    """

    mean: torch.Tensor
    direction: torch.Tensor
    sample_norms: torch.Tensor

    @property
    def norm(self) -> torch.Tensor:
        """Euclidean length of the mean (N,)."""
        return torch.linalg.vector_norm(self.mean.flatten(1), dim=1)

    @property
    def cancellation(self) -> torch.Tensor:
        """Length of the mean over mean length (N,), in [0, 1]; NaN where every gradient is zero."""
        return self.norm / self.sample_norms.mean(0)

    @property
    def zero_rows(self) -> torch.Tensor:
        """Boolean (N,): the mean is exactly zero, so a step along its sign leads nowhere; `direction` may differ from zero."""
        return ~self.mean.flatten(1).any(1)

    @property
    def blind_rows(self) -> torch.Tensor:
        """Boolean (N,): not even a direction is left."""
        return ~self.direction.flatten(1).any(1)


def expected_input_gradient(
    posterior: Posterior, x: torch.Tensor, y: torch.Tensor, *, loss: Literal["ce"] | Loss = "ce", chunk: int | None = None
) -> ExpectedGradient:
    r"""Posterior mean of the gradient of each example's loss in its input, and the lengths of the gradients it is made of.

    .. math:: g(x) = \frac 1S \sum_s \nabla_x L(f(x, w_s), y)

    Source: arXiv:2002.04359, section 2.

    Parameters
    ----------
    posterior : samples of a network's weights
    x : tensor (N, ...), floating point; its precision is that of the passes
    y : integer tensor (N,)
    loss : ``"ce"`` or a callable ``(logits (N, K), labels (N,)) -> (N,)``
    chunk : number of samples at once; None: as many as fit in 64 MB

    Returns
    -------
    ExpectedGradient

    Raises
    ------
    InputError : NaN, integer inputs, labels that are not classes, a loss that is not one number per example

    Warns
    -----
    UserWarning : more than 1 % of the mean gradients are exactly zero

    Examples
    --------
    >>> from holdfast.bayes import Posterior
    >>> from holdfast.nets import mlp
    >>> post = Posterior.of_models([mlp(4, classes=3, seed=seed) for seed in range(5)])
    >>> found = expected_input_gradient(post, torch.rand(6, 4), torch.arange(6) % 3)
    >>> found.mean.shape, found.sample_norms.shape, bool((found.cancellation <= 1).all())
    (torch.Size([6, 4]), torch.Size([5, 6]), True)
    """
    total = torch.zeros(x.shape, dtype=torch.float64, device=x.device)
    level = torch.full((len(x),), -math.inf, dtype=torch.float64, device=x.device)  # `total` is the sum over exp(level)
    norms = []
    for part in sample_gradients(posterior, x, y, loss=loss, chunk=chunk):
        higher = torch.maximum(level, part.log_scale.amax(0))
        total *= _wide((level - higher).exp(), x)
        for gradient, log_scale in zip(part.gradients, part.log_scale, strict=True):
            total.addcmul_(gradient.double(), _wide((log_scale - higher).exp(), x))
        level = higher
        norms.append(part.norms)
    found = ExpectedGradient(
        mean=total * _wide(level.exp() / len(posterior), x), direction=total / len(posterior), sample_norms=torch.cat(norms)
    )
    warn_of_zeros(int(found.zero_rows.sum()), len(x))
    return found


def warn_of_zeros(zeros: int, examples: int) -> None:
    """Warn, on behalf of the caller's caller, if more than 1 % of the gradients are exactly zero."""
    if zeros > 0.01 * examples:
        warnings.warn(
            f"The expected input gradient of {zeros} of {examples} examples is exactly zero: the logits saturate, and an attack "
            "along its sign stands still, which looks like robustness. Follow ExpectedGradient.direction, attack the predictive "
            "(posterior.as_module()) with its margin, or pass double precision.",
            UserWarning,
            stacklevel=3,
        )


def sample_gradients(
    posterior: Posterior, x: torch.Tensor, y: torch.Tensor, *, loss: Literal["ce"] | Loss = "ce", chunk: int | None = None
) -> Iterator[SampleGradients]:
    """The input gradients of all samples, chunk after chunk; arguments as in :func:`expected_input_gradient`."""
    check_same_length(x, y)
    if not x.is_floating_point():
        refuse("x", f"has dtype {x.dtype}", allowed="floating point", remedy="Convert images with x.float() / 255.")
    check_finite(x, "x")
    posterior = posterior.of_dtype(x.dtype)
    with torch.no_grad():
        probe = posterior.take([0]).logits(x[:PROBE_ROWS])
    check_labels(y, "y", classes=probe.shape[-1])
    if probe.shape[-1] == 1 and not callable(loss):
        refuse("loss", f"is {loss!r} of one output", allowed="at least two classes", remedy="Give a callable of your own.")
    climb = loss_climb(loss)
    size = _fitting(posterior.model, x) if chunk is None else check_whole(chunk, "chunk", low=1)
    first = 0
    with evaluating(posterior.model), torch.inference_mode(mode=False):
        for params in split_samples(posterior.params, size):
            gradients, log_scale = _gradients(posterior.model, params, x, y, climb)
            yield SampleGradients(first=first, gradients=gradients.detach(), log_scale=log_scale.detach())
            first += len(gradients)


def _fitting(model: nn.Module, x: torch.Tensor) -> int:
    """How many samples fit into the memory at once, with the outputs of all layers and the input gradients of the batch `x`."""
    numbers = x[0].numel() + sum(math.prod(record.output_shape) for record in layer_records(model, x[:1]))
    return max(1, MEMORY // (len(x) * numbers * x.element_size()))


def loss_climb(loss: Literal["ce"] | Loss) -> Climb:
    """From logits and labels to what is differentiated (N,), and the logarithm (N,) of what its gradient is multiplied with."""
    if callable(loss):
        own = loss

        def plain(logits: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            value = own(logits, y)
            if value.shape != y.shape:
                refuse("loss", f"gives shape {tuple(value.shape)}", allowed=f"one number per example, {tuple(y.shape)}")
            return value, torch.zeros_like(value, dtype=torch.float64)

        return plain
    check_one_of(loss, "loss", allowed=("ce",))

    def cross_entropy(logits: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        margin = soft_margin(logits, y)
        return margin, nn.functional.logsigmoid(margin.detach().double())

    return cross_entropy


def _gradients(
    model: nn.Module, params: Mapping[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor, climb: Climb
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients (s, N, ...) and logarithms of their scales (s, N) under some samples."""

    def one(weights: Mapping[str, torch.Tensor], inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        value, log_scale = climb(functional_call(model, dict(weights), (inputs.clone(),)), y)
        return value.sum(), log_scale

    def one_by_one() -> tuple[torch.Tensor, torch.Tensor]:
        gradients, scales = [], []
        for weights in _unstacked(params):
            with torch.enable_grad():
                inputs = x.detach().requires_grad_()
                value, log_scale = one(weights, inputs)
                gradients.append(torch.autograd.grad(value, inputs)[0])
            scales.append(log_scale.detach())
        return torch.stack(gradients), torch.stack(scales)

    if x.device.type == "cpu" and any(values.ndim >= 4 for values in params.values()):
        return one_by_one()
    try:
        return vmap(grad(one, argnums=1, has_aux=True), in_dims=(0, None))(dict(params), x)
    except RuntimeError as reason:
        found = one_by_one()  # raises the same error again unless vectorising was its cause
        warnings.warn(
            f"{type(model).__name__} cannot be vectorised over samples ({str(reason).splitlines()[0]}); they ran one after "
            "another. Avoid Python branches on tensor values and in-place changes in its forward pass.",
            RuntimeWarning,
            stacklevel=4,
        )
        return found


def _unstacked(params: Mapping[str, torch.Tensor]) -> Iterator[dict[str, torch.Tensor]]:
    count = len(next(iter(params.values())))
    return ({name: values[index] for name, values in params.items()} for index in range(count))


def _wide(per_row: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return per_row.view(-1, *(1,) * (x.ndim - 1))
