"""All attacks are called alike: the network is `model`, randomness is `seed`, and the data follow in one order."""

import inspect

import pytest

import holdfast.attacks
from holdfast.attacks import query, transfer

DOORS = {
    name: door
    for package in (holdfast.attacks, query, transfer)
    for name in package.__all__
    if inspect.isfunction(door := getattr(package, name))
}
ATTACKS = {name: door for name, door in DOORS.items() if {"y", "threat"} <= set(inspect.signature(door).parameters)}


def test_the_attacks_are_found():
    assert {"pgd", "apgd", "fab", "hopskipjump", "nes", "p_rgf", "square", "auto_attack", "random_noise"} <= set(ATTACKS)


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_an_attack_takes_model_inputs_labels_and_threat(name):
    assert list(inspect.signature(ATTACKS[name]).parameters)[:4] == ["model", "x", "y", "threat"]


@pytest.mark.parametrize("name", sorted(DOORS))
def test_randomness_is_a_seed_that_begins_at_zero(name):
    parameters = inspect.signature(DOORS[name]).parameters
    assert "generator" not in parameters
    if "seed" in parameters and name != "small_net":  # which is called with a seed by position
        assert parameters["seed"].default == 0
        assert parameters["seed"].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("name", sorted(DOORS))
def test_a_network_is_the_attackers_own_model_or_the_victim(name):
    assert not {"net", "network", "target"} & set(inspect.signature(DOORS[name]).parameters)
