"""Posteriors over networks as settings: which networks, which samplers, how hard they are attacked.

Nothing here computes: an experiment keeps these records among its settings and plans without loading torch, and
:mod:`holdfast.bayes.kept` finds the samples.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HMC", "VI", "AttackEffort", "DeepEnsemble", "SampledPerceptron"]


@dataclass(frozen=True, kw_only=True)
class HMC:
    """Chains of Hamiltonian Monte Carlo, each from its own draw of the prior; fields as in :func:`holdfast.bayes.hmc`."""

    chains: int
    samples: int
    warmup: int
    steps: int
    target_accept: float = 0.8


@dataclass(frozen=True, kw_only=True)
class VI:
    """Draws of a mean-field fit; fields as in :func:`holdfast.bayes.mfvi`."""

    epochs: int
    lr: float
    batch_size: int
    samples: int


@dataclass(frozen=True, kw_only=True)
class DeepEnsemble:
    """Networks trained from different starts without a prior; fields as in :func:`holdfast.bayes.train_ensemble`."""

    members: int
    epochs: int
    lr: float
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class SampledPerceptron:
    """Perceptrons with leaky ReLU on one data set, and the samplers that are compared on them.

    Parameters
    ----------
    examples : of the training set
    hidden : widths
    hmc : ``"hmc"``
    vi : ``"vi"``; `vi_examples` and `vi_hidden` take the place of `examples` and `hidden` where they are given
    few : ``"hmc_few"``, as many samples from fewer chains
    ensemble : ``"ensemble"``, and ``"deterministic"``, its first member
    std : of the normal prior of every weight

    Examples
    --------
    >>> chains = HMC(chains=2, samples=4, warmup=2, steps=3)
    >>> SampledPerceptron(examples=20, hidden=(3,), hmc=chains).models
    ('hmc',)
    """

    examples: int
    hidden: tuple[int, ...]
    hmc: HMC
    vi: VI | None = None
    few: HMC | None = None
    ensemble: DeepEnsemble | None = None
    vi_examples: int | None = None
    vi_hidden: tuple[int, ...] | None = None
    std: float = 1.0

    @property
    def samplers(self) -> dict[str, HMC | VI | DeepEnsemble]:
        """Those that there are by name, the dearest first."""
        every = {"hmc": self.hmc, "vi": self.vi, "hmc_few": self.few, "ensemble": self.ensemble, "deterministic": self.ensemble}
        return {name: sampler for name, sampler in every.items() if sampler is not None}

    @property
    def models(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.samplers)


@dataclass(frozen=True, kw_only=True)
class AttackEffort:
    """How much work attackers do where protocols are compared, see :func:`holdfast.bayes.named_protocol`.

    Parameters
    ----------
    steps : of PGD along one gradient
    climbs, restarts : steps and starts of APGD in the adaptive protocol
    queries : of its Square attack
    """

    steps: int = 40
    climbs: int = 100
    restarts: int = 5
    queries: int = 1000
