"""What an audit works on: the loaded and probed target, the chosen examples, and what stresses may know about both."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import torch

from holdfast.auditing.example import example_network
from holdfast.auditing.kinds import UNIT, fitted
from holdfast.auditing.likeness import EXAMPLES, likeness_of
from holdfast.auditing.loading import load_data, load_inputs, load_target
from holdfast.auditing.loading.locate import blame, is_address
from holdfast.auditing.probing import probe
from holdfast.auditing.probing.outputs import LABELS
from holdfast.auditing.probing.trials import failed_trials
from holdfast.core.checks import as_written, refuse
from holdfast.core.digest import digest, digest_arrays
from holdfast.core.runner import Identity
from holdfast.core.stress import Facts
from holdfast.core.target import QueryCounter
from holdfast.nets import closed_weights, device_of, own_widths, seeded, weights_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from holdfast.auditing.kinds import Fitted
    from holdfast.auditing.likeness import Likeness
    from holdfast.auditing.loading.target import LoadedTarget
    from holdfast.auditing.probing import Probe
    from holdfast.auditing.settings import AuditSettings, ModelSettings
    from holdfast.core.target import Target
    from holdfast.data import Examples, Selection

__all__ = ["Inputs", "gather"]

QUICK_EXAMPLES = 1000
MOST_UNLABELLED = 20_000  # further inputs that are read; every surrogate learns from a few thousand
SAMPLES = 10  # passes for one answer of a random network: its mean probability is then known to a third of their spread


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """A target and examples that are ready to be stressed.

    Parameters
    ----------
    target, data : as stresses get them; every prefix of the data is stratified
    index : array (n,), place of each used example in the user's data
    total : rows of the user's data
    probe : what the first look found
    facts : what stresses may know
    identity : digests, and the seed
    likeness : what tells the target from others with the same identity
    unlabelled : further inputs (n, ...) without labels, or None
    notes : about the target, for the report
    unsafe : a pickle was executed to load the target
    """

    target: Target
    data: Examples
    index: NDArray[np.int64]
    total: int
    probe: Probe
    facts: Facts
    identity: Identity
    likeness: Likeness
    unlabelled: torch.Tensor | None = None
    notes: tuple[str, ...] = ()
    unsafe: bool = False


def gather(
    settings: AuditSettings,
    model: Any = None,
    data: Any = None,
    *,
    unlabelled: Any = None,
    on_probe: Callable[[], None] = lambda: None,
) -> Inputs:
    """Load and probe what the settings, or the caller, name.

    Parameters
    ----------
    settings : of the audit
    model, data, unlabelled : Python objects that take the place of those that the settings name
    on_probe : called between the two

    Raises
    ------
    InputError : something cannot be used, or user code left the program, e.g. by ``sys.exit``
    """
    try:
        with warnings.catch_warnings():  # that packed layers have no gradient is found by the probe, and noted
            warnings.filterwarnings("ignore", message=".*an autograd kernel was not registered")
            return _gather(settings, model, data, unlabelled=unlabelled, on_probe=on_probe)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise blame(error, doing="your network or data, while they were loaded and probed,") from error


def _gather(settings: AuditSettings, model: Any, data: Any, *, unlabelled: Any, on_probe: Callable[[], None]) -> Inputs:
    chosen = settings.model
    source = chosen.source if model is None else model
    if source is None:
        source, embedded = example_network(seed=0)
        data = embedded if data is None and settings.data.source is None else data
        chosen = chosen.model_copy(update={"name": chosen.name or "small CNN on digits"})
    loaded = _load(source, chosen, device=settings.run.device)
    found = _read(settings, data, known=loaded.class_names)
    spare = _unlabelled(settings, found, source=unlabelled)
    on_probe()
    suited = fitted(loaded.target, found.examples, spare, bounds=chosen.bounds, columns=found.columns, stacked=found.stacked)
    used = suited.examples
    limited = replace(suited.target, queries=QueryCounter(limit=settings.max_queries))
    seen = probe(
        limited,
        used,
        expect_accuracy=settings.expect_accuracy,
        allow_low_accuracy=settings.allow_low_accuracy,
        untrained=_if_untrained(source, chosen),
        columns=found.columns,
        seed=settings.seed,
        threads=settings.run.threads,
    )
    samples = _samples(chosen.samples, stochastic=seen.stochastic)
    target = replace(seen.target, samples=samples)
    few = used[:EXAMPLES].x.to(device_of(target, default=used.y.device))
    used = used.labelled(used.y, class_names=_names(used, seen.classes), numbering=used.numbering)
    return Inputs(
        target=target,
        data=used,
        index=found.index,
        total=found.total,
        probe=seen,
        facts=_facts(target, used, seen, suited),
        identity=Identity(target=_digest(target), data=_data_digest(found.examples, spare), seed=settings.seed),
        likeness=likeness_of(target, few, deterministic=seen.deterministic),
        unlabelled=suited.unlabelled,
        notes=(*loaded.notes, *_of_widths(target), *found.notes, *suited.notes, *seen.notes, *_of_samples(samples)),
        unsafe=loaded.unsafe,
    )


def _refuse_without_data() -> NoReturn:
    refuse(
        "data",
        "is missing",
        allowed="a file, a folder, package.module:function or a data set's name, in Python also a pair (x, y) or a Dataset",
        remedy=f"Name the examples that the network is asked about: {as_written('data', 'test.npz')}.",
    )


def _if_untrained(source: Any, chosen: ModelSettings) -> str:
    """What to do if the network's weights turn out not to be trained; empty where they were given, or come with its file."""
    if chosen.weights is not None:
        return ""
    if isinstance(source, str | Path):
        given = f"Its weights are those that {source} gave it: if they are not trained, add {as_written('weights', 'weights.pt')}."
        return given if is_address(str(source)) else ""
    return "If its weights are not trained, load them into it first." if isinstance(source, torch.nn.Module) else ""


