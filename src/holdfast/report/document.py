"""``report.json``: the one record from which page, JUnit and SARIF files are drawn, for audits and studies alike.

:class:`Document` is the schema ``holdfast.report/1``. An audit fills `gates`, a study fills `claims`; both put what they
measured into `cards`. Keys come in the order of the classes' fields, mappings keep the order they were built in, so that equal
documents are equal bytes.
"""

# ruff: noqa: RUF012  pydantic copies the default of a field for each record

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from holdfast.core.checks import refuse
from holdfast.core.durable import write_atomically
from holdfast.core.reading import read_text
from holdfast.report.examples import Cross, ImageEntry, PairedComparison
from holdfast.report.judged import ClaimEntry, SentenceEntry
from holdfast.report.measured import CardEntry, Entry, EstimateEntry, Json, Number, PointEntry, StressEntry

__all__ = [
    "SCHEMA",
    "Budget",
    "DataEntry",
    "Document",
    "DrawingEntry",
    "FindingEntry",
    "HeadlineEntry",
    "InputEntry",
    "RunEntry",
    "SkippedEntry",
    "TargetEntry",
    "dump",
    "json_schema",
    "load",
    "metric_prefix",
    "to_json",
]

SCHEMA = "holdfast.report/1"
MAX_IMAGES = 40


class Budget(Entry):
    """What the run was allowed to use; null: no limit."""

    seconds: Number = None
    queries: int | None = None


class RunEntry(Entry):
    """What was run, when, on what, and how to run it again."""

    id: str
    kind: Literal["audit", "study"] = "audit"
    name: str = ""
    """Of the study, or of the audited network."""
    title: str = ""
    """A study's title in words."""
    source: str = ""
    """The paper behind a study."""
    status: Literal["complete", "partial", "interrupted"] = "complete"
    started: str = ""
    """ISO 8601, with time zone."""
    finished: str = ""
    seconds: Number = None
    """Time used, s."""
    queries: int = 0
    """Queries to the target."""
    seed: int = 0
    preset: str = ""
    command: str = ""
    """The command line that repeats the run."""
    resume: str = ""
    """The command line that completes it, where it is not complete."""
    budget: Budget = Budget()
    threads: int | None = None
    versions: dict[str, str] = {}
    hardware: dict[str, Json] = {}
    commit: str = ""
    """Git commit of the folder of the network's code, or else of the working folder; a ``+`` behind it: files are changed."""
    config: dict[str, Json] = {}
    """The resolved configuration."""
    config_file: str = ""
    """The configuration file that was read, if there was one, as one would type it."""
    gates_file: str = ""
    """The file that the gates were read from, where it is another one."""
    host: str = ""
    """Name of the machine."""
    notes: list[str] = []


class InputEntry(Entry):
    """What the network takes."""

    shape: list[int] = []
    """Of one example."""
    range: list[float] | None = None
    unit: str = "input units"
    """Of the range and of attack sizes; the features of a table are counted in their spread, the standard deviation."""


class TargetEntry(Entry):
    """The network under examination."""

    name: str
    digest: str = ""
    access: Literal["labels", "scores", "gradients", "weights"] = "weights"
    classes: int = 0
    class_names: list[str] = []
    input: InputEntry = InputEntry()
    parameters: int | None = None
    outputs: Literal["logits", "probabilities"] = "logits"
    preprocessing: str = ""
    unsafe_load: bool = False
    """True if loading it executed a pickle."""
    notes: list[str] = []


class DataEntry(Entry):
    """The examples."""

    name: str = ""
    digest: str = ""
    n: int = 0
    """Examples used, by the stress that used the most."""
    total: int | None = None
    """Examples available."""
    subset_seed: int = 0
    chance: Number = None
    """Accuracy of guessing: the share of the largest class, at least 1/classes."""
    notes: list[str] = []


class HeadlineEntry(Entry):
    """One of the numbers that stand for a whole audit."""

    id: Literal["clean", "worst_case", "safe_bits"]
    title: str
    estimate: EstimateEntry | None = None
    """The number; null where it was not measured."""
    at: dict[str, Json] = {}
    """The strength at which it holds."""
    metric: str = ""
    """The quantity behind it, as gates name it."""
    text: str = ""
    """At which strength and on how many examples, or why there is no number."""


