"""Train once and keep: a network that many points and processes share, found again by everything its weights depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from holdfast.core.experiment import Context

__all__ = ["kept"]

Net = TypeVar("Net", bound="nn.Module")


def kept(context: Context, make_net: Callable[[], Net], train: Callable[..., object], **settings: Any) -> Net:
    """The trained network; only the first process that asks trains it.

    The key holds all `settings` and the names and shapes of the network's tensors. `train` is given the settings and nothing
    else, so that what it uses stands in the key.

    Parameters
    ----------
    context : of the point; its memo keeps the weights, its deadline is checked before the training begins
    make_net : gives the untrained network, equal at each call
    train : ``train(net, **settings)`` changes the network's weights in place
    settings : JSON-able: data, seed, epochs, rate, batch size, and whatever else the weights depend on

    Returns
    -------
    The network in evaluation mode, on the context's device.

    Examples
    --------
    >>> from torch import nn
    >>> from holdfast.core.experiment import Context
    >>> net = kept(Context(), lambda: nn.Linear(2, 1), lambda net, value: nn.init.constant_(net.weight, value), value=3.0)
    >>> net.weight.tolist()
    [[3.0, 3.0]]
    """
    net = make_net().to(context.device)
    shapes = {name: list(tensor.shape) for name, tensor in net.state_dict().items()}

    def build() -> dict[str, Any]:
        context.check_time()
        train(net, **settings)
        return dict(net.state_dict())

    net.load_state_dict(dict(context.memo("trained", {"settings": settings, "shapes": shapes}, build)))
    return net.eval()
