"""The flags of an audit, each one key of its configuration file."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
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
    argument: Annotated[list[str], Parameter(name=["--argument", "--model-arg"], negative=())] = field(default_factory=list)
    """`name=value` for the factory; may be repeated."""
    data: str | None = None
    """`module:function`, an `.npz` with x and y, a CSV or Parquet file, a folder per class, or a name from `holdfast data list`."""
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
    skip: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """Leave this stress out; may be repeated. The plan and the report say so."""
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
    """Smallest and largest input value, e.g. `0,1`; without it 0 and 1 for images, and what is observed for other inputs."""
    normalize: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """`mean,std`, applied inside the network, so that attack sizes stay in input units."""
    layout: Literal["NCHW", "NHWC", "NHW", "NCL", "NLC", "NTF", "NF", "NCDHW", "NDHWC", "NDHW"] | None = None
    """Order of the axes of arrays, where the network does not take them as they are: `NHW` for grey images without a channel."""
    input_key: str | None = None
    """Which entry of each row is the network's input, where rows are dicts; several of one shape are separated by commas."""
    label_column: str | None = None
    """Which column of a table, or entry of each row that is a dict, is the label."""
    size: int | None = None
    """Side in px to which the images of a folder are brought."""
    access: Literal["labels", "scores", "gradients", "weights"] | None = None
    """What the simulated adversary or deployer has, at most."""
    outputs: Literal["logits", "probabilities", "binary", "binary-logits", "binary-probabilities"] | None = None
    """What the network returns (probabilities are detected); `binary`: one number, the logit or the probability of class 1."""
    output_key: str | None = None
    """Which entry holds the logits, for a network that returns a mapping or a tuple."""
    samples: int | None = None
    """Passes whose mean probabilities are one answer; without it 10 for a network that answers at random, otherwise 1."""
    expect_accuracy: str | None = None
    """Refuse to start if the clean accuracy is more than 5 points below this, e.g. `0.97`."""
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
        from holdfast.auditing.command import SINGULAR

        several = {flag: key for key, flag in SINGULAR.items()}
        words = {several.get(entry.name, entry.name): getattr(self, entry.name) for entry in fields(self)}
        model, data, config, assignments = (words.pop(name) for name in ("model", "data", "config", "set"))
        given = {name: value for name, value in words.items() if value is not None and value is not False}
        flags = {"model": {"source": model}, "data": {"source": data}, **given}
        return read_settings(config, assignments=tuple(assignments), flags=flags)
