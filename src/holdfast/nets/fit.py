"""The package's one training loop.

Everything that a topic adds comes from outside: augmentation, another loss, an extra loss term, a change of each batch
(adversarial examples, devices drawn anew), a projection after each step. Under one seed the result is the same bits on one
machine, and the global random state is not touched.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from holdfast.core.checks import check_one_of, check_whole, check_within, refuse
from holdfast.core.seeds import Seeds, seeded
from holdfast.core.target import answer
from holdfast.nets.evaluate import evaluate
from holdfast.nets.schedule import SCHEDULES, MakeOptimizer, Schedule, make_optimizer

if TYPE_CHECKING:
    from holdfast.data.examples import Examples
    from holdfast.nets.augment import Augment

__all__ = ["Epoch", "FitResult", "fit"]

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
ExtraLoss = Callable[[nn.Module, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
OnBatch = Callable[[nn.Module, torch.Tensor, torch.Tensor, torch.Generator], tuple[torch.Tensor, torch.Tensor]]
AfterStep = Callable[[nn.Module], None]
Stopped = Literal["epochs", "patience", "time"]
FINITE_EVERY = 16  # batches between two looks at the loss: a look waits for the device


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one pass over the training data gave.

    Parameters
    ----------
    epoch : its number, from 1
    loss : mean training loss with all extra terms, over the examples as trained on
    accuracy : share of right answers on the examples as trained on
    lr : learning rate of the last step
    seconds : since the training began
    validation_loss, validation_accuracy : in evaluation mode; None without validation data
    """

    epoch: int
    loss: float
    accuracy: float
    lr: float
    seconds: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """How a training went; the network itself was trained in place.

    Parameters
    ----------
    history : one record per epoch
    stopped : why it ended: all ``"epochs"``, no better for `patience` epochs, or the ``"time"`` was over
    best_epoch : the epoch whose weights the network has now
    """

    history: tuple[Epoch, ...]
    stopped: Stopped
    best_epoch: int

    @property
    def best(self) -> Epoch:
        """The record of the epoch whose weights the network has now."""
        return self.history[self.best_epoch - 1]


@dataclass(frozen=True, kw_only=True)
class _Recipe:
    """The settings of one training, checked."""

    epochs: int
    lr: float
    batch_size: int
    schedule: Schedule
    loss: Loss
    augment: Augment | None
    extra_loss: ExtraLoss | None
    on_batch: OnBatch | None
    after_step: AfterStep | None
    patience: int | None
    seconds: float


