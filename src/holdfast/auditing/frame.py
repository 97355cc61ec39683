"""What a report says of the network and the examples besides the measurements.

It is stored with the run, so that a report can be written where neither can be loaded, or must not be.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from holdfast.auditing.sources import code_files
from holdfast.core.digest import jsonable
from holdfast.core.runner import Identity
from holdfast.core.stress import Facts
from holdfast.data.examples import chance_level
from holdfast.report import DataEntry, InputEntry, TargetEntry
from holdfast.report.provenance import commit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from holdfast.auditing.inputs import Inputs

__all__ = ["Frame"]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The network and the examples of an audit, as its report describes them.

    Parameters
    ----------
    identity : digests, and the seed
    target, data : entries of the report
    probe : what the first look found, as plain JSON types
    facts : what stresses may know
    queries : to the target, before the first point
    threads : of torch
    index : array (n,), place of each used example in the user's data
    labels : array (n,), class of each used example
    commit : git commit of the user's code, see :class:`holdfast.report.RunEntry`
    """

    identity: Identity
    target: TargetEntry
    data: DataEntry
    probe: Mapping[str, Any]
    facts: Facts
    queries: int
    threads: int
    index: NDArray[np.int64]
    labels: NDArray[np.int64]
    commit: str = ""

    @classmethod
    def of(cls, inputs: Inputs) -> Self:
        """The frame of `inputs`, with torch's present number of threads."""
        identity = inputs.identity
        return cls(
            identity=identity,
            target=_target_entry(inputs),
            data=DataEntry(
                name=inputs.data.name,
                digest=f"sha256:{identity.data}",
                n=len(inputs.data),
                total=inputs.total,
                subset_seed=identity.seed,
                chance=inputs.data.chance,
            ),
            probe=jsonable(inputs.probe.to_json()),
            facts=inputs.facts,
            queries=inputs.target.queries.count,
            threads=torch.get_num_threads(),
            index=inputs.index,
            labels=inputs.data.y.cpu().numpy(),
            commit=_commit(inputs.target.model),
        )

    @property
    def chance(self) -> float:
        """The accuracy of guessing, see :func:`holdfast.data.examples.chance_level`."""
        return chance_level(torch.from_numpy(self.labels), self.target.classes)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, from which :meth:`from_json` makes the same frame."""
        return {
            "identity": asdict(self.identity),
            "target": self.target.model_dump(mode="json"),
            "data": self.data.model_dump(mode="json"),
            "probe": dict(self.probe),
            "facts": asdict(self.facts),
            "queries": self.queries,
            "threads": self.threads,
            "index": self.index.tolist(),
            "labels": self.labels.tolist(),
            "commit": self.commit,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The frame that :meth:`to_json` described."""
        facts: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in stored["facts"].items()
        }
        return cls(
            identity=Identity(**stored["identity"]),
            target=TargetEntry.model_validate(stored["target"]),
            data=DataEntry.model_validate(stored["data"]),
            probe=stored["probe"],
            facts=Facts(**facts),
            queries=stored["queries"],
            threads=stored["threads"],
            index=np.asarray(stored["index"], dtype=np.int64),
            labels=np.asarray(stored["labels"], dtype=np.int64),
            commit=stored.get("commit", ""),
        )


def _commit(model: object) -> str:
    """The commit of the repository that holds the code of `model`, or else of the working folder; empty without one."""
    files = code_files(model) if isinstance(model, torch.nn.Module) else []
    return next(filter(None, (commit(file.parent, files=files) for file in files[:1])), "") or commit()


def _target_entry(inputs: Inputs) -> TargetEntry:
    target, data = inputs.target, inputs.data
    module = target.model if isinstance(target.model, torch.nn.Module) else None
    return TargetEntry(
        name=target.name,
        digest=f"sha256:{inputs.identity.target}",
        access=target.access,
        classes=data.classes,
        class_names=list(data.class_names),
        input=InputEntry(shape=list(data.shape), range=list(target.bounds), unit=inputs.facts.unit),
        parameters=sum(parameter.numel() for parameter in module.parameters()) if module is not None else None,
        outputs=target.outputs,
        unsafe_load=inputs.unsafe,
        notes=list(inputs.notes),
    )
