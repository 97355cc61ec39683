"""R-hat and effective sample size on chains whose mixing is known."""

import math

import numpy as np
import pytest

from holdfast.bayes import Diagnostics
from holdfast.bayes.diagnostics import bulk_ess, centred_logits, split_rhat
from holdfast.core.errors import InputError


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def autoregressive(rho, chains=4, draws=5000):
    noise = normal(chains, draws) * math.sqrt(1 - rho**2)
    series = np.empty_like(noise)
    series[:, 0] = normal(chains, seed=1)
    for t in range(1, draws):
        series[:, t] = rho * series[:, t - 1] + noise[:, t]
    return series


def test_independent_draws_count_in_full():
    draws = normal(4, 2000, 3)
    assert (split_rhat(draws) < 1.005).all()
    # the estimator scatters by a few per cent over 8000 draws
    np.testing.assert_allclose(bulk_ess(draws), 8000, rtol=0.15)


@pytest.mark.parametrize("rho", [0.5, 0.9, -0.4])
def test_the_sample_size_of_an_autoregressive_chain_is_the_closed_form(rho):
    # N (1 - rho) / (1 + rho); the integrated autocorrelation time scatters by about 10 % here
    assert bulk_ess(autoregressive(rho)) == pytest.approx(20000 * (1 - rho) / (1 + rho), rel=0.3)


def test_chains_that_stay_apart_are_found():
    # split halves at means -d and d with unit variance: R-hat^2 = 1 + 2 d^2 (n large, two values of four chains), before ranks
    apart = normal(4, 500) + np.array([-2.0, -2.0, 2.0, 2.0])[:, None]
    assert split_rhat(apart) > 1.5
    assert bulk_ess(apart) < 20


def test_a_chain_that_drifts_is_found_by_its_halves():
    drifting = normal(1, 1000) + np.linspace(0, 4, 1000)
    assert split_rhat(drifting) > 1.2


def test_chains_of_unequal_width_are_found_by_folding():
    assert split_rhat(normal(4, 1000) * np.array([1.0, 1.0, 1.0, 4.0])[:, None]) > 1.1


def test_heavy_tails_do_not_hide_and_do_not_invent():
    cauchy = np.random.default_rng(0).standard_cauchy(size=(4, 2000))
    assert split_rhat(cauchy) < 1.01
    assert bulk_ess(cauchy) > 5000


def test_only_ranks_matter():
    draws = autoregressive(0.5, draws=500)
    np.testing.assert_allclose(bulk_ess(np.exp(3 * draws)), bulk_ess(draws))


def test_the_order_of_chains_does_not_matter():
    draws = normal(4, 200, 2) + np.arange(4)[:, None, None]
    np.testing.assert_allclose(split_rhat(draws[::-1]), split_rhat(draws))
    np.testing.assert_allclose(bulk_ess(draws[::-1]), bulk_ess(draws))


def test_chains_that_stand_still_at_one_place_agree_and_at_two_do_not():
    still = np.ones((2, 10))
    assert split_rhat(still) == 1.0
    assert bulk_ess(still) == 20
    assert split_rhat(still * np.array([[1.0], [2.0]])) == math.inf


def test_a_shift_of_all_logits_is_no_difference():
    logits = normal(6, 5, 3)
    np.testing.assert_allclose(centred_logits(logits + normal(6, 5, 1, seed=2)), centred_logits(logits), atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 3), (12,)])
def test_too_few_draws_are_refused(shape):
    with pytest.raises(InputError, match="at least 4 draws"):
        split_rhat(np.zeros(shape))


def diagnostics(**changes):
    fine = {"accept": (0.8, 0.7), "step_size": (0.1, 0.1), "rhat_potential": 1.0, "ess_potential": 50.0, "rhat_logits": 1.05}
    fine |= {"ess_logits": 50.0, "worst_rhat_logits": 1.2, "divergences": 0, "chains": 2, "samples": 100}
    return Diagnostics(**(fine | changes))


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"accept": (0.8, 0.3)}, "the acceptance rate of a chain is 0.30 < 0.4"),
        ({"accept": (0.8, 0.999)}, "the acceptance rate of a chain is 0.999 > 0.99"),
        ({"divergences": 3}, "3 trajectories diverged"),
        ({"rhat_logits": 1.2}, "R-hat of the logits is 1.20 > 1.1"),
        ({"rhat_potential": 9.0}, "R-hat of the potential is 9.00 > 1.1"),
        ({"high_rhat_logits": 1.5}, "R-hat of a tenth of the logits is above 1.50 > 1.1"),
        ({"rhat_logits": math.nan, "samples": 2}, "R-hat is not defined for 2 draws per chain"),
    ],
)
def test_what_speaks_against_a_run_is_said(changes, warning):
    assert diagnostics().converged
    assert diagnostics(accept=()).converged
    found = diagnostics(**changes)
    assert not found.converged
    assert found.warnings == (warning,)


def test_a_run_names_its_numbers():
    say = {"rhat_potential": 1.0, "ess_potential": 90.0, "rhat_logits": 1.3, "ess_logits": 20.0, "worst_rhat_logits": 2.0}
    found = Diagnostics(accept=(0.8, 0.6), step_size=(0.01, 0.01), divergences=2, chains=2, samples=50, **say).estimates
    values = {name: estimate.value for name, estimate in found.items()}
    del say["ess_potential"]
    assert values == say | {"divergences": 2.0, "accept": pytest.approx(0.7)}
    silent = Diagnostics(accept=(), step_size=(0.01,), divergences=0, chains=1, samples=50, ess_potential=90.0, **say)
    assert "accept" not in silent.estimates