def fit(  # noqa: PLR0913 - the one training loop; every argument is a setting that a user chooses by name
    model: nn.Module,
    examples: Examples,
    *,
    epochs: int,
    lr: float,
    batch_size: int = 128,
    optimizer: str | MakeOptimizer = "adam",
    schedule: str | Schedule = "one_cycle",
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    loss: Loss = nn.functional.cross_entropy,
    augment: Augment | None = None,
    extra_loss: ExtraLoss | None = None,
    on_batch: OnBatch | None = None,
    after_step: AfterStep | None = None,
    validation: Examples | None = None,
    patience: int | None = None,
    max_seconds: float | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    progress: bool | Callable[[Epoch], None] = False,
) -> FitResult:
    """Train `model` **in place** (the package's one exception to leaving arguments alone) and leave it in evaluation mode.

    Parameters
    ----------
    model : network from a batch to logits; parameters that need no gradient stay as they are
    examples : training data; kept on `device` as a whole where it fits in half of the free memory
    epochs : passes over the data, >= 1
    lr : largest learning rate
    batch_size : rows per step; a remainder of a single row is left out of its epoch (it has no batch variance)
    optimizer : ``"adam"``, ``"adamw"``, ``"sgd"`` or a callable from parameters to an optimiser (whose own rates are the largest)
    schedule : ``"one_cycle"``, ``"constant"``, ``"cosine"`` or a callable from the share done, in [0, 1), to a factor of the rate
    weight_decay, momentum : of the optimiser; momentum only for ``"sgd"``
    loss : from logits and labels to a scalar
    augment : ``(x, generator) -> x``, e.g. :func:`~holdfast.nets.random_shift`
    extra_loss : ``(model, x, y, logits) -> scalar``, added to the loss
    on_batch : ``(model, x, y, generator) -> (x, y)``, called before each step: adversarial training, devices drawn anew; it may
        return more or fewer examples than it got
    after_step : ``(model) -> None``, called after each step: projections of weights
    validation : examples on which every epoch is evaluated; they decide nothing without `patience`
    patience : stop after this number of epochs without a better validation accuracy (ties: loss), and restore the best weights
    max_seconds : end after the epoch's current batch once this number of seconds has passed
    seed : of the order of examples, of augmentation, `on_batch` and dropout
    device : where to train; default: where the model is
    progress : True draws a bar, a callable gets each :class:`Epoch`

    Raises
    ------
    InputError : settings outside their range
    FloatingPointError : the loss became NaN or infinite; the message names the step and the rate

    Examples
    --------
    >>> from holdfast.data import Examples
    >>> from holdfast.nets import mlp
    >>> x = torch.rand(200, 2)
    >>> net = mlp(2, classes=2)
    >>> fit(net, Examples(x, (x[:, 0] > x[:, 1]).long()), epochs=20, lr=0.05).history[-1].accuracy > 0.95
    True
    """
    check_within(lr, "lr", low=0.0, low_open=True)
    check_within(weight_decay, "weight_decay", low=0.0)
    if patience is not None and validation is None:
        refuse("patience", f"is {patience} without validation data", allowed="None, or `validation=examples`")
    recipe = _Recipe(
        epochs=check_whole(epochs, "epochs", low=1),
        lr=lr,
        batch_size=check_whole(batch_size, "batch_size", low=1),
        schedule=schedule if callable(schedule) else SCHEDULES[check_one_of(schedule, "schedule", allowed=SCHEDULES)],
        loss=loss,
        augment=augment,
        extra_loss=extra_loss,
        on_batch=on_batch,
        after_step=after_step,
        patience=None if patience is None else check_whole(patience, "patience", low=1),
        seconds=math.inf if max_seconds is None else check_within(max_seconds, "max_seconds", low=0.0, low_open=True),
    )
    if device is not None:
        model.to(device)
    trained = _trained(model)
    update = make_optimizer(optimizer, trained, lr=lr, weight_decay=weight_decay, momentum=momentum)
    place = trained[0].device
    with ExitStack() as stack:
        stack.enter_context(seeded(Seeds(seed).integer("layers"), place))
        report = stack.enter_context(_ProgressBar(epochs)) if progress is True else progress or None
        return _Training(model, update, recipe, _on_device(examples, place), validation, Seeds(seed)).run(report)


