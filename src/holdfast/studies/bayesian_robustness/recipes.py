"""Which posteriors are found on which data, and how they are attacked."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HMC", "PREDICTIVE", "VI", "Images", "Moons", "Plane", "Regression", "Sweep", "tag"]

PREDICTIVE = ("predictive_nll", "mean_logits")  # what the best PGD may climb
ALWAYS = ("expected", "code")
FULL = ("second_softmax", *PREDICTIVE)


def tag(number: float) -> str:
    """A size of an attack as part of a metric's name: 0.05 is e005.

    Examples
    --------
    >>> tag(0.05)
    'e005'
    """
    return f"e{round(100 * number):03d}"


@dataclass(frozen=True, kw_only=True)
class HMC:
    """One run of Hamiltonian chains, each from its own draw of the prior; see :func:`holdfast.bayes.hmc`."""

    chains: int
    samples: int
    warmup: int
    steps: int
    target_accept: float = 0.8


@dataclass(frozen=True, kw_only=True)
class VI:
    """One mean-field fit; see :func:`holdfast.bayes.mfvi`."""

    epochs: int
    lr: float
    batch_size: int
    samples: int
    examples: int = 0


@dataclass(frozen=True, kw_only=True)
class Moons:
    """Half-moons in a random plane of a space of many dimensions, on which most directions are seen by no datum.

    Parameters
    ----------
    dimension : of the space
    examples, test : training and test points
    hidden : widths
    hmc : of trajectories about as long as the prior is wide, which forget weights that no datum sees
    members : of the ensemble
    epochs, lr, batch_size : of the deterministic network and of the ensemble
    at : numbers of samples that gradients are averaged over
    distances : of the attack off the plane
    """

    dimension: int = 20
    examples: int = 500
    test: int = 500
    hidden: tuple[int, ...] = (32, 32)
    hmc: HMC = HMC(chains=10, samples=40, warmup=30, steps=120, target_accept=0.75)
    vi: VI = VI(epochs=800, lr=1e-2, batch_size=500, samples=400)
    members: int = 50
    epochs: int = 200
    lr: float = 1e-2
    batch_size: int = 500
    at: tuple[int, ...] = (1, 25, 50, 100, 400)
    distances: tuple[float, ...] = (0.25, 0.5, 1.0)


@dataclass(frozen=True, kw_only=True)
class Regression:
    """Linear regression in a subspace, whose posterior is drawn from exactly.

    Parameters
    ----------
    dimension, seen : of the space and of the subspace that holds the data
    examples : training points
    samples : exact draws
    at : numbers of samples that gradients are averaged over
    """

    dimension: int = 20
    seen: int = 2
    examples: int = 100
    samples: int = 4096
    at: tuple[int, ...] = (1, 4, 16, 64, 256)


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Half-moons in their own plane, which they fill.

    Parameters
    ----------
    examples : numbers of training points
    test : points at which gradients are averaged
    hidden : widths
    hmc : its chains, of trajectories about as long as the prior is wide
    """

    examples: tuple[int, ...] = (100, 1000)
    test: int = 500
    hidden: tuple[int, ...] = (32, 32)
    hmc: HMC = HMC(chains=5, samples=50, warmup=30, steps=150, target_accept=0.75)


@dataclass(frozen=True, kw_only=True)
class Images:
    """Networks that read images, and the attacks on them.

    Parameters
    ----------
    data : name of the images
    examples, points, test : training images, attacked test images, and those of the accuracy without attack
    hidden : widths of the deterministic network, the ensemble and HMC
    vi_hidden : widths under VI
    hmc, few : many short chains, and as many samples from few chains (None: left out)
    members : of the ensemble
    epochs, lr, batch_size : of the deterministic network and of the ensemble
    at : numbers of samples that gradients are averaged over
    eps : attack sizes in L-infinity
    claimed : those that claims are about: FGSM and the best PGD; and where PGD must fail nowhere
    steps : of PGD
    full, adaptive : attack sizes at which PGD climbs every loss, and of the adaptive protocol
    climbs, restarts, queries : of its APGD, and of Square
    """

    data: str
    examples: int = 1000
    points: int = 250
    test: int = 2000
    hidden: tuple[int, ...] = (64,)
    vi_hidden: tuple[int, ...] = (64,)
    hmc: HMC = HMC(chains=10, samples=10, warmup=20, steps=10)
    few: HMC | None = HMC(chains=2, samples=25, warmup=20, steps=10)
    vi: VI = VI(epochs=38, lr=2e-3, batch_size=128, samples=50, examples=10_000)
    members: int = 10
    epochs: int = 40
    lr: float = 5e-3
    batch_size: int = 100
    at: tuple[int, ...] = (1, 5, 10, 25, 50, 100)
    eps: tuple[float, ...] = (0.05, 0.1, 0.3)
    claimed: tuple[float, float] = (0.1, 0.3)
    steps: int = 20
    full: tuple[float, ...] = (0.05, 0.1, 0.3)
    adaptive: tuple[float, ...] = (0.05, 0.1, 0.3)
    climbs: int = 30
    restarts: int = 1
    queries: int = 300

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the posteriors, the dearest first."""
        return ("hmc", "vi", *(("hmc_few",) if self.few else ()), "ensemble", "deterministic")

    def protocols(self, eps: float) -> tuple[str, ...]:
        """Names of the attacks of one size, the dearest first."""
        return (*(("adaptive",) if eps in self.adaptive else ()), *(FULL if eps in self.full else ()), *ALWAYS)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Settings whose accuracy and robustness are set against each other.

    Parameters
    ----------
    data : name of the images
    widths, examples, stds : of the one hidden layer, of the training set, of the prior; all combinations
    points : attacked test images
    eps : of FGSM along the expected gradient
    """

    data: str
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    examples: tuple[int, ...] = (300, 1000)
    stds: tuple[float, ...] = (0.5, 1.0)
    points: int = 500
    eps: float = 0.1
    hmc: HMC = HMC(chains=4, samples=10, warmup=20, steps=10)