class FindingEntry(Entry):
    """A judged statement with its evidence."""

    id: str
    severity: Literal["high", "medium", "low", "info"]
    text: str
    evidence: str = ""
    remedy: str = ""
    """What to try next; names the library function that mitigates it."""
    card: str = ""
    stress: str = ""
    at: dict[str, Json] = {}
    estimate: EstimateEntry | None = None
    threshold: str = ""
    command: str = ""
    """The command line that measures it again."""


class DrawingEntry(Entry):
    """A picture of a study's own, beside its charts."""

    title: str
    png: str
    """Base64."""
    note: str = ""


class SkippedEntry(Entry):
    """A stress that was not run, or not fully, and why."""

    stress: str
    reason: str
    card: str = ""


class Document(Entry):
    """``report.json``; see the module's text."""

    schema_id: Literal["holdfast.report/1"] = Field(default="holdfast.report/1", alias="schema")
    run: RunEntry
    target: TargetEntry | None = None
    data: DataEntry | None = None
    probe: dict[str, Json] = {}
    """Facts of the first seconds: t_forward and t_backward (s per example), determinism, batch invariance, accuracy, ..."""
    headline: list[HeadlineEntry] = []
    """Of an audit: clean accuracy, worst case at the nominal attack size, fewest bits of the weights without a loss."""
    gates: list[ClaimEntry] = []
    claims: list[ClaimEntry] = []
    sentences: list[SentenceEntry] = []
    drawings: list[DrawingEntry] = []
    findings: list[FindingEntry] = []
    cards: dict[str, CardEntry] = {}
    cross: Cross | None = None
    images: list[ImageEntry] = []
    skipped: list[SkippedEntry] = []
    reduced: list[SkippedEntry] = []
    baseline: PairedComparison | None = None

    @model_validator(mode="after")
    def _few_images(self) -> Self:
        count = sum(len(image.panels) for image in self.images)
        if count > MAX_IMAGES:
            refuse("images", f"holds {count} thumbnails", allowed=f"at most {MAX_IMAGES}, so that the page stays small")
        return self

    @property
    def judged(self) -> list[ClaimEntry]:
        """The claims of a study, the gates of an audit."""
        return self.claims if self.run.kind == "study" else self.gates

    def placed_stresses(self) -> list[tuple[str, str, StressEntry]]:
        """All stresses as ``(card, name, stress)``."""
        return [(card, name, stress) for card, entry in self.cards.items() for name, stress in entry.stresses.items()]

    def stresses(self) -> dict[str, StressEntry]:
        """All stresses by name, over all cards."""
        return {name: stress for _, name, stress in self.placed_stresses()}

    def points(self) -> list[tuple[str, str, PointEntry]]:
        """All points as ``(card, stress, point)``."""
        return [(card, name, point) for card, name, stress in self.placed_stresses() for point in stress.points]


def metric_prefix(card: str, stress: str) -> str:
    """What the metrics of a stress begin with in gates and tables; a stress that is called like its card is named once.

    Examples
    --------
    >>> metric_prefix("adversarial", "pgd"), metric_prefix("clean", "clean")
    ('adversarial.pgd', 'clean')
    """
    return card if card == stress else f"{card}.{stress}"


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``report.json``."""
    schema = Document.model_json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:holdfast:report:1",
        **schema,
        "title": "holdfast report, version 1",
    }


def to_json(document: Document) -> str:
    """The text of ``report.json``: keys in the order of the schema, one line per short record, a newline at the end."""
    return json.dumps(document.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def dump(document: Document, path: str | Path) -> Path:
    """Write ``report.json`` to `path`, atomically."""

    def write(scratch: Path) -> None:
        scratch.write_text(to_json(document), encoding="utf-8")

    write_atomically(Path(path), write)
    return Path(path)


def load(path: str | Path) -> Document:
    """The document in the file `path`, or in ``report.json`` of the folder `path`.

    Raises
    ------
    InputError : no such file, not JSON, another schema version, or a key that the schema does not know
    """
    file = Path(path) / "report.json" if Path(path).is_dir() else Path(path)
    text = read_text(file, "path", allowed="report.json of a run, or the run's folder")
    try:
        return Document.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        refuse(
            "report.json",
            f"does not follow {SCHEMA} at {place}: {first['msg']}",
            allowed="what `holdfast schema report` prints",
            remedy=f"{error.error_count()} problems in all; write the file with the same version of holdfast that reads it.",
        )
