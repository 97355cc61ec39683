"""One environment at work: white box, heads and victim, their correspondence, and the images to be attacked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.studies.transfer_attack.environments import worlds

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import nn

    from holdfast.attacks.transfer import CorrespondenceMatrix, FeatureHeads
    from holdfast.core.experiment import Context
    from holdfast.core.target import Target
    from holdfast.data.examples import Examples
    from holdfast.nets.augment import Augment
    from holdfast.studies.transfer_attack.environments import Environment, Training

__all__ = ["EPOCHS", "LAYERS", "Bench"]

EPOCHS, LR, BATCH = 6, 2e-3, 100
LAYERS = ("block1", "block2", "block3", "block4")
ASKED = 300  # images of each source class that the victim is shown, once
STRIDES = (2, 1, 2, 1)
TARGET_STRIDES = (2, 2, 1)


def _one_step(reach: float) -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    """Adversarial examples of one step, each of a random size up to `reach`, in place of a training batch."""
    import torch

    from holdfast.attacks import ThreatModel, ascend
    from holdfast.attacks.losses import cross_entropy
    from holdfast.nets import frozen

    def on_batch(
        model: nn.Module, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        eps = reach * torch.rand(len(x), generator=generator, device=generator.device).to(x)
        with frozen(model):
            return ascend(lambda z, rows: cross_entropy(model(z), y[rows]), x, ThreatModel("linf", eps), steps=1), y

    return on_batch


class Bench:
    """The networks and images of an environment under one seed; what is trained is kept.

    Parameters
    ----------
    environment : which worlds
    seed : of all trainings and choices
    context : of the point
    """

    def __init__(self, environment: Environment, seed: int, context: Context) -> None:
        self.environment, self.seed, self.context = environment, seed, context
        self.source, self.target = worlds(environment)

    def white_box(self, *, which: str = "first", training: Training | None = None) -> nn.Module:
        """The attacker's network; ``"second"`` is another of the same classes, trained apart."""
        env = self.environment
        kind = training or env.training
        return self._trained(self.source.train, env.source_widths, STRIDES, kind=kind, reach=env.reach, name=f"source {which}")

    def victim_net(self, *, training: Training = "noise", shared: bool = False) -> nn.Module:
        """The victim's network; `shared` is one that knows the source classes, for the ordinary setting of transfer."""
        env, world = self.environment, self.source if shared else self.target
        name = "victim of shared labels" if shared else "victim"
        return self._trained(world.train, env.target_widths, TARGET_STRIDES, kind=training, reach=env.victim_noise, name=name)

    def victim(self, access: str = "labels", **settings: Any) -> Target:
        """The victim as the attacker sees it."""
        from holdfast.core.target import Target

        return Target(model=self.victim_net(**settings), access=access)  # type: ignore[arg-type]  # one of the access levels

    def _trained(
        self, data: Examples, widths: tuple[int, ...], strides: tuple[int, ...], *, kind: Training, reach: float, name: str
    ) -> nn.Module:
        from holdfast.nets import conv_net, fit, sign_noise

        seeds = self.context.seeds.child(name, self.seed)
        net = conv_net(widths, strides, channels=data.x.shape[1], classes=data.classes, seed=seeds.integer("weights"))
        net = net.to(self.context.device)

        def build() -> dict[str, torch.Tensor]:
            self.context.check_time()
            noise: Augment | None = sign_noise(reach) if kind == "noise" else None
            attack = _one_step(reach) if kind == "adversarial" else None
            settings = {"epochs": EPOCHS, "lr": LR, "batch_size": BATCH, "schedule": "constant"}
            fit(net, data, augment=noise, on_batch=attack, seed=seeds.integer("training"), **settings)  # type: ignore[arg-type]
            return dict(net.state_dict())

        plan = {"data": data.name, "classes": data.class_names, "rows": len(data), "widths": widths, "kind": kind, "reach": reach}
        kept = self.context.memo("trained", {**plan, "name": name, "seed": self.seed}, build)
        net.load_state_dict(dict(kept))
        return net.eval()

    def heads(self, model: nn.Module, **variant: Any) -> FeatureHeads:
        """Heads on all blocks of the white box that `variant` names (settings of :meth:`white_box`)."""
        from holdfast.attacks.transfer import FeatureHeads

        data = self.source.train.to(self.context.device)
        seeds = self.context.seeds.child("heads", self.seed)

        def build() -> dict[str, torch.Tensor]:
            self.context.check_time()
            return dict(FeatureHeads.fit(model, data, LAYERS, seed=seeds.integer("training")).state_dict())

        env = self.environment
        plan = {"source": env.source, "classes": env.source_classes, "rows": len(data), "widths": env.source_widths}
        how = {"kind": env.training, "reach": env.reach, "seed": self.seed, **variant}
        kept = self.context.memo("heads", plan | how, build)
        found = FeatureHeads.blank(model, data.x, LAYERS, classes=data.classes).to(self.context.device)
        found.load_state_dict(dict(kept))
        return found.requires_grad_(requires_grad=False)

    def correspondence(self, victim: Target) -> CorrespondenceMatrix:
        """How the victim answers test images of the source classes; by its scores where its labels leave a target without proxy."""
        from holdfast.attacks.transfer import class_correspondence

        images = self.source.test.to(self.context.device)
        names, seed = self.target.test.class_names, self.context.seeds.integer("asked", self.seed)
        found = class_correspondence(victim, images, ASKED, target_classes=names, seed=seed)
        if float(found.C.amax(0).min()) > 0:
            return found
        telling = replace(victim, access="scores")
        return class_correspondence(telling, images, ASKED, answers="scores", target_classes=names, seed=seed)

    def classes(self, *, shared: bool = False) -> int:
        """Number of classes of the victim."""
        return (self.source if shared else self.target).test.classes

    def attacked(self, victim: Target, per_target: int, *, shared: bool = False) -> tuple[Examples, torch.Tensor]:
        """Test images that the victim gets right, each for one target class, with equal numbers for each pair of classes."""
        import torch

        from holdfast.nets import predict

        test = (self.source if shared else self.target).test.to(self.context.device)
        order = test.stratified_order(seed=self.context.seeds.integer("attacked", self.seed))
        shuffled = test[order]
        right = shuffled[predict(victim, shuffled.x).argmax(1) == shuffled.y]
        cells = test.classes - 1
        each = -(-per_target // cells)  # images of one class for one target
        rows, goals = [], []
        for label in range(test.classes):
            mine = (right.y == label).nonzero().squeeze(1)[: each * cells]
            rows.append(mine)
            goals.append((label + 1 + torch.arange(len(mine), device=mine.device) % cells) % test.classes)
        return right[torch.cat(rows)], torch.cat(goals)
