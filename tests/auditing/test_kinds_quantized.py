"""Networks that quantize themselves, and those of which a stress reaches little: every audit ends complete."""

import json
from pathlib import Path

import pytest

pytest.importorskip("brevitas")
pytest.importorskip("torchao")

import quantized_networks

import holdfast
from holdfast.cli import main
from holdfast.core.errors import InputError

HERE = Path(__file__).parent / "quantized_networks.py"
STRESSES = ("clean", "weight_bits", "act_bits", "weight_noise", "activation_variation")
QUICK = ("brevitas", "torchao_weights", "lstm_head")  # of which the command is run every time
SETTINGS = {
    "data": {"examples": 100},
    "precision": {"weight_bits": {"bits": (8, 3)}, "act_bits": {"bits": (8, 3)}},
    "device": {
        "weight_noise": {"chips": 2, "sigma": (0.0, 0.1), "kinds": ("additive",)},
        "activation_variation": {"chips": 2, "spread": (0.0, 0.2)},
    },
    "run": {"threads": 1},
}
PACKED = "packed or drawn in each pass"
NO_WEIGHTS = {"weight_bits": PACKED, "weight_noise": PACKED}
WHOLE_NUMBERS = dict.fromkeys(("act_bits", "activation_variation"), "whole numbers flow between its layers (quant, conv, head)")
OWN = "{} are quantized by the network itself: {}"
# kind: stresses that are skipped, with a part of the reason; notes of the report
KINDS = {
    "brevitas": ({}, [OWN.format("weights", "4 bits in conv1, conv2, head"), OWN.format("activations", "4 bits in relu1, relu2")]),
    "brevitas_with_scales": (
        {},
        [OWN.format("weights", "4 bits in conv1, conv2, head"), OWN.format("activations", "4 bits in relu1, relu2")],
    ),
    "brevitas_with_biases": (
        {},
        [
            OWN.format("weights", "4 bits in conv1, conv2, head"),
            OWN.format("activations", "4 bits in relu1, relu2; 8 bits in input"),
        ],
    ),
    "torchao_weights": (NO_WEIGHTS, [OWN.format("weights", "8 bits in 1, 3")]),
    "torchao_both": (NO_WEIGHTS, [OWN.format("weights", "8 bits in 1, 3"), OWN.format("activations", "8 bits in 1, 3")]),
    "torch_dynamic": (
        NO_WEIGHTS,
        [OWN.format("weights", "8 bits in 1, 3"), OWN.format("activations", "8 bits in 1, 3")],
    ),
    "torch_static": (
        NO_WEIGHTS | WHOLE_NUMBERS,
        [OWN.format("weights", "8 bits in conv, head"), OWN.format("activations", "8 bits in conv, head")],
    ),
    "one_linear_layer": ({"act_bits": "no layer behind the first", "activation_variation": "no activation"}, []),
    "lstm_head": ({"activation_variation": "no activation"}, []),
    "attention": ({}, []),
    "reused_activation": ({}, []),
    "functional_activations": ({}, []),
}

SUPPORTED = "modules such as nn.ReLU, functions such as F.relu, and classes of your own that change each number by itself"
LEFT = {  # a note on what act_bits could not reach
    "lstm_head": "states and gates inside rnn (LSTM) keep their precision",
    "attention": "the probabilities of attention keep their precision at 1 place, where one operation makes and uses them",
    "brevitas": "the network quantizes its activations itself (4 bits in relu1, relu2); this rounds once more",
}


def told(reasons, expected):
    """True if exactly the expected stresses are skipped, each for its reason."""
    return reasons.keys() == expected.keys() and all(part in reasons[name] for name, part in expected.items())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_an_audit_in_python_is_complete_and_skips_with_a_reason(kind, digits_small, tmp_path):
    skipped, notes = KINDS[kind]
    net = getattr(quantized_networks, kind)()
    report = holdfast.audit(
        net, digits_small[1], stresses=STRESSES, settings=SETTINGS, out=str(tmp_path / "run"), allow_low_accuracy=True
    )
    assert report.exit_code == 0
    assert report.document.run.status == "complete"
    reasons = {entry.stress: entry.reason for entry in report.document.skipped}
    assert told(reasons, skipped), reasons
    assert set(notes) == {note for note in report.document.target.notes if "by the network itself" in note}
    measured = report.document.stresses()
    assert all(measured[name].status == "ok" for name in STRESSES if name not in skipped)
    if kind in LEFT:
        assert LEFT[kind] in measured["act_bits"].notes
    if kind in {"torchao_both", "torch_dynamic", "torch_static"}:
        none = (
            "no gradient reaches the input: layers with packed weights ({}) have none. Stresses that follow gradients are left out"
        )
        assert none.format("conv, head" if kind == "torch_static" else "1, 3") in report.document.target.notes
    if kind.startswith("brevitas"):
        again = "the network rounds the noisy weights of conv1, conv2 by itself, which hides noise below half a step"
        assert measured["weight_noise"].notes == ([again] if kind == "brevitas_with_biases" else [])
    if kind == "one_linear_layer":
        assert f"({SUPPORTED}), but Flatten, Linear" in reasons["activation_variation"]
    if "weight_bits" not in skipped and notes:
        own = notes[0].rpartition(": ")[2]
        assert measured["weight_bits"].notes == [f"the network quantizes its weights itself ({own}); this rounds once more"]


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=() if kind in QUICK else pytest.mark.slow) for kind in KINDS])
def test_an_audit_on_the_command_line_is_complete_and_exits_with_0(kind, tmp_path, capsys):
    words = ["audit", "--model", f"{HERE}:{kind}", "--data", "digits", "--examples", "100", "--allow-low-accuracy"]
    words += [word for name in STRESSES for word in ("--stress", name)]
    words += ["--set", "precision.weight_bits.bits=[8, 3]", "--set", "precision.act_bits.bits=[8, 3]"]
    words += ["--set", "device.weight_noise.chips=2", "--set", "device.weight_noise.sigma=[0, 0.1]"]
    words += ["--set", "device.activation_variation.chips=2", "--set", "device.activation_variation.spread=[0, 0.2]"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--out", str(tmp_path / "run")])
    assert ended.value.code == 0
    found = json.loads((tmp_path / "run" / "report.json").read_text())
    assert found["run"]["status"] == "complete"
    reasons = {entry["stress"]: entry["reason"] for entry in found["skipped"]}
    assert told(reasons, KINDS[kind][0]), reasons
    assert "crash" not in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["brevitas", "torchao_weights"])
def test_a_network_that_cannot_be_sent_to_workers_is_measured_by_one_as_the_refusal_says(kind, digits_small, tmp_path):
    net, where = getattr(quantized_networks, kind)(), {"out": str(tmp_path / "run"), "stresses": ("clean",)}
    with pytest.raises(InputError, match="cannot be sent to another process") as refusal:
        holdfast.audit(net, digits_small[1], settings=SETTINGS, workers=2, allow_low_accuracy=True, **where)
    advice = str(refusal.value).partition("allowed: ")[2]
    assert advice == "--workers 1 (Python: workers=1), or objects that pickle can send."
    assert holdfast.audit(net, digits_small[1], settings=SETTINGS, workers=1, allow_low_accuracy=True, **where).exit_code == 0
