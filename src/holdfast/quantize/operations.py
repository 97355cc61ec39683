"""Operations that multiply activations outside of layers, such as the products of attention, with rounded operands.

A layer's input is rounded by a hook of the layer. What a forward pass multiplies by functions (``F.linear``, ``torch.matmul``,
``F.scaled_dot_product_attention``) is rounded place by place (:mod:`holdfast.nets.places`), each operand in its own range; operands
that are made of weights alone are not activations and stay as they are.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from holdfast.core.checks import refuse
from holdfast.nets import Intercepted, functions_named
from holdfast.quantize.quantizer import ActivationQuantizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["RoundedOperations", "Survey", "out_of_reach"]

CONVOLUTIONS = tuple(f"{kind}{dims}d" for kind in ("conv", "conv_transpose") for dims in (1, 2, 3))
OPERANDS: dict[str, tuple[tuple[int, str], ...]] = {  # of each function: their number among the arguments, and their name there
    **dict.fromkeys(("linear", *CONVOLUTIONS), ((0, "input"),)),
    **dict.fromkeys(("matmul", "inner", "tensordot"), ((0, "input"), (1, "other"))),
    **dict.fromkeys(("mm", "bmm"), ((0, "input"), (1, "mat2"))),
    **dict.fromkeys(("mv",), ((0, "input"), (1, "vec"))),
    **dict.fromkeys(("addmm",), ((1, "mat1"), (2, "mat2"))),
    **dict.fromkeys(("baddbmm", "addbmm"), ((1, "batch1"), (2, "batch2"))),
    "bilinear": ((0, "input1"), (1, "input2")),
    "einsum": tuple((number, f"operand {number}") for number in range(1, 9)),
    **dict.fromkeys(("scaled_dot_product_attention", "multi_head_attention_forward"), ((0, "query"), (1, "key"), (2, "value"))),
    **dict.fromkeys(("embedding", "embedding_bag"), ()),
}
OPERATIONS = functions_named(*OPERANDS)
ATTENTION = nn.functional.multi_head_attention_forward
FUSED = ("scaled_dot_product_attention", "multi_head_attention_forward")


def _with_operands(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], change: Callable[[str, Any], Any]) -> Any:
    """The arguments of a call with each operand changed."""
    rows, named = list(args), dict(kwargs)
    for number, word in OPERANDS[OPERATIONS[function]]:
        if number < len(rows):
            value = rows[number]
            each = isinstance(value, tuple | list)  # einsum takes its operands in a row, too
            rows[number] = [change(f"{word} {place}", part) for place, part in enumerate(value)] if each else change(word, value)
        elif word in named:
            named[word] = change(word, named[word])
    return rows, named


def _key(place: str, operand: str) -> str:
    """The name of a quantizer; names of modules hold no dots."""
    return f"{place}, {operand}".replace(".", "/")


def _tensors(values: Iterable[Any]) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, tuple | list):
            found += _tensors(value)
    return found


class Survey(Intercepted):
    """One pass that finds the operations, in their order, and which of their operands are made of weights alone.

    Attributes
    ----------
    met : names of layers and of places, in the order in which they were called
    places : what is called at each place
    weights : quantizers that are not needed, by their keys
    read : ids of the tensors that operations read, weights of layers that are never called for one
    """

    def __init__(self, model: nn.Module, layers: Mapping[str, nn.Module]) -> None:
        super().__init__(model, OPERATIONS)
        self.met: list[str] = []
        self.places: dict[str, str] = {}
        self.weights: set[str] = set()
        self.read: set[int] = set()
        self.fixed: dict[int, torch.Tensor] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
        self.handles += [layer.register_forward_pre_hook(partial(self._meet, name)) for name, layer in layers.items()]

    def _meet(self, name: str, *ignored: object) -> None:
        del ignored
        self.met.append(name)

    def call(self, place: str, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Note the call, and make it."""
        self.met.append(place)
        self.places[place] = OPERATIONS[function]
        self.read |= {id(tensor) for tensor in _tensors((*args, *kwargs.values()))}

        def look(operand: str, value: Any) -> Any:
            if id(value) in self.fixed:
                self.weights.add(_key(place, operand))
            return value

        _with_operands(function, args, kwargs, look)
        return self.other(function, args, kwargs)

    def other(self, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Make the call; what weights alone make is made of weights."""
        result = function(*args, **kwargs)
        if all(id(tensor) in self.fixed for tensor in _tensors((*args, *kwargs.values()))):
            self.fixed |= {id(tensor): tensor for tensor in _tensors((result,))}
        return result

    def operands_of(self, place: str) -> set[str]:
        """The keys of the operands at a place; none where there is no operation."""
        return {_key(place, operand) for _, operand in OPERANDS.get(self.places.get(place, ""), ())}


class RoundedOperations(Intercepted):
    """A network whose operations outside of layers round their operands.

    Parameters
    ----------
    model : network, which gets hooks
    make : gives a quantizer without range
    fixed : keys of operands that stay as they are
    """

    def __init__(self, model: nn.Module, make: Callable[[], ActivationQuantizer], *, fixed: Iterable[str]) -> None:
        super().__init__(model, OPERATIONS)
        self.quantizers = nn.ModuleDict()
        self.fixed = frozenset(fixed)
        self.make: Callable[[], ActivationQuantizer] | None = make

    def settle(self) -> None:
        """From now on operands are rounded to the ranges that were seen."""
        self.make = None
        for quantizer in self.quantizers.values():
            assert isinstance(quantizer, ActivationQuantizer)
            quantizer.forget()

    def call(self, place: str, function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The operation on rounded operands."""
        if function is ATTENTION:
            return self._attend(place, args, kwargs)
        rows, named = _with_operands(function, args, kwargs, partial(self._through, place))
        return function(*rows, **named)

    def _through(self, place: str, operand: str, value: Any) -> Any:
        key = _key(place, operand)
        if key in self.fixed or not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        if self.make is not None:
            if key not in self.quantizers:
                self.quantizers[key] = self.make().to(value.device)
            self.quantizers[key].observe(value)  # type: ignore[operator]
            return value
        if key not in self.quantizers:
            refuse(
                "x",
                f"leads to {key!r}, where the calibration data never came",
                allowed="batches on the way of the calibration data",
                remedy="Call quantize_activations with data that pass through every operation.",
            )
        return self.quantizers[key](value)

    def _attend(self, place: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Attention of torch in parts: the inputs of all four projections are rounded, and queries, keys and values."""
        bound = inspect.signature(ATTENTION).bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        through = partial(self._through, place)
        streams = ("query", "key", "value")
        first = {id(given[stream]): stream for stream in reversed(streams)}  # self-attention has one input, in one range
        rounded = {stream: through(stream, given[stream]) for stream in first.values()}
        joint, separate = given["in_proj_weight"], [given[f"{letter}_proj_weight"] for letter in "qkv"]
        matrices = separate if given["use_separate_proj_weight"] else joint.chunk(3)
        biases = (None,) * 3 if given["in_proj_bias"] is None else given["in_proj_bias"].chunk(3)
        projected = {
            stream: through(f"projected {stream}", nn.functional.linear(rounded[first[id(given[stream])]], matrix, bias))
            for stream, matrix, bias in zip(streams, matrices, biases, strict=True)
        }
        weight, bias = given["out_proj_weight"], given["out_proj_bias"]
        same = torch.eye(given["embed_dim_to_check"], device=weight.device, dtype=weight.dtype)
        identities = dict.fromkeys(("q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj_weight"), same)
        nothing = dict.fromkeys(("in_proj_weight", "in_proj_bias", "out_proj_bias"))
        attended, probabilities = ATTENTION(**{**given, **projected, **identities, **nothing, "use_separate_proj_weight": True})
        return nn.functional.linear(through("attended", attended), weight, bias), probabilities


def out_of_reach(model: nn.Module) -> tuple[str, ...]:
    """Which activations :func:`~holdfast.quantize.quantize_activations` left unrounded in a network, one sentence for each kind.

    Examples
    --------
    >>> out_of_reach(nn.Sequential(nn.LSTM(4, 3)))
    ('states and gates inside 0 (LSTM) keep their precision',)
    """
    recurrent = [
        f"{name.removeprefix('model.') or 'the network'} ({type(module).__name__})"
        for name, module in model.named_modules()
        if isinstance(module, nn.RNNBase | nn.RNNCellBase) or hasattr(module, "_all_weight_values")
    ]
    notes = [f"states and gates inside {', '.join(recurrent)} keep their precision"] if recurrent else []
    keys = [key for net in model.modules() if isinstance(net, RoundedOperations) for key in net.quantizers]
    fused = dict.fromkeys(key.partition(", ")[0].replace("/", ".") for key in keys if key.startswith(FUSED))
    if fused:
        places = "1 place" if len(fused) == 1 else f"{len(fused)} places"
        notes.append(f"the probabilities of attention keep their precision at {places}, where one operation makes and uses them")
    return tuple(notes)