def _trained(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that take gradients, at least one."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained:
        refuse("model", "has no parameter that needs a gradient", allowed="a network with something to train")
    return trained


class _Training:
    """The state of one training."""

    def __init__(
        self,
        model: nn.Module,
        update: torch.optim.Optimizer,
        recipe: _Recipe,
        examples: Examples,
        validation: Examples | None,
        seeds: Seeds,
    ) -> None:
        self.model, self.update, self.recipe = model, update, recipe
        self.examples, self.validation = examples, validation
        self.order = seeds.torch("order")
        self.device = update.param_groups[0]["params"][0].device
        self.noise = seeds.torch("noise", device=str(self.device))
        self.rates = [group["lr"] for group in update.param_groups]
        self.began = time.monotonic()
        rows, size = len(examples), recipe.batch_size
        self.batches = max(1, rows // size + (rows % size > 1))

    def run(self, report: Callable[[Epoch], None] | None) -> FitResult:
        """Train; whatever happens, the network is left in evaluation mode."""
        try:
            return self.train(report)
        finally:
            self.model.eval()

    def train(self, report: Callable[[Epoch], None] | None) -> FitResult:
        history: list[Epoch] = []
        best, kept = 0, None
        stopped: Stopped = "epochs"
        for number in range(1, self.recipe.epochs + 1):
            record, in_time = self.epoch(number)
            history.append(record)
            if report is not None:
                report(record)
            if best == 0 or self.recipe.patience is None or _rank(record) > _rank(history[best - 1]):
                best = number
                kept = copy.deepcopy(self.model.state_dict()) if self.recipe.patience is not None else None
            if not in_time:
                stopped = "time"
                break
            if self.recipe.patience is not None and number - best >= self.recipe.patience:
                stopped = "patience"
                break
        if kept is not None:
            self.model.load_state_dict(kept)
        return FitResult(history=tuple(history), stopped=stopped, best_epoch=best)

    def epoch(self, number: int) -> tuple[Epoch, bool]:
        """Train over all batches once; False if the time ended before the last."""
        self.model.train()
        total, hits = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        rows, in_time = 0, True
        for index, (x, y) in enumerate(self.draw()):
            share = ((number - 1) * self.batches + index) / (self.recipe.epochs * self.batches)
            for group, rate in zip(self.update.param_groups, self.rates, strict=True):
                group["lr"] = rate * self.recipe.schedule(share)
            loss, right = self.step(x, y)
            total += loss * len(right)
            hits += right.sum()
            rows += len(right)
            last = index == self.batches - 1
            if (last or index % FINITE_EVERY == 0) and not math.isfinite(total.item()):
                self.diverged(number, index)
            if time.monotonic() - self.began > self.recipe.seconds:
                in_time = last and number == self.recipe.epochs
                break
        checked = evaluate(self.model, self.validation) if self.validation is not None else None
        return Epoch(
            epoch=number,
            loss=float(total) / rows,
            accuracy=float(hits) / rows,
            lr=self.update.param_groups[0]["lr"],
            seconds=time.monotonic() - self.began,
            validation_loss=None if checked is None else checked.loss,
            validation_accuracy=None if checked is None else checked.accuracy.value,
        ), in_time

    def draw(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The batches of one epoch in a new random order."""
        x, y = self.examples.x, self.examples.y
        order = torch.randperm(len(y), generator=self.order).to(x.device)
        for rows in order.split(self.recipe.batch_size)[: self.batches]:
            yield x[rows].to(self.device, non_blocking=True), y[rows].to(self.device, non_blocking=True)

    def step(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """One change of the weights; the loss, and which of the examples trained on (m,) are right, both without gradient."""
        recipe = self.recipe
        if recipe.augment is not None:
            x = recipe.augment(x, self.noise)
        if recipe.on_batch is not None:
            x, y = recipe.on_batch(self.model, x, y, self.noise)
            if len(x) != len(y) or len(y) == 0:
                refuse(
                    "on_batch", f"returns {len(x)} inputs and {len(y)} labels", allowed="one label per input, at least one of each"
                )
        logits = answer(self.model, x)
        loss = recipe.loss(logits, y)
        if recipe.extra_loss is not None:
            loss = loss + recipe.extra_loss(self.model, x, y, logits)
        self.update.zero_grad(set_to_none=True)
        loss.backward()
        self.update.step()
        if recipe.after_step is not None:
            recipe.after_step(self.model)
        labels = y if y.ndim == 1 else y.argmax(1)
        return loss.detach(), logits.detach().argmax(1) == labels

    def diverged(self, number: int, index: int) -> None:
        raise FloatingPointError(
            f"the training loss became NaN or infinite in epoch {number} of {self.recipe.epochs}, within the {FINITE_EVERY} "
            f"batches up to batch {index + 1} of {self.batches} (learning rate {self.update.param_groups[0]['lr']:.3g}). "
            "Lower `lr`, use schedule='one_cycle' (it warms up), or look for NaN in the data with core.checks.check_finite."
        )


def _rank(record: Epoch) -> tuple[float, float]:
    """Higher is better."""
    return (record.validation_accuracy or 0.0, -(record.validation_loss if record.validation_loss is not None else math.inf))


def _on_device(examples: Examples, device: torch.device) -> Examples:
    """The examples on `device` if they fit in half of its free memory; otherwise as they are, and batches travel."""
    if device.type == "cuda" and examples.x.device != device:
        free, _ = torch.cuda.mem_get_info(device)
        if examples.x.numel() * examples.x.element_size() > free / 2:
            return examples
    return examples.to(device)


class _ProgressBar:
    """A rich progress bar over epochs that is called with each record."""

    def __init__(self, epochs: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, transient=True)
        self.task = self.bar.add_task("", total=epochs)

    def __enter__(self) -> Callable[[Epoch], None]:
        self.bar.__enter__()
        return self.show

    def __exit__(self, *reason: object) -> None:
        self.bar.__exit__(*reason)  # type: ignore[arg-type]  # handed through

    def show(self, record: Epoch) -> None:
        text = f"loss {record.loss:.4g}, accuracy {record.accuracy:.3f}"
        if record.validation_accuracy is not None:
            text += f", validation {record.validation_accuracy:.3f}"
        self.bar.update(self.task, advance=1, description=text)
