r"""Which class of one network stands for which class of another: how the victim answers images of classes that it does not have.

.. math:: C_{ij} = \frac{1}{n} \#\{x \text{ of source class } i : f_T(x) = j\}

To make the victim answer `t`, an attacker with a network of the source classes pushes images towards the *proxy*
:math:`p(t) = \arg\max_i C_{it}`. Source: N. Inkawhich et al., arXiv:2103.09916.

A victim with a *sink*, a class for all unusual images, fills one column and leaves little for the others. Dividing each column
by its mean (its lift) leaves the order within it as it was; so ``normalise="column-lift"`` also gives each row the sum 1 again:
what counts is then how much more often than other source classes a class is taken for `t`, beside what else it is taken for.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch

from holdfast.attacks.transfer.adapter import Adapted, Adapter
from holdfast.core.checks import check_finite, check_labels, check_one_of, check_same_length, check_whole, refuse
from holdfast.core.estimate import Estimate, exact, proportion
from holdfast.core.experiment import Measurement
from holdfast.core.pictures import matrix_figure
from holdfast.core.seeds import Seeds
from holdfast.nets import predict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from holdfast.core.target import Target
    from holdfast.data.examples import Examples

__all__ = ["CorrespondenceMatrix", "Normalise", "Proxies", "class_correspondence", "reverse_correspondence"]

Normalise = Literal["column-lift"]


@dataclass(frozen=True)
class Proxies:
    """The source classes that stand for the target class of each of N examples.

    Parameters
    ----------
    classes : integer tensor (N, k), the heaviest first
    weights : tensor (N, k), each row sums to 1
    """

    classes: torch.Tensor
    weights: torch.Tensor

    @classmethod
    def single(cls, classes: torch.Tensor) -> Proxies:
        """One proxy for each example, from its source classes (N,)."""
        return cls(classes[:, None], torch.ones(len(classes), 1, device=classes.device))

    def __getitem__(self, rows: Any) -> Proxies:
        """Those of the examples `rows`."""
        return Proxies(self.classes[rows], self.weights[rows])

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True, kw_only=True)
class CorrespondenceMatrix:
    """How source classes (rows) and target classes (columns) belong together.

    Parameters
    ----------
    C : tensor (K_S, K_T), >= 0; rows of a measured matrix sum to 1, columns of a reverse one
    counts : integer tensor (K_S, K_T), the answers behind it; None if nothing was asked
    normalise : ``"column-lift"`` for what :attr:`scores` are, else None
    source_classes, target_classes : names; default: numbers

    Raises
    ------
    InputError : negative or NaN entries, a wrong number of names

    Examples
    --------
    >>> found = CorrespondenceMatrix(C=torch.tensor([[0.9, 0.1], [0.6, 0.4]]))
    >>> [int(found.proxy(target).classes[0, 0]) for target in range(2)]
    [0, 1]
    """

    C: torch.Tensor
    counts: torch.Tensor | None = None
    normalise: Normalise | None = None
    source_classes: tuple[str, ...] = field(default=())
    target_classes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.C.ndim != 2 or 0 in self.C.shape:
            refuse("C", f"has shape {tuple(self.C.shape)}", allowed="(source classes, target classes)")
        check_finite(self.C, "C")
        if bool((self.C < 0).any()):
            refuse("C", f"has a smallest entry of {float(self.C.min()):g}", allowed="numbers >= 0")
        if self.normalise is not None:
            check_one_of(self.normalise, "normalise", allowed=("column-lift",))
        for name, classes in zip(("source_classes", "target_classes"), self.C.shape, strict=True):
            names = getattr(self, name) or tuple(map(str, range(classes)))
            if len(names) != classes:
                refuse(name, f"has {len(names)} names", allowed=f"one for each of {classes} classes")
            object.__setattr__(self, name, tuple(names))

    @classmethod
    def from_similarity(cls, similarity: torch.Tensor, **settings: Any) -> CorrespondenceMatrix:
        """A matrix of one's own, e.g. of the likeness of class names (K_S, K_T), >= 0; rows get the sum 1."""
        table = similarity.to(torch.get_default_dtype())
        check_finite(table, "similarity")
        return cls(C=table / table.sum(1, keepdim=True).clamp_min(torch.finfo(table.dtype).tiny), **settings)

    @classmethod
    def recorded(cls, found: Measurement) -> CorrespondenceMatrix:
        """The matrix of which `found` is the :meth:`record`."""
        C, counts = (torch.from_numpy(found.arrays[name]) for name in ("C", "counts"))
        source, target = (tuple(found.details[name]) for name in ("source_classes", "target_classes"))
        return cls(C=C, counts=counts, source_classes=source, target_classes=target)

    def record(self) -> Measurement:
        """A measured matrix as a point keeps it: `C` and its counts, names, and the largest deviation of a row's sum from 1."""
        return Measurement(
            estimates={"row_error": exact(float((self.C.double().sum(1) - 1).abs().max()), len(self.C))},
            arrays={"C": self.C.cpu().numpy(), "counts": self._counted().cpu().numpy()},
            details={"source_classes": list(self.source_classes), "target_classes": list(self.target_classes)},
        )

    def proxy_shares(self) -> dict[str, Estimate]:
        """For each target class, how often images of its best proxy are taken for it, with Wilson intervals."""
        counts = self._counted()
        best = zip(self.target_classes, self.C.argmax(0).tolist(), strict=True)
        return {name: proportion(int(counts[row, at]), int(counts[row].sum())) for at, (name, row) in enumerate(best)}

    def _counted(self) -> torch.Tensor:
        """The counts; refused for a matrix that was not measured."""
        if self.counts is None:
            refuse("counts", "is None", allowed="those of a measured matrix", remedy="Measure it with class_correspondence().")
        return self.counts

    @property
    def lift(self) -> torch.Tensor:
        """Tensor (K_S, K_T): each entry over the mean of its column; 0 in a column of zeros."""
        return self.C / self.C.mean(0, keepdim=True).clamp_min(torch.finfo(self.C.dtype).tiny)

    @property
    def scores(self) -> torch.Tensor:
        """Tensor (K_S, K_T) by which proxies are chosen: `C`, or its lift with row sums of 1."""
        if self.normalise is None:
            return self.C
        return self.lift / self.lift.sum(1, keepdim=True).clamp_min(torch.finfo(self.C.dtype).tiny)

    @property
    def entropy(self) -> torch.Tensor:
        """Tensor (K_S,): Shannon entropy of each row in nat; 0 where a source class is always taken for the same."""
        return torch.special.entr(self.C).sum(1)

    def proxy(self, target_class: int | torch.Tensor, k: int = 1) -> Proxies:
        """The `k` source classes with the largest scores for each of the target classes (one or (N,)), weighted by them.

        Raises
        ------
        InputError : no source class is ever taken for one of the targets
        """
        goals = self._goals(target_class)
        column = self.scores.T[goals]
        empty = goals[column.amax(1) <= 0]
        if len(empty):
            refuse(
                "target_class",
                f"is {int(empty[0])}: no source class is ever mapped to target {self.target_classes[int(empty[0])]}",
                allowed="targets with an entry above 0 in their column",
                remedy="Use top_k over logits (class_correspondence(answers='scores')) or a similarity matrix (from_similarity).",
            )
        found = column.topk(check_whole(k, "k", low=1, high=len(self.C)), dim=1)
        return Proxies(found.indices, found.values / found.values.sum(1, keepdim=True))

    def worst_proxy(self, target_class: int | torch.Tensor) -> Proxies:
        """The source class with the smallest score for each target class: a control."""
        return Proxies.single(self.scores.T[self._goals(target_class)].argmin(1))

    def random_proxy(self, target_class: int | torch.Tensor, *, seed: int = 0) -> Proxies:
        """For each target class a source class drawn from all but the best: a control."""
        best = self.proxy(target_class).classes[:, 0]
        if len(self.C) == 1:
            refuse("C", "has one source class", allowed="at least two, one of them not the proxy")
        hop = Seeds(seed).numpy("random proxy").integers(1, len(self.C), size=len(best))
        return Proxies.single((best + torch.from_numpy(hop).to(best.device)) % len(self.C))

    def figure(self) -> Figure:
        """A heat map of `C`; the best proxy of each target is framed, where there is one."""
        best = self.scores.max(0)
        marked = [(row, column) for column, row in enumerate(best.indices.tolist()) if float(best.values[column]) > 0]
        labels = ("shown: source class", "answered: target class", "share of the images")
        return matrix_figure(
            self.C.cpu().numpy(), rows=self.source_classes, columns=self.target_classes, labels=labels, marked=marked
        )

    def _goals(self, target_class: int | torch.Tensor) -> torch.Tensor:
        goals = torch.as_tensor(target_class, device=self.C.device).reshape(-1)
        check_labels(goals, "target_class", classes=self.C.shape[1])
        return goals


