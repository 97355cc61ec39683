"""Weights that a layer computes in each pass from other tensors: baked into plain ones, so that they can be stressed.

Parametrizations, weight and spectral normalisation, pruning masks and simulated quantization hold something else than the matrix
that multiplies the input. Noise or rounding of what they hold is not noise or rounding of the weights.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bake_weights", "closed_weights", "computed_weights", "copied"]

SIMULATED = "weight_fake_quant"  # torch's name for the module that rounds the weights of a layer in training for few bits
HELD_BITS = "own_weight_bits"  # attribute of a baked layer: the width to which it rounded its weights by itself
PROXIES = ("weight_quant", "input_quant", "output_quant", "bias_quant")  # Brevitas' names for the quantizers of a layer


def copied(model: nn.Module) -> nn.Module:
    """A deep copy of `model`, also right after training.

    ``copy.deepcopy`` refuses a network that keeps tensors of its last pass, as ``torch.nn.utils.weight_norm`` does; the copy has
    their values without their history.

    Examples
    --------
    >>> net = nn.Linear(2, 2)
    >>> net.last = net(torch.ones(1, 2))
    >>> bool((copied(net).last == net.last).all())
    True
    """
    kept = {id(tensor): tensor.detach().clone() for tensor in _tensors_of_a_pass(model)}
    with torch.inference_mode(mode=False):  # a copy made inside it could never be differentiated
        return copy.deepcopy(model, kept)


def _tensors_of_a_pass(model: nn.Module) -> Iterator[torch.Tensor]:
    """Tensors anywhere in a network that are results of a differentiable computation."""
    seen: set[int] = set()
    waiting: list[Any] = [model]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        if isinstance(item, torch.Tensor):
            if not item.is_leaf:
                yield item
        elif isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list | tuple | set | frozenset):
            waiting += item
        elif isinstance(item, nn.Module) or (isinstance(getattr(item, "__dict__", None), dict) and not callable(item)):
            waiting += vars(item).values()


def computed_weights(model: nn.Module) -> tuple[str, ...]:
    """Names of the layers of `model` that compute a weight in each pass from other tensors.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    >>> computed_weights(net)
    ('1',)
    """
    return tuple(path for path, module in model.named_modules() if _computes(module))


def _computes(module: nn.Module) -> bool:
    return (
        parametrize.is_parametrized(module)
        or bool(_weight_hooks(module))
        or hasattr(module, SIMULATED)
        or _rounds_weights_alone(module)
    )


def _rounds_weights_alone(module: nn.Module) -> bool:
    """True for a layer of Brevitas that rounds its weights and nothing else, so that a plain layer can take its place.

    Scales of inputs and biases that hang on the scale of the weights need the layer as it is.
    """
    enabled = [getattr(getattr(module, name, None), "is_quant_enabled", None) for name in PROXIES]
    return enabled == [True, False, False, False] and not getattr(module, "return_quant_tensor", False)


def _weight_hooks(module: nn.Module) -> list[Any]:
    hooks = module._forward_pre_hooks.values()  # noqa: SLF001 - torch has no other way to find them
    return [hook for hook in hooks if isinstance(hook, WeightNorm | SpectralNorm | prune.BasePruningMethod)]


def closed_weights(model: nn.Module) -> tuple[str, ...]:
    """Names of the layers of `model` whose weights cannot be replaced: packed, whole numbers, or computed in each pass.

    Those that only compute them are open after :func:`bake_weights`, unless the computation is random.

    Examples
    --------
    >>> closed_weights(nn.Linear(4, 3)), closed_weights(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    ((), ('',))
    """
    return tuple(
        path
        for path, module in model.named_modules()
        if _computes(module) or _packs(module) or any(_is_opaque(parameter) for parameter in module.parameters(recurse=False))
    )


def _packs(module: nn.Module) -> bool:
    """True for the quantized layers of torch.ao, which pack their weights."""
    return callable(getattr(type(module), "weight", None)) or any(
        hasattr(module, name) for name in ("_all_weight_values", "_packed_weight_ih")
    )


def _is_opaque(parameter: torch.Tensor) -> bool:
    matrix = parameter.ndim >= 2 and not (parameter.is_floating_point() or parameter.is_complex())
    return matrix or is_traceable_wrapper_subclass(parameter)


def bake_weights(model: nn.Module) -> nn.Module:
    """`model` itself if its layers hold their weights; otherwise a copy whose computed weights are plain ones of the same values.

    The values are those of evaluation mode. Done for ``torch.nn.utils.parametrize``, weight and spectral normalisation of either
    kind, pruning masks, and linear and convolutional layers with simulated quantization, of torch or of Brevitas; a layer of
    the last kind keeps the width in its attribute ``own_weight_bits``. A weight that comes out differently when it is computed
    again, because it is drawn at random, is left as it is (:func:`closed_weights` names its layer).

    Examples
    --------
    >>> net = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    >>> plain, x = bake_weights(net), torch.rand(2, 4)
    >>> type(plain).__name__, list(dict(plain.named_parameters())), bool((plain(x) == net(x)).all())
    ('Linear', ['bias', 'weight'], True)
    """
    if not computed_weights(model):
        return model
    twin = copied(model)
    modes = [(module, module.training) for module in twin.modules()]
    for module, _ in modes:
        module.training = False
    with torch.no_grad():
        for module in list(twin.modules()):
            _bake_parametrizations(module)
            _bake_hooks(module)
            _bake_simulated(module)
            _bake_rounded(module)
    for module, training in modes:
        module.training = training
    return twin


def _bake_parametrizations(module: nn.Module) -> None:
    """Make all parametrized tensors of a module plain; the class is changed on this module alone, since copies share it."""
    if not parametrize.is_parametrized(module):
        return
    lists: Any = module.parametrizations
    values = {name: getattr(module, name).detach().clone() for name in lists}
    if any(not torch.equal(values[name], getattr(module, name)) for name in values):
        return
    learned = {name: [*lists[name].parameters(recurse=False)] for name in values}
    module.__class__ = parametrize.type_before_parametrizations(module)
    delattr(module, "parametrizations")
    for name, value in values.items():
        if learned[name]:
            module.register_parameter(name, nn.Parameter(value, requires_grad=any(p.requires_grad for p in learned[name])))
        else:
            module.register_buffer(name, value)


def _bake_hooks(module: nn.Module) -> None:
    """Make the tensors plain that older normalisations and pruning compute before each pass."""
    for hook in _weight_hooks(module):
        if isinstance(hook, WeightNorm):
            nn.utils.remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            nn.utils.remove_spectral_norm(module, hook.name)
        elif prune.is_pruned(module):
            prune.remove(module, hook._tensor_name)  # noqa: SLF001 - the name that the hook was registered for


def _bake_simulated(module: nn.Module) -> None:
    """Round the weights of a layer with simulated quantization for good; layers that are fused with others stay as they are."""
    if not type(module).__module__.startswith("torch.ao.nn.qat"):
        return
    weight, rounds = module.get_parameter("weight"), module.get_submodule(SIMULATED)
    setattr(module, HELD_BITS, steps_to_bits(rounds))
    weight.copy_(rounds(weight))
    delattr(module, SIMULATED)
    module.__class__ = _plain_kind(module)


def steps_to_bits(rounds: Any) -> int:
    """Width of the codes of a module of torch.ao that simulates quantization."""
    return math.ceil(math.log2(rounds.quant_max - rounds.quant_min + 1))


def _bake_rounded(module: nn.Module) -> None:
    """The same for a layer of Brevitas: a plain layer with the weights that it rounds to."""
    if not _rounds_weights_alone(module):
        return
    quantizer: Any = module.get_submodule(PROXIES[0])
    weight = module.get_parameter("weight")
    rounded = quantizer(weight)
    setattr(module, HELD_BITS, round(float(quantizer.bit_width())))
    weight.copy_(getattr(rounded, "value", rounded))
    for name in PROXIES:
        delattr(module, name)
    module.__class__ = _plain_kind(module)


def _plain_kind(module: nn.Module) -> type[nn.Module]:
    """The class of torch that a layer's own class extends."""
    return next(kind for kind in type(module).__mro__ if kind.__module__.startswith("torch.nn.modules"))
