"""A random stream belongs to its name: not to the order of asking, not to the process."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from holdfast.core.errors import InputError
from holdfast.core.seeds import Seeds, torch_generator


def test_the_order_of_asking_changes_nothing():
    seeds = Seeds(7)
    forwards = {name: seeds.numpy(name).random() for name in ("a", "b", "c")}
    backwards = {name: seeds.numpy(name).random() for name in ("c", "b", "a")}
    assert forwards == backwards


def test_each_seed_name_and_level_has_its_own_stream():
    streams = [
        Seeds(0).integer("a"),
        Seeds(1).integer("a"),
        Seeds(0).integer("b"),
        Seeds(0).integer("a", 0),
        Seeds(0).integer("a", 1),
        Seeds(0).integer("a0"),
        Seeds(0).integer(),
    ]
    assert len(set(streams)) == len(streams)


def test_a_child_is_the_family_below_its_name():
    assert Seeds(3).child("chip", 4).integer("noise") == Seeds(3).child("chip").child(4).integer("noise")
    assert Seeds(3).child("chip", 4).integer("noise") == Seeds(3).integer("chip", 4, "noise")


def test_another_process_draws_the_same():
    draw = "s.integer(1), s.numpy('n').normal()"
    code = f"from holdfast.core.seeds import Seeds; s = Seeds(5).child('x'); print({draw})"
    seeds = Seeds(5).child("x")
    here = f"{seeds.integer(1)} {seeds.numpy('n').normal()}"
    for hash_seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": hash_seed, "PATH": ""}
        there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        assert there.stdout.strip() == here


def test_the_streams_of_many_names_are_independent_normals():
    # 200 streams of 50 draws: one of the 19 900 correlations r exceeds 0.78, that is t = r sqrt(48 / (1 - r^2)) = 8.6, with
    # probability 19 900 * P(|t_48| > 8.6) < 1e-6; a Kolmogorov-Smirnov p-value below 1e-6 has probability 1e-6
    draws = np.array([Seeds(0).numpy("stream", index).normal(size=50) for index in range(200)])
    correlations = np.corrcoef(draws)[np.triu_indices(200, 1)]
    assert np.abs(correlations).max() < 0.78
    assert kstest(draws.ravel(), norm.cdf).pvalue > 1e-6


def test_integers_fill_63_bits():
    values = np.array([Seeds(0).integer(index) for index in range(400)], dtype=np.uint64)
    assert (values < 2**63).all()
    shares = [((values >> np.uint64(bit)) & np.uint64(1)).mean() for bit in range(63)]
    # a fair bit has 400 draws with standard deviation 0.025; 63 bits stay within 5.9 of them but for 63 * 3.6e-9 < 1e-6
    assert max(abs(share - 0.5) for share in shares) < 5.9 * 0.025


def test_torch_streams_do_not_touch_the_global_one():
    before = torch.random.get_rng_state()
    one, two = (torch.randn(3, generator=Seeds(0).torch("w")) for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**128 - 1])
def test_any_whole_number_is_a_seed(seed):
    assert Seeds(seed).integer("a") == Seeds(seed).integer("a") != Seeds(seed + 1).integer("a")


@pytest.mark.parametrize("seed", [-1, 0.5, float("nan"), True])
def test_other_seeds_are_refused(seed):
    with pytest.raises(InputError, match=r"`seed` is .*; allowed: whole numbers from 0 upwards"):
        Seeds(seed)


def test_a_plain_seed_gives_the_stream_of_torch_itself():
    expected = torch.rand(4, generator=torch.Generator().manual_seed(5))
    assert torch.equal(torch.rand(4, generator=torch_generator(5)), expected)
    assert torch.equal(
        torch.rand(4, generator=torch_generator(Seeds(1).integer("a"))), torch.rand(4, generator=Seeds(1).torch("a"))
    )
    with pytest.raises(InputError, match="seed"):
        torch_generator(-1)
