"""A layer of coupled oscillators: its read-out against the compiled engine, its gradients, and that it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from holdfast.core.errors import InputError
from holdfast.devices.spintronics import AutoOscillatorNetwork, all_to_all, simulate_network
from holdfast.devices.spintronics.oscillators import pairs_of
from holdfast.hardware import OscillatorLayer

QUICK = {"duration": 1.5e-7, "discard": 5e-8}


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return OscillatorLayer(2, 3, **QUICK)


def test_read_out_equals_the_compiled_engine(layer):
    # both engines take the same steps: what differs is rounding
    x = torch.randn(4, 2, dtype=torch.float64)
    with torch.no_grad():
        zeta = layer.double().supercriticality(x)
        found = layer(x)
    numbers = zeta.numpy()
    net = replace(
        AutoOscillatorNetwork(frequency=2e6 * np.array([-1, 0, 1]), coupling=all_to_all(3, 1e5, np.arctan(20 / 3))),
        supercriticality=numbers,
    )
    start = np.sqrt((numbers - 1) / (numbers + 1)) * np.exp(-1j * layer.phases.numpy())
    seen = simulate_network(net, layer.duration, dt=layer.dt, discard=layer.discard, start=start, trace_every=8 * layer.dt)
    angle = np.angle(seen.trace)
    order = [np.abs(np.exp(1j * (angle[..., i] - angle[..., j])).mean(axis=-1)) for i, j in pairs_of(3)]
    power = (np.abs(seen.trace) ** 2).mean(axis=1)
    assert np.allclose(found.numpy(), np.c_[np.stack(order, axis=1), power], atol=1e-6)  # buffers were rounded to float32


def test_gradients_are_those_of_the_function():
    layer = OscillatorLayer(2, 2, duration=4e-8, discard=1.3e-8).double()
    x = torch.randn(2, 2, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(1))
    names = [name for name, _ in layer.named_parameters()]
    given = [parameter.detach().clone().requires_grad_() for parameter in layer.parameters()]
    assert names == ["drive.weight", "drive.bias"]

    def answer(inputs, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (inputs,))

    assert torch.autograd.gradcheck(answer, (x, *given), atol=1e-6, rtol=1e-4)


def test_locked_pairs_have_order_one_and_drifting_ones_do_not():
    # at equal currents two are 0 and the third 15 MHz away, outside a locking range of 2 x 0.3 MHz x 6.7 = 4 MHz
    net = AutoOscillatorNetwork(frequency=[0.0, 0.0, 15e6], coupling=all_to_all(3, 3e5, np.arctan(20 / 3)))
    layer = OscillatorLayer(1, 3, net=net, currents=(1.9, 2.1), duration=1.8e-6, discard=8e-7)
    nn.init.zeros_(layer.drive.bias)
    with torch.no_grad():
        order = layer(torch.zeros(1, 1))[0, :3]
    assert order[0] > 0.99
    assert order[1:].max() < 0.2


def test_power_is_that_of_free_oscillators_without_coupling():
    layer = OscillatorLayer(2, 2, net=AutoOscillatorNetwork(coupling=np.zeros((2, 2))), **QUICK)
    x = torch.randn(5, 2)
    zeta = layer.supercriticality(x)
    assert torch.allclose(layer(x)[:, 1:], (zeta - 1) / (zeta + 1), atol=1e-5)


def test_an_example_does_not_depend_on_its_batch(layer):
    x = torch.randn(6, 2, dtype=torch.float64)
    whole = layer(x)
    assert torch.allclose(whole[3], layer(x[3]), atol=1e-9)
    assert torch.allclose(whole.reshape(2, 3, -1), layer(x.reshape(2, 3, 2)), atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_the_number_format_follows_the_input(layer, dtype):
    x = torch.randn(3, 2)
    found = layer(x.to(dtype))
    assert found.dtype == dtype
    assert torch.allclose(found.double(), layer(x.double()).double(), atol={torch.float16: 2e-2}.get(dtype, 2e-3))


def test_devices_are_buffers_and_a_saved_layer_is_complete(layer):
    twin = OscillatorLayer(2, 3, seed=9, net=AutoOscillatorNetwork(nonlinearity=np.array([30e6, 40e6, 50e6])), dt=layer.dt, **QUICK)
    twin.load_state_dict(layer.state_dict())
    x = torch.randn(2, 2)
    assert torch.equal(twin(x), layer(x))
    assert {"frequency", "coupling", "phases"} <= set(dict(layer.named_buffers()))
    assert len(list(layer.parameters())) == 2


def test_converting_the_layer_keeps_the_coupling_phase(layer):
    before = layer.coupling.clone()
    assert torch.equal(layer.double().float().coupling, before)


def test_it_learns_to_separate_two_classes_no_line_separates():
    # near or far from the origin: a straight line is no way to part them
    torch.manual_seed(1)
    x = torch.randn(48, 2)
    y = (x.norm(dim=1) > 1.1).long()
    assert LogisticRegression().fit(x.numpy(), y.numpy()).score(x.numpy(), y.numpy()) < 0.75
    model = nn.Sequential(OscillatorLayer(2, 3, duration=6e-8, discard=2e-8), nn.BatchNorm1d(6), nn.Linear(6, 2))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.2)
    for _ in range(14):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    assert (model(x).argmax(1) == y).float().mean() > 0.9


def test_noise_is_the_same_at_each_call_and_another_with_another_seed():
    net = AutoOscillatorNetwork(noise=1e-2, coupling=all_to_all(2, 1e5))
    one, other = (OscillatorLayer(1, 2, net=net, seed=seed, **QUICK) for seed in (0, 1))
    other.load_state_dict(one.state_dict())
    x = torch.zeros(1, 1)
    assert torch.equal(one(x), one(x))
    assert not torch.equal(one(x), other(x))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"currents": (1.0, 2.0)}, "1 < lowest"),
        ({"currents": (2.0, 1.5)}, "1 < lowest"),
        ({"currents": (1.5, float("inf"))}, "currents"),
        ({"oscillators": 1}, "oscillators"),
        ({"in_features": 0}, "in_features"),
        ({"net": AutoOscillatorNetwork(coupling=all_to_all(3, 1e5))}, "one network of 2"),
        ({"net": AutoOscillatorNetwork(coupling=np.zeros((5, 2, 2)))}, "batch"),
        ({"net": AutoOscillatorNetwork(coupling=all_to_all(2, 1e5), delay=1e-8)}, "delayed"),
        ({"dt": 1e-7}, "steps up to"),
        ({"dt": 0.0}, "dt"),
        ({"duration": 1e-7, "discard": 1e-7}, "window of at least"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_settings(arguments, part):
    with pytest.raises(InputError, match=part):
        OscillatorLayer(**({"in_features": 2, "oscillators": 2} | arguments))


@pytest.mark.parametrize("x", [torch.zeros(2, 3), torch.zeros(0, 2), torch.zeros(2, 2, dtype=torch.long), torch.tensor(1.0)])
def test_bad_inputs(layer, x):
    with pytest.raises(InputError, match="floats of shape"):
        layer(x)


def test_nan_is_refused(layer):
    with pytest.raises(InputError, match="NaN"):
        layer(torch.full((1, 2), float("nan")))
