"""What all points together say: seeds pooled, curves over the size of the attack, and the quantities that the claims name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.curve import Curve
from holdfast.core.estimate import Estimate, exact, proportion
from holdfast.studies.transfer_attack.queries import query_curves, query_metrics
from holdfast.studies.transfer_attack.trials import BEST, METHODS, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from holdfast.attacks.transfer import TransferEvaluation
    from holdfast.core.experiment import Measurement, Point

__all__ = ["Outcomes", "tag"]

SIGNALS = ("confidence", "margin", "proxy", "entropy")
PUSH = word(BEST)


def tag(eps: float) -> str:
    """A size as part of a metric's name: e150 is 0.15."""
    return f"e{round(1000 * eps):03d}"


class Outcomes:
    """What was measured, by part and environment; parts that are missing give nothing, so that their claims become errors."""

    def __init__(self, measurements: Iterable[tuple[Point, Measurement]]) -> None:
        self.points: dict[str, list[tuple[Point, Measurement]]] = {}
        for point, measurement in measurements:
            self.points.setdefault(point["part"], []).append((point, measurement))

    def part(self, name: str) -> list[tuple[Point, Measurement]]:
        """Points and measurements of one part."""
        return self.points.get(name, [])

    def transfers(self) -> dict[str, dict[float, dict[str, NDArray[np.generic]]]]:
        """Arrays over the images of all seeds, by environment and size."""
        found: dict[str, dict[float, list[dict[str, NDArray[np.generic]]]]] = {}
        for point, measurement in self.part("transfer"):
            found.setdefault(point["env"], {}).setdefault(point["eps"], []).append(dict(measurement.arrays))
        return {
            env: {eps: {key: np.concatenate([run[key] for run in runs]) for key in runs[0]} for eps, runs in sorted(sizes.items())}
            for env, sizes in found.items()
        }

    def evaluations(self) -> dict[str, dict[float, TransferEvaluation]]:
        """The victims' answers, pooled over seeds."""
        import torch

        from holdfast.attacks.transfer import TransferEvaluation

        def one(arrays: dict[str, NDArray[np.generic]]) -> TransferEvaluation:
            tensors = {key: torch.from_numpy(array) for key, array in arrays.items() if array.dtype.kind == "i"}
            answers = {key.removeprefix("answer_"): said for key, said in tensors.items() if key.startswith("answer_")}
            y, goals = tensors["y"], tensors["target_class"]
            return TransferEvaluation(y=y, target_class=goals, answers=answers, classes=int(max(y.max(), goals.max())) + 1)

        return {env: {eps: one(arrays) for eps, arrays in sizes.items()} for env, sizes in self.transfers().items()}

    def metrics(self) -> dict[str, Estimate]:
        """The quantities of several points, or of one with a long name, that the claims name."""
        found: dict[str, Estimate] = {}
        for env, sizes in self.evaluations().items():
            for eps, answers in sizes.items():
                found |= {f"{env}.{tag(eps)}.{name}": value for name, value in self._of_size(answers)}
        for env, arrays in self.transfers().items():
            for eps, one in arrays.items():
                found[f"{env}.{tag(eps)}.ceiling"] = proportion(int(one["ceiling"].sum()), len(one["ceiling"]))
            found |= {f"{env}.sensitivity.{name}": value for name, value in self._sensitivities(arrays)}
        return found | query_metrics(self.part("queries"))

    def _of_size(self, answers: TransferEvaluation) -> Iterator[tuple[str, Estimate]]:
        for name in answers.answers:
            yield f"{name}.success", answers.macro(name)
        for method in METHODS:
            name = word(method)
            yield f"{name}.gain", answers.gain(name)
            for control in ("noise", "random_proxy", "worst_proxy"):
                yield f"{name}.z_{control}", exact(answers.z(name, control), len(answers.y), "z of pooled counts")
        yield f"{PUSH}.over_random", answers.advantage(PUSH, "random_proxy")
        yield "random_proxy.over_worst", answers.advantage("random_proxy", "worst_proxy")

    def _sensitivities(self, arrays: dict[float, dict[str, NDArray[np.generic]]]) -> Iterator[tuple[str, Estimate]]:
        """Rank correlation of each clean signal with the share of methods and sizes that succeed; one row per image."""
        from holdfast.core.estimate import spearman

        for signal in SIGNALS:
            yield signal, spearman(next(iter(arrays.values()))[f"clean_{signal}"], self._share(arrays))

    def _share(self, arrays: dict[float, dict[str, NDArray[np.generic]]]) -> NDArray[np.float64]:
        hits = [one[f"answer_{word(method)}"] == one["target_class"] for one in arrays.values() for method in METHODS]
        return np.mean(hits, axis=0)

    def curves(self) -> Iterator[Curve]:
        """Success over the size of the attack, success by quintile of the victim's margin, and queries."""
        from holdfast.attacks.transfer import sensitivity, transfer_curves

        for env, sizes in self.evaluations().items():
            yield from transfer_curves(sizes, prefix=f"transfer {env} ")
        for env, arrays in self.transfers().items():
            largest = arrays[max(arrays)]
            hit = largest[f"answer_{PUSH}"] == largest["target_class"]
            groups = sensitivity(hit, largest["clean_margin"])
            yield Curve(
                name=f"clean margin {env}",
                axis="fifth of the images by the victim's margin",
                at=(1, 2, 3, 4, 5),
                estimates=groups.bins,
                quantity="targeted success at the largest eps",
            )
        yield from query_curves(self.part("queries"))
