"""Samplers have one form: settings and states are frozen, and steps are pure functions of one name."""

import importlib
from dataclasses import fields, is_dataclass

import pytest
import torch

from holdfast.bayes import Prior
from holdfast.bayes.chains import Chains, run_chains
from holdfast.bayes.potential import network_potential
from holdfast.bayes.sghmc import MiniBatches
from holdfast.bayes.streams import Streams, draw_normal
from holdfast.core.seeds import Seeds
from holdfast.nets import mlp

MODULES = {name: importlib.import_module(f"holdfast.bayes.{name}") for name in ("hmc", "sghmc")}


@pytest.fixture(scope="module")
def potential():
    x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    return network_potential(mlp(2, hidden=(4,), classes=2).eval(), (x, (x[:, 0] > 0.5).long()), prior=Prior())


@pytest.fixture
def start(potential):
    return 0.1 * torch.randn(3, len(potential.precision), generator=torch.Generator().manual_seed(1))


def kernel(name, potential, **changes):
    module = MODULES[name]
    settings = getattr(module, f"{name.upper()}Settings")(**{"samples": 6, "warmup": 4, "steps": 3, "step_size": 0.01} | changes)
    return module.build(potential, settings, seeds=Seeds(3))


def same(one, other):
    """Whether two states agree in every bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if is_dataclass(one):
        return all(same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    return all(map(same, one, other)) if isinstance(one, tuple) else one == other


@pytest.mark.parametrize("name", MODULES)
def test_the_module_has_the_common_names(name):
    module = MODULES[name]
    assert {"build", "init", "update", name, f"{name.upper()}Settings", f"{name.upper()}State"} <= set(module.__all__)
    for kind in ("Settings", "State"):
        assert getattr(module, f"{name.upper()}{kind}").__dataclass_params__.frozen


@pytest.mark.parametrize("name", MODULES)
def test_an_update_leaves_its_state_alone_and_gives_the_same_bits_again(name, potential, start):
    steps = kernel(name, potential)
    before, witness = steps.init(start), steps.init(start)
    one, other = steps.update(before), steps.update(before)
    assert same(one, other)
    assert same(before, witness)
    assert not torch.equal(one.position, before.position)
    assert one.iteration == before.iteration + 1


@pytest.mark.parametrize("name", MODULES)
def test_a_run_that_is_resumed_from_a_state_is_the_uninterrupted_one(name, potential, start):
    steps = kernel(name, potential)
    whole = run_chains(steps, start)
    state, visited = steps.init(start), []
    for _ in range(7):
        state = steps.update(state)
    for _ in range(3):
        state = kernel(name, potential).update(state)  # another kernel with the same settings, as in another process
        visited.append(state.position)
    assert torch.equal(torch.stack(visited, 1), whole.positions[:, 3:])


@pytest.mark.parametrize("name", MODULES)
def test_every_kernel_leaves_the_same_kind_of_chains(name, potential, start):
    found = run_chains(kernel(name, potential), start)
    assert isinstance(found, Chains)
    assert found.positions.shape == (3, 6, start.shape[1])
    assert found.potential.shape == (3, 6)
    assert len(found.step_size) == 3
    assert len(found.accept) == (3 if name == "hmc" else 0)


def test_mini_batches_pass_over_all_examples_in_orders_that_differ():
    batches, passes = MiniBatches.start(10, 3, torch.Generator().manual_seed(0)), []
    for _ in range(4):
        rows = []
        for _ in range(3):  # the remainder of one example is left out
            some, batches = batches.next()
            rows += some.tolist()
        assert len(set(rows)) == 9
        passes.append(rows)
    assert len(set(map(tuple, passes))) == 4
    assert MiniBatches.start(2, 5, torch.Generator()).next()[0].tolist() in ([0, 1], [1, 0])


def test_streams_go_on_where_they_were():
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    like = torch.zeros(2, 5)
    draw_normal(generators, like)
    streams = Streams.of(generators)
    expected = draw_normal(generators, like)
    assert torch.equal(draw_normal(streams.generators(), like), expected)
    assert torch.equal(draw_normal(streams.generators(), like), expected)