def _read(settings: AuditSettings, data: Any, *, known: tuple[str, ...]) -> Selection:
    """The examples that `data`, or else the settings, name; `known` are the names of classes that the network holds."""
    chosen = settings.data
    return load_data(
        (chosen.source or _refuse_without_data()) if data is None else data,
        bounds=settings.model.bounds,
        layout=chosen.layout,
        size=chosen.size,
        limit=chosen.examples or (QUICK_EXAMPLES if settings.preset == "quick" else None),
        seed=settings.seed,
        classes=chosen.classes,
        known=known,
        input_key=chosen.input_key,
        label_column=chosen.label_column,
    )


def _samples(chosen: int | None, *, stochastic: bool) -> int:
    """How many passes make one answer."""
    if chosen == 1 and stochastic:
        got = "is 1, but two passes of the network give two answers"
        refuse("samples", got, allowed=f"2 or more passes, whose mean is one answer; {SAMPLES} if it is left out")
    return chosen or (SAMPLES if stochastic else 1)


def _of_widths(target: Target) -> tuple[str, ...]:
    """To how many bits the network rounds by itself, if it does."""
    return own_widths(target.model).notes if isinstance(target.model, torch.nn.Module) else ()


def _of_samples(samples: int) -> tuple[str, ...]:
    """What averaging means and costs, if it is done."""
    if samples == 1:
        return ()
    return (
        f"each answer, also within attacks, is the mean probability of {samples} passes",
        f"this makes every point cost {samples} times as much: {as_written('samples', 'N', python='N')} changes it",
        "one_pass_accuracy is the accuracy of single passes",
    )


def _load(source: Any, chosen: ModelSettings, *, device: str) -> LoadedTarget:
    """The target that `source` gives under the settings `chosen`."""
    return load_target(
        source,
        weights=chosen.weights,
        arguments=chosen.arguments,
        access=chosen.access,
        normalize=chosen.normalize,
        bounds=chosen.bounds or UNIT,
        outputs=chosen.outputs,
        output_key=chosen.output_key,
        unsafe_pickle=chosen.unsafe_pickle,
        device=device,
        name=chosen.name,
    )


def _unlabelled(settings: AuditSettings, data: Selection, *, source: Any) -> torch.Tensor | None:
    """The user's inputs without labels, of the `source` or the one that the settings name, each of the shape of an example."""
    source = settings.data.unlabelled if source is None else source
    if source is None:
        return None
    found = load_inputs(
        source,
        bounds=settings.model.bounds,
        layout=settings.data.layout,
        size=settings.data.size,
        limit=MOST_UNLABELLED,
        seed=settings.seed,
        input_key=settings.data.input_key,
        label_column=settings.data.label_column,
        columns=data.columns,
    )
    if tuple(found.shape[1:]) != data.examples.shape:
        refuse(
            "unlabelled", f"holds inputs of shape {tuple(found.shape[1:])}", allowed=f"the examples' shape, {data.examples.shape}"
        )
    return found


def _data_digest(used: Examples, spare: torch.Tensor | None) -> str:
    return used.digest if spare is None else digest(used.digest, digest_arrays({"unlabelled": spare}))


def _names(examples: Examples, classes: int) -> tuple[str, ...]:
    return (*examples.class_names, *map(str, range(len(examples.class_names), classes)))[:classes]


def _digest(target: Target) -> str:
    """Digest of weights, architecture, bounds and outputs; what these cannot tell apart, :mod:`.recognition` does."""
    model = target.model
    if not isinstance(model, torch.nn.Module):
        return digest("", (target.bounds, target.outputs, target.name, *([target.samples] if target.samples > 1 else [])))
    layers = re.sub(r" at 0x[0-9a-fA-F]+", "", str(model))  # where an object lies in memory differs from start to start
    frame = (target.bounds, target.outputs, layers)
    return digest(weights_digest(model), frame if target.samples == 1 else (*frame, target.samples))


def _facts(target: Target, data: Examples, seen: Probe, suited: Fitted) -> Facts:
    is_module = isinstance(target.model, torch.nn.Module) and target.allows("weights")
    return Facts(
        shape=data.shape,
        classes=data.classes,
        bounds=target.bounds,
        access=target.access,
        is_module=is_module,
        closed_weights=closed_weights(target.module) if is_module else (),
        other_sizes=_takes_other_sizes(target, data[:2].x),
        failed=failed_trials(target, data) if is_module else {},
        examples=len(data),
        unlabelled=0 if suited.unlabelled is None else len(suited.unlabelled),
        kind=suited.kind,
        why_no_gradients=seen.why_no_gradients,
        why_no_scores=LABELS if seen.outputs_look_like == "labels" else "",
    )


def _takes_other_sizes(target: Target, x: torch.Tensor) -> bool:
    if x.ndim != 4:
        return False
    try:
        with torch.no_grad(), seeded(0, device_of(target, default=x.device)):
            for factor in (0.5, 2.0):
                size = tuple(max(1, round(side * factor)) for side in x.shape[2:])
                target(torch.nn.functional.interpolate(x.to(device_of(target, default=x.device)), size=size))
    except Exception:  # noqa: BLE001 (any refusal by someone else's network means no)
        return False
    return True
