"""Real audits of a small trained network, shared by the tests that look at what they left."""

import pytest

import holdfast
from holdfast.auditing import AuditSettings

SMALL = {
    "data": {"examples": 120, "unlabelled": "digits"},
    "adversarial": {
        "pgd": {"steps": 5},
        "apgd": {"steps": 5, "goals": 2},
        "square": {"examples": 40, "queries": 30},
        "hopskipjump": {"examples": 10, "queries": 200},
        "transfer": {"examples": 40, "queries": 100, "steps": 5},
        "masking": {"examples": 60, "steps": 5, "queries": 30},
    },
    "device": {"weight_noise": {"chips": 3}, "activation_variation": {"chips": 3}},
    "run": {"threads": 1},
}


@pytest.fixture(scope="session")
def small():
    """Options that make an audit take seconds."""
    assert AuditSettings.model_validate(SMALL)
    return SMALL


@pytest.fixture(scope="session")
def audited(digits_cnn, digits_small, small, tmp_path_factory):
    """The report of all stresses on the digits network."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    gates = [
        "clean.accuracy >= 0.8",
        "precision.weight_bits.accuracy[bits=8] >= clean.accuracy - 0.1",
        "adversarial.masking.flags == 0",
    ]
    return holdfast.audit(digits_cnn, digits_small[1], out=str(out), gates=gates, settings=small)
