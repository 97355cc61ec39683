"""The order in which the axes of the user's arrays come, and the order in which networks take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from holdfast.core.checks import as_written, refuse

if TYPE_CHECKING:
    import torch

__all__ = ["LAYOUTS", "Layout", "reordered"]

Layout = Literal["NCHW", "NHWC", "NHW", "NCL", "NLC", "NTF", "NF", "NCDHW", "NDHWC", "NDHW"]
LAYOUTS: tuple[str, ...] = get_args(Layout)
"""Orders of the axes: N examples, C channels, H height, W width, D depth, L length, T steps, F features. Networks are given NCHW,
NCL, NTF, NF or NCDHW: channels that come last are moved, and one is added where there is none."""
CHANNELS = (1, 3, 4)


def reordered(x: torch.Tensor, layout: str | None) -> torch.Tensor:
    """`x` with its channels in the second axis; None: as it comes, images as NCHW.

    Raises
    ------
    InputError : another number of axes than `layout` has letters, or images whose channels seem to be elsewhere

    Examples
    --------
    >>> import torch
    >>> reordered(torch.zeros(5, 28, 28), "NHW").shape, reordered(torch.zeros(5, 28, 28), None).shape
    (torch.Size([5, 1, 28, 28]), torch.Size([5, 28, 28]))
    """
    if layout is not None and x.ndim != len(layout):
        fitting = [word for word in LAYOUTS if len(word) == x.ndim]
        allowed = " or ".join(fitting) or "2 to 5 axes, the first of them over the examples"
        got = f"is {layout}, {len(layout)} axes, and the inputs have the shape {tuple(x.shape)}"
        refuse("layout", got, allowed=allowed, remedy="Without a layout the network gets the inputs as they are.")
    if x.ndim == 4 and layout in {None, "NCHW", "NHWC"}:
        _check_channels(x, layout or "NCHW")
    if layout is None:
        return x
    if "C" not in layout and "H" in layout:
        return x[:, None]
    return x.movedim(-1, 1) if layout.endswith("C") else x


def _check_channels(x: torch.Tensor, layout: str) -> None:
    """Refuse images whose axis of channels has no size that channels have where another axis has one."""
    other = {"NCHW": "NHWC", "NHWC": "NCHW"}[layout]
    channels, suspect = (x.shape[order.index("C")] for order in (layout, other))
    if channels not in CHANNELS and suspect in CHANNELS and all(x.shape[other.index(side)] > suspect for side in "HW"):
        remedy = f"Pass {as_written('layout', other)}."
        refuse("x", f"has shape {tuple(x.shape)}, which looks like {other}", allowed=layout, remedy=remedy)
