"""What every experiment keeps, whoever wrote it: this file knows no stress and no study, only where they are listed."""

import dataclasses
import inspect
import itertools
import json
import pickle
import re
import sys

import numpy as np
import pytest
import torch

from holdfast.auditing.stresses import BUILT_IN
from holdfast.auditing.stresses.cards import BUILT_IN_CARDS
from holdfast.core.digest import canonical_json, digest_arrays, jsonable
from holdfast.core.experiment import Context, Experiment, Summary
from holdfast.core.grammar import is_path
from holdfast.core.runner import Identity, point_key, settings_of
from holdfast.core.seeds import Seeds
from holdfast.core.stress import PRESETS, Cost, Facts, Stress
from holdfast.core.target import ACCESS_LEVELS, Target
from holdfast.data import Examples
from holdfast.studies import find_study, list_studies

TARGETS = {
    "digits": Facts(shape=(1, 8, 8), classes=10, examples=500),
    "photographs": Facts(shape=(3, 32, 32), classes=100, other_sizes=True, examples=10_000),
    "table": Facts(shape=(20,), classes=2, bounds=(-3.0, 3.0), examples=40),
    "endpoint": Facts(shape=(3, 224, 224), classes=1000, access="labels", is_module=False, examples=1),
}
STUDIES = {row["study"]: find_study(row["study"]) for row in list_studies()}
PREPARED = {}  # every different setting that a preset gives to a target
for (name, kind), preset, (words, facts) in itertools.product(BUILT_IN.items(), PRESETS, TARGETS.items()):
    if (stress := kind.preset(preset, facts)) is not None and stress not in PREPARED.values():
        PREPARED[f"{name}-{preset}-{words}"] = stress
PLANNED = {f"{name}-{preset}": experiment for name, study in STUDIES.items() for preset, experiment in study.PRESETS.items()}
KINDS = {type(experiment) for experiment in (PREPARED | PLANNED).values()}


def each(name, table):
    return pytest.mark.parametrize(name, table.values(), ids=table)


each_experiment = each("experiment", PREPARED | PLANNED)
each_stress = each("stress", PREPARED)
each_kind = each("kind", {kind.__name__: kind for kind in sorted(KINDS, key=lambda kind: kind.__name__)})


