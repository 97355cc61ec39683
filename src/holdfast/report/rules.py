"""What a kind of finding means, and what to do about it: the texts of the rules in ``results.sarif``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.report.wording import gist, heading

if TYPE_CHECKING:
    from holdfast.report.document import FindingEntry
    from holdfast.report.judged import ClaimEntry

__all__ = ["Meaning", "meaning_of", "rule_of_finding", "rule_of_verdict", "verdict_rule_id"]

PROBLEMS = {"error": "error", "warning": "warning", "note": "recommendation"}


@dataclass(frozen=True)
class Meaning:
    """The words for one kind of finding.

    Parameters
    ----------
    title : what was found, in a few words
    text : what it means for the user of the network
    """

    title: str
    text: str


MEANINGS = {
    "half": Meaning(
        "Attacks take half of the accuracy above chance",
        "Changes of the input that are no larger than the tested sizes make the network wrong so often that half of its margin "
        "above chance is lost. Whoever can change its inputs decides what it answers.",
    ),
    "masking": Meaning(
        "Gradients may be masked",
        "A check found that attacks along the gradient are weaker on this network than they must be on one without obstacles, so "
        "the accuracies under gradient attacks may overstate its robustness.",
    ),
    "imitation": Meaning(
        "A copy trained on its answers is enough to attack it",
        "A surrogate that learned from the network's answers to a limited number of queries finds inputs that fool the network, "
        "without access to its weights or gradients.",
    ),
    "calibration": Meaning(
        "Confidence and accuracy differ",
        "The mean confidence of the network is not its accuracy, so a threshold on its confidence does not do what it says.",
    ),
    "constant": Meaning(
        "The network gives one class to everything",
        "Every example gets the same class. Wrong preprocessing, wrong weights or a failed training are the usual causes.",
    ),
    "chance": Meaning(
        "The network is not better than guessing",
        "The accuracy is not significantly above that of always naming the largest class, so no stress can take anything.",
    ),
    "cliff": Meaning(
        "Few bits cost accuracy",
        "Rounding to as few bits as the finding names loses accuracy significantly, so such hardware needs another network.",
    ),
    "yield": Meaning(
        "Chips with this variation fall short",
        "Where devices vary as much as the finding says, one chip in twenty (or the worst of a few) loses more than two points.",
    ),
    "shape": Meaning(
        "The devices' own curves cost accuracy",
        "With the nominal curve of the devices in place of its own activation the network loses more than two points.",
    ),
    "worst": Meaning(
        "The most harmful corruption",
        "Of all tested kinds of image damage this one costs the most accuracy; expect it where such inputs occur.",
    ),
    "not_finite": Meaning(
        "Answers are NaN or infinite",
        "The network answered some inputs with numbers that are not finite. They count as wrong and name no class.",
    ),
}
GATES = {
    "gate": "The gate is held against the whole 95 % interval: it fails if no part of the interval satisfies it, which is "
    "significant, and is undecided if the interval contains the threshold.",
    "claim": "The claim is held against the whole 95 % interval of what this study measured.",
}
REMEDIES = {
    "gate": "If it fails, compare with the run before (holdfast compare) and look at the examples that were lost; if it is "
    "undecided, measure on more examples; if it could not be judged, the message says what was not measured.",
    "claim": "Read the note and the source of the claim in the report.",
}


def meaning_of(finding: FindingEntry) -> Meaning:
    """The words for the kind of `finding`; one of a plug-in has its own heading and its first text."""
    kind = finding.id.rsplit(".", 1)[-1]
    if finding.id.startswith("adversarial.masking."):
        kind = "masking"
    stress = f" ({heading(finding.stress)})" if finding.stress else ""
    return MEANINGS.get(kind) or Meaning(f"{heading(kind)}{stress}", f"A stress of the audit found this{stress}. {finding.text}")


def rule_of_finding(finding: FindingEntry, level: str) -> dict[str, Any]:
    """The rule of a finding."""
    meaning = meaning_of(finding)
    todo = finding.remedy or "Look at the card of this stress in report.html."
    tags = list(dict.fromkeys(filter(None, ["robustness", finding.card, finding.stress])))
    return _rule(finding.id, meaning, todo, level=level, tags=tags)


def verdict_rule_id(entry: ClaimEntry) -> str:
    """The rule of a verdict: a gate is known by its text, so that another order changes nothing; a claim by its id."""
    return entry.id if entry.kind else f"gate/{' '.join(entry.statement.split())}"


def rule_of_verdict(entry: ClaimEntry, level: str) -> dict[str, Any]:
    """The rule of a gate or a claim."""
    kind = "claim" if entry.kind else "gate"
    title = f"{kind.capitalize()}: {gist(entry.statement) if kind == 'gate' else entry.statement} {entry.expected}".strip()
    text = f"{entry.statement.strip()}: {GATES[kind]}"
    todo = " ".join(filter(None, [REMEDIES[kind], entry.note]))
    return _rule(verdict_rule_id(entry), Meaning(title, text), todo, level=level, tags=["robustness", kind])


def _rule(name: str, meaning: Meaning, todo: str, *, level: str, tags: list[str]) -> dict[str, Any]:
    """A reporting descriptor with the properties that code hosts show."""
    return {
        "id": name,
        "shortDescription": {"text": meaning.title},
        "fullDescription": {"text": meaning.text},
        "help": {
            "text": f"{meaning.text}\n\nWhat to do: {todo}",
            "markdown": f"{meaning.text}\n\n**What to do:** {todo}",
        },
        "defaultConfiguration": {"level": level},
        "properties": {"tags": tags, "precision": "high", "problem.severity": PROBLEMS[level]},
    }
