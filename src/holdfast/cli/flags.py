"""The flags of an audit, each one key of its configuration file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

__all__ = ["AuditFlags"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AuditFlags:
    """The flags of `audit` and `plan`; each flag is one key of the configuration file."""

    model: str | None = None
    """`module:factory`, `file.py:factory`, `model.pt2` or `model.ts`. Without it a small example network is audited."""
    weights: str | None = None
    """`.safetensors`, or a `.pt` state dict (read without executing anything)."""
    model_arg: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """`name=value` for the factory; may be repeated."""
    data: str | None = None
    """`module:function`, an `.npz` with x and y, a folder per class, or a name from `holdfast data list`."""
    name: str | None = None
    """What the report calls the network."""
    preset: Literal["quick", "standard", "deep"] | None = None
    """How thorough: minutes, 15 minutes, or a night on a GPU."""
    budget: str | None = None
    """Time for everything, e.g. `5m`; the plan is cut to fit and says what was left out."""
    max_queries: int | None = None
    """Largest number of queries of the black-box stresses."""
    stress: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """Run only these; may be repeated. See `holdfast list stresses`."""
    gate: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """A check that must hold, e.g. `"clean.accuracy >= 0.97"`; may be repeated."""
    undecided: Literal["warn", "fail", "pass"] | None = None
    """What a gate does to the exit code when its interval contains the threshold."""
    baseline: Path | None = None
    """Folder of an earlier run, for a paired before and after."""
    seed: int | None = None
    """Same seed, same numbers."""
    out: Path | None = None
    """Folder of the run."""
    fresh: Annotated[bool, Parameter(negative=())] = False
    """Delete the files of an earlier run in the folder and begin anew; every other file stays."""
    classes: Path | None = None
    """Text file with the name of each class in a line, in the order of the network's outputs; class folders are numbered by it."""
    examples: int | None = None
    """Largest number of examples, each class in its share."""
    unlabelled: str | None = None
    """Unlabelled inputs for the surrogate of `transfer`: as --data, or an .npz with x alone."""
    bounds: Annotated[str | None, Parameter(name=["--bounds", "--range"], allow_leading_hyphen=True)] = None
    """Smallest and largest input value, e.g. `0,1`."""
    normalize: str | None = None
    """`mean,std`, applied inside the network, so that attack sizes stay in input units."""
    layout: Literal["NCHW", "NHWC", "NHW"] | None = None
    """Order of the axes of arrays; `NHW` for grey images without an axis for the channel."""
    size: int | None = None
    """Side in px to which the images of a folder are brought."""
    access: Literal["labels", "scores", "gradients", "weights"] | None = None
    """What the simulated adversary or deployer has, at most."""
    outputs: Literal["logits", "probabilities"] | None = None
    """What the network returns; probabilities are detected automatically."""
    output_key: str | None = None
    """Which entry holds the logits, for a network that returns a mapping or a tuple."""
    samples: int | None = None
    """Passes whose mean probabilities are one answer; without it 10 for a network that answers at random, otherwise 1."""
    expect_accuracy: float | None = None
    """Refuse to start if the clean accuracy is more than 5 points below this."""
    allow_low_accuracy: Annotated[bool, Parameter(negative=())] = False
    """Audit a network whose accuracy is barely above chance."""
    unsafe_pickle: Annotated[bool, Parameter(negative=())] = False
    """Load a whole pickled module, which executes code; asks for a confirmation."""
    device: str | None = None
    """`cpu` or `cuda`."""
    workers: int | None = None
    """Processes that share the points."""
    threads: int | None = None
    """Torch threads of each process."""
    batch_size: int | None = None
    """Largest number of examples in one pass; of large inputs fewer go together."""
    point_limit: str | None = None
    """Longest time of one point, e.g. `90s`; default: 10 minutes, or 20 times the predicted time if that is more."""
    config: Annotated[Path | None, Parameter(alias="-c")] = None
    """TOML file with these settings and those of single stresses."""
    set: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """`KEY=VALUE` for any setting, e.g. `adversarial.pgd.steps=100`; may be repeated."""

    def settings(self) -> Any:
        """The settings of the audit: file, then assignments, then flags."""
        from holdfast.auditing import read_settings

        flags = {
            "preset": self.preset,
            "budget": self.budget,
            "max_queries": self.max_queries,
            "seed": self.seed,
            "stresses": tuple(self.stress),
            "gates": tuple(self.gate),
            "undecided": self.undecided,
            "baseline": _text(self.baseline),
            "out": _text(self.out),
            "fresh": self.fresh or None,
            "expect_accuracy": self.expect_accuracy,
            "allow_low_accuracy": self.allow_low_accuracy or None,
            "model": {
                "source": self.model,
                "weights": self.weights,
                "arguments": tuple(self.model_arg),
                "name": self.name,
                "access": self.access,
                "bounds": self.bounds,
                "normalize": self.normalize,
                "outputs": self.outputs,
                "output_key": self.output_key,
                "samples": self.samples,
                "unsafe_pickle": self.unsafe_pickle or None,
            },
            "data": {
                "source": self.data,
                "layout": self.layout,
                "size": self.size,
                "classes": _text(self.classes),
                "examples": self.examples,
                "unlabelled": self.unlabelled,
            },
            "run": {
                "device": self.device,
                "workers": self.workers,
                "threads": self.threads,
                "batch_size": self.batch_size,
                "point_limit": self.point_limit,
            },
        }
        return read_settings(self.config, assignments=tuple(self.set), flags=flags)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
