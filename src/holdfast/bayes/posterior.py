r"""A posterior over networks as samples of their weights, whatever drew them.

The predictive of samples :math:`w_1 \ldots w_S` is computed in log space throughout:

.. math:: \log p(k|x) = \log \sum_s \exp(\log \mathrm{softmax}\, f(x, w_s)_k) - \log S
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from holdfast.attacks.problem import looks_like_probabilities
from holdfast.core.checks import check_finite, check_one_of, check_whole, refuse
from holdfast.core.seeds import Seeds
from holdfast.nets import copied, stack, stacked_logits, with_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from holdfast.bayes.diagnostics import Diagnostics

__all__ = ["Posterior", "Predictive", "Reduce", "Sampler", "check_logits", "check_mode"]

Reduce = Literal["log_mean_exp", "mean_logits"]
Sampler = Callable[[int, torch.Generator], Mapping[str, torch.Tensor]]
RANDOM_IN_TRAINING = (nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd, nn.RReLU)  # noqa: SLF001 - the common ancestors
RANDOM_WITH_DROPOUT = (nn.MultiheadAttention, nn.RNNBase)  # where their own attribute `dropout` is not zero
PROBE_ROWS = 8  # fewer rows may add up to one at random


def check_mode(model: nn.Module) -> nn.Module:
    """`model`, unless its answers are nondeterministic or depend on the rest of the batch: then no likelihood is defined.

    Raises
    ------
    InputError : no module; normalisation over the batch or dropout in training mode (the message names it)
    """
    if not isinstance(model, nn.Module):
        refuse("model", f"is a {type(model).__name__}", allowed="an nn.Module", remedy="Of a Target pass `target.module`.")
    for path, module in model.named_modules():
        drops = isinstance(module, RANDOM_WITH_DROPOUT) and module.dropout
        if module.training and (isinstance(module, RANDOM_IN_TRAINING) or drops):
            refuse(
                "model",
                f"has {type(module).__name__} {path!r} in training mode",
                allowed="batch normalisation and dropout in evaluation mode only, or there is no likelihood",
                remedy="Call model.eval() first: affine weights are then inferred and running statistics stay shared.",
            )
    return model


def check_logits(outputs: torch.Tensor) -> torch.Tensor:
    """`outputs` (..., K), unless they are probabilities: a second softmax would make another, flatter posterior."""
    rows = outputs.detach().flatten(0, -2)
    if len(rows) >= PROBE_ROWS and looks_like_probabilities(rows):
        refuse(
            "model",
            "returns probabilities",
            allowed="logits; attacks and posteriors need logits (a second softmax hides gradients)",
            remedy="Leave the softmax out of the network, or take the logarithm of its output.",
        )
    return outputs


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Samples of a network's weights, all of equal weight.

    Parameters
    ----------
    model : gives the form, and the values of everything that `params` does not name; used in evaluation mode, never changed
    params : parameters (or buffers) by name, each (S, *shape)
    chains : samples are in chain-major order: sample s belongs to chain ``s // (S // chains)``
    method : what drew them, for tables
    diagnostics : of the sampler's run, if it has any
    sampler : ``(samples, generator) -> params`` draws more of them, where that is possible

    Raises
    ------
    InputError : no samples, unequal numbers, unknown names, wrong shapes, NaN, chains that do not divide S, dropout or batch
        normalisation in training mode

    Examples
    --------
    >>> from holdfast.nets import mlp
    >>> post = Posterior.of_models([mlp(4, classes=3, seed=seed) for seed in range(5)])
    >>> len(post), post.logits(torch.rand(2, 4)).shape, post.log_predictive(torch.rand(2, 4)).shape
    (5, torch.Size([5, 2, 3]), torch.Size([2, 3]))
    """

    model: nn.Module
    params: Mapping[str, torch.Tensor]
    chains: int = 1
    method: str = "samples"
    diagnostics: Diagnostics | None = None
    sampler: Sampler | None = None

    def __post_init__(self) -> None:
        check_mode(self.model)
        known = dict(self.model.named_parameters(remove_duplicate=False)) | dict(self.model.named_buffers(remove_duplicate=False))
        counts = {len(values) if values.ndim else 0 for values in self.params.values()}
        if len(counts) != 1 or 0 in counts:
            refuse("params", f"holds {sorted(counts)} samples", allowed="the same number, at least 1, of every parameter")
        for name, values in self.params.items():
            if name not in known or values.shape[1:] != known[name].shape:
                wanted = tuple(known[name].shape) if name in known else "no such parameter"
                refuse(
                    "params", f"has {name!r} of shape {tuple(values.shape)}", allowed=f"(samples, *shape) of the model: {wanted}"
                )
            check_finite(values, f"params[{name!r}]")
        if check_whole(self.chains, "chains", low=1) and len(self) % self.chains:
            refuse("chains", f"is {self.chains} for {len(self)} samples", allowed="a divisor: all chains are of one length")

    def __len__(self) -> int:
        return len(next(iter(self.params.values())))

    @property
    def facts(self) -> dict[str, Any]:
        """JSON-able, for a report: method, chains, samples, and what speaks against the samples if they have diagnostics."""
        about = {"method": self.method, "chains": self.chains, "samples": len(self)}
        return about if self.diagnostics is None else about | {"warnings": list(self.diagnostics.warnings)}

    @classmethod
    def of_models(cls, models: Sequence[nn.Module], *, method: str = "models") -> Posterior:
        """Trained networks of one form as samples; where buffers (running statistics) differ they are taken along.

        Raises
        ------
        InputError : no networks, or networks that differ in more than parameters and buffers
        """
        for model in models:
            check_mode(model)
        stacked = stack(models)
        buffers = dict(stacked.template.named_buffers())
        kept = {
            name: values.detach()
            for name, values in stacked.tensors.items()
            if name not in buffers or bool((values != values[0]).any())
        }
        return cls(model=stacked.template, params=kept, method=method)

    @classmethod
    def from_sampler(
        cls, model: nn.Module, sampler: Sampler, *, samples: int, method: str = "sampler", generator: torch.Generator | None = None
    ) -> Posterior:
        """Independent draws of `sampler`, which :meth:`resample` asks again for fresh ones.

        Parameters
        ----------
        model : gives the form
        sampler : ``(samples, generator) -> params``, each (samples, *shape)
        samples : S, >= 1
        method : what draws, for tables
        generator : of the draws; default: a new one with seed 0

        Examples
        --------
        >>> from holdfast.bayes import Prior
        >>> net = nn.Linear(2, 3)
        >>> len(Posterior.from_sampler(net, lambda samples, generator: Prior().draw(net, samples, generator), samples=7))
        7
        """
        draws = generator or Seeds(0).torch("samples")
        params = sampler(check_whole(samples, "samples", low=1), draws)
        return cls(model=model, params=params, method=method, sampler=sampler)

    def logits(self, x: torch.Tensor, *, chunk: int | None = None) -> torch.Tensor:
        """Logits (S, N, K) of the batch `x` (N, ...) under every sample, differentiable; `chunk` as in :meth:`as_module`."""
        return torch.cat(list(_answers(self.model, self.params, x, chunk=chunk)))

    def log_predictive(self, x: torch.Tensor, *, chunk: int | None = None) -> torch.Tensor:
        """Logarithm of the predictive probabilities (N, K): the samples' *probabilities* are averaged, not their logits."""
        return reduce_logits(_answers(self.model, self.params, x, chunk=chunk), "log_mean_exp", len(self))

    def take(self, rows: torch.Tensor | Sequence[int]) -> Posterior:
        """The samples `rows` (indices), as one chain without diagnostics."""
        index = torch.as_tensor(rows, dtype=torch.long)
        params = {name: values[index.to(values.device)] for name, values in self.params.items()}
        return replace(self, params=params, chains=1, diagnostics=None)

    def spread(self, samples: int) -> Posterior:
        """`samples` of the samples, evenly spaced over all chains.

        The chains stay apart where each gives the same number; fewer samples than chains are chains of one draw each.
        """
        chosen = self.take(self.spread_rows(samples))
        return replace(chosen, chains=self.chains if samples % self.chains == 0 else samples if samples < self.chains else 1)

    def spread_rows(self, samples: int) -> torch.Tensor:
        """Indices of the samples that :meth:`spread` takes."""
        return torch.arange(check_whole(samples, "samples", low=1, high=len(self))) * len(self) // samples

    def resample(self, samples: int, generator: torch.Generator) -> Posterior:
        """`samples` fresh draws where a sampler is known, else samples drawn without replacement, in random order.

        Raises
        ------
        InputError : more samples than there are, without a sampler
        """
        check_whole(samples, "samples", low=1, high=None if self.sampler else len(self))
        if self.sampler is not None:
            return replace(self, params=self.sampler(samples, generator), chains=1, diagnostics=None)
        return self.take(torch.randperm(len(self), generator=generator, device=generator.device)[:samples].cpu())

    def double(self) -> Posterior:
        """The same samples in double precision, e.g. where gradients underflow; the network is copied."""
        return self.of_dtype(torch.float64)

    def of_dtype(self, dtype: torch.dtype) -> Posterior:
        """The same samples, and fresh draws, in another floating precision; itself where they have it."""

        def cast(params: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {name: values.to(dtype) if values.is_floating_point() else values for name, values in params.items()}

        kinds = {values.dtype for values in self.params.values() if values.is_floating_point()}
        if kinds <= {dtype}:
            return self
        own = self.sampler
        fresh = None if own is None else lambda samples, generator: cast(own(samples, generator))
        return replace(self, model=copied(self.model).to(dtype), params=cast(self.params), sampler=fresh)

    def network(self, index: int) -> nn.Module:
        """The network of one sample, a copy."""
        return with_weights(self.model, {name: values[index] for name, values in self.params.items()}).eval()

    def as_module(self, reduce: Reduce = "log_mean_exp", *, samples: int | None = None, chunk: int | None = None) -> Predictive:
        """The posterior's answer as one network, for every attack and for the audit.

        Parameters
        ----------
        reduce : ``"log_mean_exp"``, the logarithm of the predictive, whose cross entropy is the predictive's negative log
            likelihood; or ``"mean_logits"``, another prediction, whose gradients survive where the first one saturates
        samples : number of samples to use, evenly spaced; None: all
        chunk : number of samples at once; each chunk is computed again on the way back, so memory is bounded with gradients too

        Examples
        --------
        >>> from holdfast.attacks import ThreatModel, pgd
        >>> from holdfast.nets import mlp
        >>> post = Posterior.of_models([mlp(4, classes=3, seed=seed) for seed in range(5)])
        >>> x, y = torch.rand(6, 4), torch.arange(6) % 3
        >>> pgd(post.as_module(), x, y, ThreatModel("linf", 0.1), steps=3).x_adv.shape
        torch.Size([6, 4])
        """
        return Predictive(self if samples is None else self.spread(samples), reduce, chunk=chunk)


class Predictive(nn.Module):
    """A posterior's answer as a network from inputs to (N, K); see :meth:`Posterior.as_module`.

    The samples are parameters that take no gradients, so the network moves between devices and precisions like any other.
    """

    def __init__(self, posterior: Posterior, reduce: Reduce, *, chunk: int | None = None) -> None:
        super().__init__()
        check_one_of(reduce, "reduce", allowed=("log_mean_exp", "mean_logits"))
        self.reduce, self.samples = reduce, len(posterior)
        self.chunk = None if chunk is None else check_whole(chunk, "chunk", low=1)
        self.form = copied(posterior.model).requires_grad_(False)
        self.names = {name: f"samples_of_{number}" for number, name in enumerate(posterior.params)}  # no name of its own
        for name, values in posterior.params.items():
            kept = nn.Parameter(values.detach(), requires_grad=False) if values.is_floating_point() else None
            self.register_buffer(self.names[name], values) if kept is None else self.register_parameter(self.names[name], kept)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Log probabilities or mean logits (N, K) of the batch `x`; differentiable."""
        params = {name: getattr(self, place) for name, place in self.names.items()}
        return reduce_logits(_answers(self.form, params, x, chunk=self.chunk), self.reduce, self.samples)

    def extra_repr(self) -> str:
        """How the network prints itself."""
        return f"{self.samples} samples, {self.reduce}"


def _answers(model: nn.Module, params: Mapping[str, torch.Tensor], x: torch.Tensor, *, chunk: int | None) -> Iterator[torch.Tensor]:
    """Logits (., N, K) of parts of the samples; with `chunk` each part is computed again on the way back."""
    plain = not (torch.is_grad_enabled() and x.requires_grad) or torch._C._functorch.peek_interpreter_stack() is not None  # noqa: SLF001
    again = chunk is not None and not plain  # torch.func's transforms do not support checkpoints
    for part in split_samples(params, chunk):

        def logits(inputs: torch.Tensor, part: dict[str, torch.Tensor] = part) -> torch.Tensor:
            return check_logits(stacked_logits(model, part, inputs))

        yield checkpoint(logits, x, use_reentrant=False) if again else logits(x)


def split_samples(params: Mapping[str, torch.Tensor], chunk: int | None) -> Iterator[dict[str, torch.Tensor]]:
    """The samples in parts of at most `chunk`; None: all in one."""
    total = len(next(iter(params.values())))
    size = total if chunk is None else check_whole(chunk, "chunk", low=1)
    for start in range(0, total, size):
        yield {name: values[start : start + size] for name, values in params.items()}


def reduce_logits(parts: Iterator[torch.Tensor], reduce: Reduce, samples: int) -> torch.Tensor:
    """One answer (N, K) from the logits (., N, K) of parts of `samples` samples."""
    if reduce == "mean_logits":
        return torch.stack([part.sum(0) for part in parts]).sum(0) / samples
    return torch.stack([part.log_softmax(-1).logsumexp(0) for part in parts]).logsumexp(0) - math.log(samples)
