"""Attacks by queries that white boxes lead."""

import pytest
import torch

from holdfast.attacks import ThreatModel, loss_gradient
from holdfast.attacks.query import p_rgf, rgf
from holdfast.attacks.transfer import GUIDES, FeatureHeads, Guide, Proxies, attack_prior, guided_attack, proxy_attack
from holdfast.core.errors import InputError
from holdfast.nets import conv_net, fit

SEARCH = {"queries": 60, "samples": 6, "sigma": 1e-2, "seed": 4}
THREAT = ThreatModel("linf", 0.2)


@pytest.fixture(scope="module")
def world(digits_small):
    """Two white boxes with heads, another network of the same classes as the victim, images and targets."""
    train, test = digits_small
    nets = [conv_net((8, 8, 8, 8), seed=seed) for seed in range(3)]
    for seed, net in enumerate(nets):
        fit(net, train, epochs=3, lr=5e-3, batch_size=100, seed=seed)
    boxes = [(net, FeatureHeads.fit(net, train, ["block3", "block4"], epochs=1)) for net in nets[:2]]
    images = test[:30]
    return boxes, nets[2].eval(), images, (images.y + 1) % 10


def attack(world, guide, **settings):
    boxes, victim, images, goals = world
    chosen = settings.pop("boxes", boxes[: guide.white_boxes])
    return guided_attack(victim, chosen, images, goals, Proxies.single(goals), THREAT, guide=guide, **{**SEARCH, **settings})


def test_without_a_guess_it_is_rgf(world):
    _, victim, images, goals = world
    found, plain = attack(world, GUIDES["none"]), rgf(victim, images.x, images.y, THREAT, target_class=goals, **SEARCH)
    assert torch.equal(found.x_adv, plain.x_adv)
    assert torch.equal(found.queries, plain.queries)


def test_with_one_guess_it_is_p_rgf_led_by_that_gradient(world):
    boxes, victim, images, goals = world
    net, heads = boxes[0]
    prior = attack_prior(net, images.x, goals, Proxies.single(goals), heads=heads, threat=THREAT)
    led = p_rgf(victim, images.x, images.y, THREAT, prior=prior, target_class=goals, **SEARCH)
    assert torch.allclose(attack(world, GUIDES["inside"]).x_adv, led.x_adv, atol=1e-5)


@pytest.mark.parametrize("name", GUIDES)
def test_every_guide_keeps_ball_and_budget(world, name):
    images = world[2]
    found = attack(world, GUIDES[name])
    assert found.queries.max() <= 60
    assert (found.x_adv - images.x).abs().max() <= 0.2 + 1e-6
    assert found.lam.isfinite().any() == (GUIDES[name].prior != "none")


def test_a_start_begins_at_the_example_of_the_white_box(world):
    boxes, _, images, goals = world
    net, heads = boxes[0]
    example = proxy_attack(net, images.x, goals, Proxies.single(goals), THREAT, heads=heads)
    itself = (boxes, net, images, goals)
    found = attack(itself, GUIDES["frame_start"], queries=2)
    hit = found.success & (found.queries == 2)
    assert hit.float().mean() > 0.5, "the second query looks at the start, which fools the white box itself"
    assert torch.allclose(found.x_adv[hit], example.x_adv[hit], atol=1e-6)


def test_two_smoothed_guesses_are_better_than_nothing(world):
    _, victim, images, goals = world
    truth = loss_gradient(victim, images.y, target_class=goals)
    guess = attack(world, GUIDES["better"], truth=truth).prior_cosine[0].nanmean()
    chance = attack(world, GUIDES["none"], truth=truth).estimate_cosine[0].nanmean()
    assert guess > 0.5 * chance > 0, "networks that share their classes share some of their gradients"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prior": "gradient"}, "prior"),
        ({"prior": "proxy"}, "white_boxes"),
        ({"start": True}, "white_boxes"),
        ({"white_boxes": 1}, "white_boxes"),
        ({"white_boxes": 1, "prior": "proxy", "top_k": 0}, "top_k"),
    ],
)
def test_guides_that_lead_nowhere_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Guide(**settings)


def test_a_guide_needs_its_white_boxes(world):
    with pytest.raises(InputError, match="has 1 networks; allowed: 2"):
        attack(world, GUIDES["better"], boxes=world[0][:1])
