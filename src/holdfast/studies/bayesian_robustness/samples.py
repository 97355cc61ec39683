"""Posteriors that many points share: built once, kept with what they say of themselves."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from holdfast.bayes import Diagnostics, MeanField, Posterior, Prior, hmc, mfvi, normal_sampler, train_ensemble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch
    from torch import nn

    from holdfast.core.experiment import Context
    from holdfast.data.examples import Examples
    from holdfast.studies.bayesian_robustness.recipes import HMC, VI

__all__ = ["Workshop", "facts"]

FACT = "diagnostics."


class Workshop:
    """Makes posteriors of one network form on one training set.

    Parameters
    ----------
    context : gives memory, seeds and device
    make_net : from a seed to an untrained network
    train : training data
    plan : what they depend on, in JSON-able words
    """

    def __init__(self, context: Context, make_net: Callable[[int], nn.Module], train: Examples, *, plan: Mapping[str, Any]) -> None:
        self.context, self.plan = context, plan
        self._form = make_net
        self.train = train.to(context.device)

    def make_net(self, seed: int) -> nn.Module:
        """An untrained network on the device."""
        return self._form(seed).to(self.context.device)

    def chains(self, recipe: HMC, *, std: float = 1.0, name: str = "hmc") -> Posterior:
        """Hamiltonian chains."""
        seed = self.context.seeds.integer(name)
        report = self._check_time()

        def build() -> Posterior:
            return hmc(self.make_net(0), self.train, prior=Prior(std), seed=seed, progress=report, **asdict(recipe))

        return self._kept("hmc", asdict(recipe) | {"std": std, "name": name}, build)

    def variational(self, recipe: VI, *, std: float = 1.0) -> Posterior:
        """Draws of a mean-field fit."""
        seed = self.context.seeds.integer("vi")
        settings = {key: value for key, value in asdict(recipe).items() if key != "examples"}
        report = self._check_time()

        def build() -> Posterior:
            return mfvi(self.make_net(seed), self.train, prior=Prior(std), seed=seed, progress=report, **settings)

        return self._kept("vi", asdict(recipe) | {"std": std}, build)

    def members(self, count: int, *, epochs: int, lr: float, batch_size: int) -> Posterior:
        """Networks trained without weight decay from different starts; the first is the deterministic one."""
        seed = self.context.seeds.integer("members")
        settings = {"epochs": epochs, "lr": lr, "batch_size": batch_size}

        def build() -> Posterior:
            return train_ensemble(self.make_net, self.train, count, seed=seed, **settings)

        return self._kept("members", {"count": count, **settings}, build)

    def _check_time(self) -> Callable[[Any], None]:
        return lambda _: self.context.check_time()

    def _kept(self, kind: str, settings: Mapping[str, Any], build: Callable[[], Posterior]) -> Posterior:
        found = self.context.memo(kind, {**self.plan, **settings}, lambda: _pack(build()))
        return _unpack(self.make_net(0).eval(), dict(found), self.context.device)


def _pack(post: Posterior) -> dict[str, torch.Tensor]:
    import torch

    facts: dict[str, Any] = asdict(post.diagnostics) if post.diagnostics else {}
    packed = {FACT + key: torch.as_tensor(value, dtype=torch.float64) for key, value in facts.items()}
    packed |= {f"{FACT}of.{post.method}": torch.tensor([post.chains])}
    if isinstance(post, MeanField):  # so that an attacker can draw samples of his own
        packed |= {f"{FACT}mean.{name}": values for name, values in post.mean.items()}
        packed |= {f"{FACT}std.{name}": values for name, values in post.std.items()}
    return packed | dict(post.params)


def _unpack(model: nn.Module, packed: dict[str, torch.Tensor], device: str) -> Posterior:
    stored = {key.removeprefix(FACT): packed.pop(key) for key in list(packed) if key.startswith(FACT)}
    method = next(key.removeprefix("of.") for key in stored if key.startswith("of."))
    whole = {"divergences", "chains", "samples"}
    found: dict[str, Any] = {
        entry.name: (tuple(value.tolist()) if value.ndim else int(value) if entry.name in whole else float(value))
        for entry in fields(Diagnostics)
        if (value := stored.get(entry.name)) is not None
    }
    mean, std = (_named(stored, part, device) for part in ("mean.", "std."))
    return Posterior(
        model=model,
        sampler=normal_sampler(mean, std) if mean else None,
        params={name: values.to(device) for name, values in packed.items()},
        chains=int(stored[f"of.{method}"]),
        method=method,
        diagnostics=Diagnostics(**found) if found else None,
    )


def _named(stored: Mapping[str, torch.Tensor], prefix: str, device: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): values.to(device) for key, values in stored.items() if key.startswith(prefix)}


def facts(post: Posterior) -> dict[str, Any]:
    """What a reader must know of a posterior's samples, as details of a point."""
    about: dict[str, Any] = {"method": post.method, "chains": post.chains, "samples": len(post)}
    if post.diagnostics:
        about["warnings"] = list(post.diagnostics.warnings)
    return about
