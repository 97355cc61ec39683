r"""
Neurons that all differ
=======================

A neuron made of a spintronic device answers its drive :math:`u` with :math:`y = y_0 + A\,g(k\,(u - u_0))`.
Fabrication gives every device its own amplitude :math:`A`, steepness :math:`k`, threshold :math:`u_0` and offset :math:`y_0`.
How much may they differ before a network that reads digits stops reading them?

The idea of training through the devices is that of arXiv:2106.16043; network, data and spreads here are small ones of our own,
and the study :mod:`holdfast.studies.spintronic_neuron` holds the paper's claims against its own measurements.
"""

import numpy as np
from torch import nn

from holdfast.core.curve import Curve
from holdfast.core.figures import INK, PALETTE, curve_figure, new_figure
from holdfast.data import load_images
from holdfast.devices import SigmoidNeuron, vary
from holdfast.hardware import (
    ChipResults,
    chip_seed,
    fresh_devices,
    hardware_activations,
    other_chips,
    recalibrate,
    redraw_devices,
)
from holdfast.nets import evaluate, fit, mlp

# %%
# One device, and what fabrication makes of it
# --------------------------------------------
#
# An ensemble is the same dataclass with one array entry per device, so one formula serves all curves.

drive = np.linspace(-8, 8, 161)
nominal = SigmoidNeuron()
ensemble = vary(nominal, 0.2, samples=40, seed=1)

characteristics, (axes,) = new_figure()
axes.plot(
    drive, ensemble.response(drive[:, None]), color=PALETTE[0], linewidth=0.6, alpha=0.5
)
axes.plot(drive, nominal.response(drive), color=INK, linewidth=2.5, label="nominal device")
axes.set(xlabel="drive u (dimensionless)", ylabel="output y (dimensionless)")
axes.set_title("40 devices with 20 % spread", loc="left")
axes.legend(frameon=False)
print(f"standard deviation of the amplitude: {ensemble.amplitude.std():.3f}")

# %%
# Three ways to use a chip
# ------------------------
#
# *In situ* the weights are trained through the devices of one chip and stay there.
# *Transferred* they are carried to ten other chips without any care.
# *Re-calibrated* they are carried too, and each new chip then trims a gain and a bias before and after each neuron.

train, test = load_images("digits"), load_images("digits", split="test")
SPREADS = (0.05, 0.1, 0.2, 0.3)
CHIPS = 10


def trained(spread):
    """A perceptron with one hidden layer of 64 device neurons, trained through them."""
    network = hardware_activations(
        mlp(64, hidden=(64,), activation=nn.Sigmoid), "sigmoid", spread=spread, seed=7
    )
    fit(network, train, epochs=30, lr=2e-2)
    return network


def on_trimmed_chips(network):
    """Right and wrong answers on every other chip after its re-calibration."""
    rights = []
    for number in range(CHIPS):
        with redraw_devices(network, seed=chip_seed(3, number)):
            repaired = recalibrate(network, train, steps=100)
        rights.append(evaluate(repaired, test).correct.numpy())
    return ChipResults(np.stack(rights))


ideal = evaluate(trained(0.0), test).accuracy
in_situ, transferred, repaired = [ideal], [ideal], [ideal]
for spread in SPREADS:
    network = trained(spread)
    in_situ.append(evaluate(network, test).accuracy)
    transferred.append(other_chips(network, test, count=CHIPS, seed=3).accuracy)
    repaired.append(on_trimmed_chips(network).accuracy)

# %%
# Accuracy against spread
# -----------------------
#
# In situ the interval is Wilson's over test images, because there is one chip; otherwise it is Student's t over the chips.

uses = {"in situ": in_situ, "transferred": transferred, "re-calibrated": repaired}
curves = [
    Curve(name=name, axis="relative spread", at=(0.0, *SPREADS), estimates=tuple(estimates))
    for name, estimates in uses.items()
]
accuracy_figure = curve_figure(curves, title="Accuracy on 500 digits")
accuracy_figure.axes[0].set_ylim(0.6, 1.0)
for curve in curves:
    print(
        f"{curve.name:14}",
        "  ".join(
            f"{at:.0%}: {estimate}"
            for at, estimate in zip(curve.at, curve.estimates, strict=True)
        ),
    )

# %%
# Chips and their yield
# ---------------------
#
# The mean hides what a manufacturer asks: how many chips reach what was promised?
# Two hundred chips of the network that was trained at 30 % spread answer that, with and without care in training:
# in *variation-aware* training every batch meets another chip.

careless = trained(0.3)
aware = hardware_activations(
    mlp(64, hidden=(64,), activation=nn.Sigmoid), "sigmoid", spread=0.3, seed=7
)
fit(aware, train, epochs=30, lr=2e-2, on_batch=fresh_devices)
populations = {
    "transferred": other_chips(careless, test, count=200, seed=4),
    "variation-aware": other_chips(aware, test, count=200, seed=4),
}

yield_figure, (histogram, yields) = new_figure(columns=2)
levels = np.linspace(0.6, 1.0, 81)
for colour, (name, population) in zip(PALETTE, populations.items(), strict=False):
    histogram.hist(
        population.accuracies,
        bins=np.arange(0.5, 1.0, 0.01),
        color=colour,
        alpha=0.6,
        label=name,
    )
    shares = [population.yield_at(level) for level in levels]
    yields.plot(levels, [share.value for share in shares], color=colour, label=name)
    yields.fill_between(
        levels,
        [share.lo for share in shares],
        [share.hi for share in shares],
        color=colour,
        alpha=0.18,
    )
    print(f"{name:16} yield at an accuracy of 0.94: {population.yield_at(0.94)}")
histogram.set(xlabel="accuracy of a chip", ylabel="chips")
histogram.set_title("200 chips, 30 % spread", loc="left")
yields.set(xlabel="promised accuracy", ylabel="share of chips that reach it")
yields.set_title("Yield", loc="left")
histogram.legend(frameon=False)
yields.legend(frameon=False)
