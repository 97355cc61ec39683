"""A posterior as a flat mapping of tensors and back, so that it can be kept in a file of tensors (safetensors, or a memo).

The network's form is code and is not packed. Names are ``params.NAME``, ``mean.NAME`` and ``std.NAME`` for weights,
``diagnostics.FIELD`` for the diagnostics, and ``chains``, ``method``, ``elbo`` and ``divergence``.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import torch

from holdfast.bayes.diagnostics import Diagnostics
from holdfast.bayes.posterior import Posterior
from holdfast.bayes.variational import MeanField, normal_sampler
from holdfast.core.checks import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

__all__ = ["pack_posterior", "unpack_posterior"]

COUNTS = ("divergences", "chains", "samples")  # whole numbers of the diagnostics


def pack_posterior(posterior: Posterior) -> dict[str, torch.Tensor]:
    """Everything that :func:`unpack_posterior` needs besides the network: tensors by name.

    Samplers are not packed, except that of a :class:`~holdfast.bayes.MeanField`, which its mean and its std define. Files do not
    keep the order of names, so the unpacked one draws weights in alphabetical order: fresh draws of one seed differ from those
    before packing, and are the same after every unpacking.

    Examples
    --------
    >>> from holdfast.bayes import Posterior
    >>> from holdfast.nets import mlp
    >>> post = Posterior.of_models([mlp(4, classes=3, seed=seed) for seed in range(5)], method="ensemble")
    >>> found = unpack_posterior(mlp(4, classes=3), pack_posterior(post))
    >>> len(found), found.method, torch.equal(found.logits(torch.ones(1, 4)), post.logits(torch.ones(1, 4)))
    (5, 'ensemble', True)
    """
    packed = {"chains": torch.tensor(posterior.chains), "method": torch.tensor(list(posterior.method.encode()), dtype=torch.uint8)}
    packed |= _prefixed("params", posterior.params)
    if posterior.diagnostics is not None:
        found = asdict(posterior.diagnostics)
        packed |= _prefixed("diagnostics", {name: torch.as_tensor(value, dtype=torch.float64) for name, value in found.items()})
    if isinstance(posterior, MeanField):
        packed |= _prefixed("mean", posterior.mean) | _prefixed("std", posterior.std)
        packed["elbo"] = torch.tensor(posterior.elbo, dtype=torch.float64)
        packed["divergence"] = torch.tensor(posterior.divergence, dtype=torch.float64)
    return packed


def unpack_posterior(model: nn.Module, packed: Mapping[str, torch.Tensor], *, device: str | torch.device = "cpu") -> Posterior:
    """The posterior that :func:`pack_posterior` packed: a :class:`~holdfast.bayes.MeanField` if it was one.

    Parameters
    ----------
    model : network of the same form, in evaluation mode, on `device`
    packed : tensors by name
    device : of the samples

    Raises
    ------
    InputError : a mapping that :func:`pack_posterior` did not make; samples that do not fit `model`
    """
    missing = sorted({"chains", "method"} - set(packed))
    if missing:
        refuse("packed", f"lacks {missing}", allowed="what pack_posterior returns", remedy="Pack the posterior again.")
    mean, std = _part("mean", packed, device), _part("std", packed, device)
    about: dict[str, Any] = {
        "model": model,
        "params": _part("params", packed, device),
        "chains": int(packed["chains"]),
        "method": bytes(packed["method"].tolist()).decode(),
        "diagnostics": _diagnostics(_part("diagnostics", packed, "cpu")),
    }
    if "elbo" not in packed:
        return Posterior(**about)
    about |= {"elbo": tuple(packed["elbo"].tolist()), "divergence": float(packed["divergence"])}
    return MeanField(**about, mean=mean, std=std, sampler=normal_sampler(mean, std))


def _prefixed(part: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies that share no memory, which files of tensors require."""
    return {f"{part}.{name}": values.detach().clone(memory_format=torch.contiguous_format) for name, values in tensors.items()}


def _part(part: str, packed: Mapping[str, torch.Tensor], device: str | torch.device) -> dict[str, torch.Tensor]:
    prefix = f"{part}."
    return {name.removeprefix(prefix): packed[name].to(device) for name in sorted(packed) if name.startswith(prefix)}


def _diagnostics(found: Mapping[str, torch.Tensor]) -> Diagnostics | None:
    def plain(name: str, values: torch.Tensor) -> Any:
        return tuple(values.tolist()) if values.ndim else int(values) if name in COUNTS else float(values)

    return Diagnostics(**{field.name: plain(field.name, found[field.name]) for field in fields(Diagnostics)}) if found else None