def class_correspondence(
    victim: Target,
    examples: Examples,
    n_per_class: int = 100,
    *,
    normalise: Normalise | None = None,
    answers: Literal["labels", "scores", "either"] = "labels",
    target_classes: Sequence[str] = (),
    adapter: Adapter | None = None,
    seed: int = 0,
) -> CorrespondenceMatrix:
    """How the victim answers images of the source classes: ``n_per_class`` queries for each, once and for all.

    Parameters
    ----------
    victim : who is asked, with access ``"labels"`` or more; its counter counts
    examples : labelled images of the source classes
    n_per_class : images per class that are asked about, >= 1; all there are where a class has fewer
    normalise : ``"column-lift"`` against victims with a sink class
    answers : ``"scores"`` adds up probabilities instead of classes, where the victim gives them; ``"either"`` does so only if no
        source class is ever taken for one of the targets
    target_classes : the victim's class names, to warn where the label sets share some
    adapter : from source images to what the victim takes (size, channels)
    seed : of the choice of images

    Returns
    -------
    CorrespondenceMatrix whose rows sum to 1

    Raises
    ------
    InputError : ``n_per_class`` 0, a class without images, scores asked of a victim that gives labels, images that the victim
        does not take

    Examples
    --------
    >>> from holdfast.core.target import Target
    >>> from holdfast.data import Examples
    >>> shirts_are_dark = Target(model=lambda x: torch.cat([x, 1 - x], 1), access="labels")
    >>> examples = Examples(torch.tensor([[0.1], [0.2], [0.9], [0.8]]), torch.tensor([0, 0, 1, 1]))
    >>> class_correspondence(shirts_are_dark, examples, 2).C.tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    check_whole(n_per_class, "n_per_class", low=1)
    check_one_of(answers, "answers", allowed=("labels", "scores", "either"))
    if not victim.allows("labels" if answers == "labels" else "scores"):
        refuse("answers", f"is {answers!r} for a victim that gives {victim.access}", allowed="'labels'")
    _warn_of_overlap(examples.class_names, target_classes)
    rows = _rows_per_class(examples, n_per_class, seed)
    logits = predict(Adapted(victim, adapter), examples.x[rows])
    check_finite(logits, "answers of the victim")
    classes, picked = logits.shape[1], examples.y[rows]
    said = torch.nn.functional.one_hot(logits.argmax(1), classes)
    counts = torch.zeros(examples.classes, classes, dtype=torch.long, device=said.device).index_add_(0, picked, said)
    by_labels = answers == "labels" or (answers == "either" and bool((counts.sum(0) > 0).all()))
    told = said.to(logits.dtype) if by_labels else logits.softmax(1)
    sums = torch.zeros(counts.shape, dtype=told.dtype, device=told.device).index_add_(0, picked, told)
    return CorrespondenceMatrix(
        C=sums / sums.sum(1, keepdim=True),
        counts=counts,
        normalise=normalise,
        source_classes=examples.class_names,
        target_classes=tuple(target_classes),
    )


def reverse_correspondence(
    model: Any, examples: Examples, n_per_class: int = 100, *, source_classes: Sequence[str] = (), seed: int = 0, **settings: Any
) -> CorrespondenceMatrix:
    """How one's own network answers images of the *victim's* classes; needs such images, and no queries. Columns sum to 1.

    Parameters
    ----------
    model : the white box, a module or callable
    examples : labelled images of the victim's classes
    n_per_class, seed : as in :func:`class_correspondence`
    source_classes : names of the white box's classes
    settings : further settings of :func:`class_correspondence`
    """
    from holdfast.core.target import as_target

    mirrored = class_correspondence(as_target(model), examples, n_per_class, target_classes=source_classes, seed=seed, **settings)
    counts = mirrored.counts
    assert counts is not None, "it was measured"
    return CorrespondenceMatrix(
        C=mirrored.C.T.contiguous(),
        counts=counts.T.contiguous(),
        normalise=mirrored.normalise,
        source_classes=mirrored.target_classes,
        target_classes=mirrored.source_classes,
    )


def _rows_per_class(examples: Examples, n: int, seed: int) -> torch.Tensor:
    """Up to `n` random rows of each class."""
    check_same_length(examples.x, examples.y)
    order = torch.from_numpy(Seeds(seed).numpy("correspondence").permutation(len(examples))).to(examples.y.device)
    parts = [order[examples.y[order] == label][:n] for label in range(examples.classes)]
    missing = [name for name, part in zip(examples.class_names, parts, strict=True) if len(part) == 0]
    if missing:
        refuse(
            "examples",
            f"has no image of class {', '.join(missing)}",
            allowed="at least one image of every source class",
            remedy="Drop the class with data.splits.select_classes, which counts the labels anew.",
        )
    return torch.cat(parts)


def _warn_of_overlap(source: Sequence[str], target: Sequence[str]) -> None:
    common = sorted(set(source) & set(target))
    if common:
        warnings.warn(
            f"Source and target share the classes {', '.join(common)}: for these this is the ordinary setting of transfer, "
            "in which the class itself is the proxy.",
            UserWarning,
            stacklevel=3,
        )