@each_kind
def test_an_experiment_has_a_name_a_version_and_a_sentence(kind):
    assert re.fullmatch(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*", kind.name)
    assert isinstance(kind.version, int)
    assert kind.version >= 1
    assert inspect.getdoc(kind)


@each_kind
def test_settings_are_passed_by_name(kind):
    assert all(entry.kw_only for entry in dataclasses.fields(kind))


@each_experiment
def test_an_experiment_keeps_the_protocol_and_is_frozen(experiment):
    assert isinstance(experiment, Experiment)
    for name in [entry.name for entry in dataclasses.fields(experiment)] or ["version"]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(experiment, name, None)


@each_experiment
def test_points_are_plain_distinct_and_always_the_same(experiment):
    points = list(experiment.points())
    assert points, "an experiment has at least one point"
    assert json.loads(canonical_json(points)) == points, "points are mappings of plain JSON values"
    assert list(experiment.points()) == points
    keys = {point_key(experiment, point, Identity()) for point in points}
    assert len(keys) == len(points), "two points cannot be told apart"


def rebuilt(entry, like):
    """What `entry`, read from JSON, says in the types of `like`."""
    if dataclasses.is_dataclass(like):
        return type(like)(**{name: rebuilt(value, getattr(like, name)) for name, value in entry.items()})
    return tuple(map(rebuilt, entry, like)) if isinstance(like, tuple) else entry


@each_experiment
def test_settings_survive_json(experiment):
    settings = json.loads(json.dumps(settings_of(experiment), allow_nan=False))
    assert rebuilt(settings, experiment) == experiment


@each_experiment
def test_an_experiment_prints_its_settings_and_travels_to_workers(experiment):
    assert eval(repr(experiment), vars(sys.modules[type(experiment).__module__])) == experiment  # our own repr
    assert pickle.loads(pickle.dumps(experiment)) == experiment


@each_experiment
def test_a_run_without_a_finished_point_has_a_summary(experiment):
    assert isinstance(experiment.summarise([]), Summary)


@pytest.mark.parametrize(("name", "kind"), BUILT_IN.items())
def test_a_stress_is_listed_under_its_name_and_card(name, kind):
    assert kind.name == name
    assert is_path(name), "a gate must be able to name it"
    assert kind.card in BUILT_IN_CARDS
    assert kind.requires in ACCESS_LEVELS
    assert kind.title[0].isupper()
    assert kind in KINDS, "no preset gives this stress to any target"
    assert kind.metrics, "gates are checked before anything is run"
    assert all(map(is_path, (*kind.metrics, *kind.joint_metrics))), "a gate must be able to name them"


@each_stress
def test_a_stress_keeps_the_protocol_and_says_what_it_costs(stress):
    assert isinstance(stress, Stress)
    assert stress.examples is None or stress.examples >= 1
    for point in stress.points():
        cost = stress.estimate(point)
        assert isinstance(cost, Cost)
        numbers = [*dataclasses.astuple(dataclasses.replace(cost, active=())), *(part.forward for part in cost.active)]
        assert all(0 <= value < 1e9 for value in numbers if value != ())
        assert dataclasses.replace(cost, queries=0) != Cost(), "no point is free"


@each_stress
@each("facts", TARGETS)
def test_a_stress_says_whether_it_fits(stress, facts):
    assert isinstance(stress.unfit(facts), str)


@each("study", STUDIES)
def test_a_study_checks_sourced_claims_in_every_preset(study):
    for scale in study.PRESETS.values():
        claims = scale.planned()
        assert claims, "a study has something to say"
        assert len({claim.id for claim in claims}) == len(claims)
        assert all(claim.statement and claim.source for claim in claims)
        assert scale.title
        assert scale.source


@pytest.mark.parametrize(("name", "study"), STUDIES.items())
def test_a_study_is_listed_under_its_name(name, study):
    assert {experiment.name for experiment in study.PRESETS.values()} == {name}


@pytest.fixture(scope="module")
def small():
    """A network of 8 x 8 images and 30 rows, untrained: the contract is about manners, not about figures."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.Sigmoid(), torch.nn.Flatten()]
        model = torch.nn.Sequential(*layers, torch.nn.Linear(256, 10)).eval()
    data = Examples(torch.rand(30, 1, 8, 8, generator=generator), torch.arange(30) % 10)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tensors this small gain nothing from more, and lose much on a busy machine
    yield Target(model=model), data
    torch.set_num_threads(threads)


def state_of(target, data):
    """Everything that a measurement must leave as it was."""
    model = target.module
    modes = [module.training for module in model.modules()], [weight.requires_grad for weight in model.parameters()]
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    gradients = [weight.grad for weight in model.parameters()]
    streams = torch.random.get_rng_state().tolist(), np.random.get_state()[1].tolist()  # noqa: NPY002 - the global one is watched
    return digest_arrays(model.state_dict()), digest_arrays({"x": data.x, "y": data.y}), modes, hooks, gradients, streams


def for_digits(kind):
    """The least preset that has this stress."""
    return next(stress for preset in PRESETS if (stress := kind.preset(preset, TARGETS["digits"])) is not None)


@pytest.mark.parametrize("name", BUILT_IN)
def test_measuring_repeats_and_leaves_everything_as_it_was(name, small):
    target, data = small
    stress = for_digits(BUILT_IN[name])
    before = state_of(target, data)
    ends = [stress.points()[index] for index in sorted({0, len(stress.points()) - 1})]
    extras = {"unlabelled": data.x}
    context = Context(seeds=Seeds(1), target=target, data=data, batch_size=20, extras=extras).for_experiment(name)
    forwards = [stress.measure(point, context) for point in ends]
    backwards = [stress.measure(point, context) for point in ends[::-1]][::-1]
    assert state_of(target, data) == before
    for point, one, other in zip(ends, forwards, backwards, strict=True):
        assert one.estimates == other.estimates, f"{point} depends on the order"
        assert digest_arrays(one.arrays) == digest_arrays(other.arrays)
        assert json.loads(canonical_json(one.details)) == jsonable(one.details)
        assert set(one.estimates) <= set(stress.metrics), "gates are checked by the names of the class"
    together = stress.summarise(list(zip(ends, forwards, strict=True)))
    assert {quantity.name for quantity in together.quantities} == set(stress.joint_metrics)


@pytest.mark.parametrize("name", [name for name, kind in BUILT_IN.items() if kind.requires in {"labels", "scores"}])
def test_a_point_asks_no_more_than_it_announced(name, small):
    target, data = small
    stress = for_digits(BUILT_IN[name])
    context = Context(seeds=Seeds(1), target=target, data=data, extras={"unlabelled": data.x}).for_experiment(name)
    point = stress.points()[-1]
    cost = stress.estimate(point)
    asked = target.queries.count
    stress.measure(point, context)
    assert target.queries.count - asked <= cost.queries * len(data) + cost.fixed_queries
