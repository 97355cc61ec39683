r"""
From a magnetic device to handwritten digits
============================================

A free layer of 20 nanometres that heat turns all the time, a current that biases it, a tunnel junction that reads it: its mean resistance
against the current is a sigmoid.
What does a network see that is built of a hundred of them, as fabrication makes them?

This example goes the whole way: the motion of the moments, the curves, one map for the whole wafer, a network trained through
its devices, and the same weights on other chips.
The idea of training through spintronic neurons is that of arXiv:2106.16043; devices, spreads and networks here are ours.
"""

import warnings

import numpy as np
from torch import nn

from holdfast.core.errors import MacrospinWarning
from holdfast.core.figures import INK, PALETTE, new_figure
from holdfast.data import list_data, load_images
from holdfast.devices import fit_neurons, in_network_units
from holdfast.devices.spintronics import ThermalSigmoidNeuron, neuron_curves
from holdfast.hardware import (
    ChipResults,
    chip_seed,
    hardware_activations,
    other_chips,
    recalibrate,
    redraw_devices,
)
from holdfast.nets import evaluate, fit, mlp

# %%
# The whole way
# -------------
#
# Every device moves at every current in one batch of macrospins, twice; a longer look would make the curves smoother.
# One moment stands for each pillar of 30 nm, which is 6 exchange lengths wide; the warning of that is filtered.
# MNIST is used if it lies on the disk (``holdfast data fetch mnist``), and scikit-learn's digits otherwise.

warnings.simplefilter("ignore", MacrospinWarning)
curves = neuron_curves(
    ThermalSigmoidNeuron(),
    spread={"alpha": 0.1, "thickness": 0.1, "area": 0.1},
    absolute={"field": 5e3},  # stray fields of 60 Oe, in A/m
    samples=128,
    points=21,
    method="simulation",
    runs=2,
)
wafer = in_network_units(curves.made_monotone())

name = (
    "mnist" if any(row.name == "mnist" and row.present for row in list_data()) else "digits"
)
train, test = (
    load_images(name, n=20_000 if name == "mnist" else None),
    load_images(name, "test"),
)
plain = mlp(train.x[0].numel(), hidden=(128,), activation=nn.Sigmoid)
network = hardware_activations(plain, wafer, seed=1)
fit(network, train, epochs=4 if name == "mnist" else 40, lr=4e-3)
print(f"{name}, on its own chip: {evaluate(network, test).accuracy}")

# %%
# The devices
# -----------
#
# One affine map, found from the nominal device, brings currents and voltages to the units of the network, so the spread survives.
# A least-squares fit gives four numbers for each device.

fitted = fit_neurons(wafer)
thresholds = fitted.neurons.threshold

devices_figure, (ensemble, histogram) = new_figure(columns=2)
ensemble.plot(wafer.x, wafer.y[:60].T, color=PALETTE[0], linewidth=0.5, alpha=0.5)
ensemble.plot(wafer.x, wafer.nominal, color=INK, linewidth=2.5, label="nominal device")
ensemble.set(xlabel="pre-activation u (dimensionless)", ylabel="output y (dimensionless)")
ensemble.set_title("60 of 128 simulated junctions", loc="left")
ensemble.legend(frameon=False)
histogram.hist(thresholds, bins=15, color=PALETTE[0], alpha=0.8)
histogram.axvline(fitted.nominal.threshold, color=INK, linewidth=2.0)
histogram.set(xlabel="threshold of a device (units of u)", ylabel="devices")
histogram.set_title("What fabrication makes of the threshold", loc="left")
print(f"standard deviation of the thresholds: {thresholds.std():.2f}")
print(f"what the fits leave, in units of the nominal swing: {fitted.residual.mean():.3f}")

# %%
# Other chips
# -----------
#
# The weights are carried to six other chips, on which the devices of the wafer stand in other places: as they are, with a gain and
# a bias trimmed before and after each neuron, and with as many steps of fine-tuning for all weights.

CHIPS = 6


def on_other_chips(what):
    """Right and wrong answers on every other chip after a repair."""
    rights = []
    for number in range(CHIPS):
        with redraw_devices(network, seed=chip_seed(3, number)):
            repaired = recalibrate(network, train, what=what, steps=100)
        rights.append(evaluate(repaired, test).correct.numpy())
    return ChipResults(np.stack(rights))


uses = {
    "transferred": other_chips(network, test, count=CHIPS, seed=3),
    "re-calibrated": on_other_chips("bias+gain"),
    "fine-tuned": on_other_chips("all"),
}
home = evaluate(network, test).accuracy

chips_figure, (axes,) = new_figure(size=(6.0, 2.6))
for place, (use, results) in enumerate(uses.items()):
    jitter = np.linspace(-0.12, 0.12, CHIPS)
    axes.plot(results.accuracies, place + jitter, "o", color=PALETTE[place], alpha=0.7)
    axes.plot(results.accuracy.value, place, "|", color=INK, markersize=22)
    print(f"{use:14} {results.accuracy}")
axes.axvspan(home.lo, home.hi, color=INK, alpha=0.1, linewidth=0)
axes.axvline(home.value, color=INK, linewidth=1.0)
axes.set_yticks(range(len(uses)), list(uses))
axes.set(xlabel="accuracy of a chip (band: the chip that was trained)", ylim=(2.5, -0.5))
axes.set_title("Six other chips", loc="left")

# %%
# What training makes of unequal neurons
# --------------------------------------
#
# The thresholds leave hardly a trace in what the network listens to: the bias in front of each neuron absorbs them.
# It listens most to the neurons that swing most.
# And a device has an end: pre-activations beyond its range meet a flat curve, which learns nothing.

numbers = network.act1.devices.numpy()
weights = network.head.weight.detach().norm(dim=0).numpy()
drives = network.fc1(test.x[:500].flatten(1)).detach().numpy().ravel()

inside_figure, (by_threshold, by_amplitude, used) = new_figure(columns=3)
for axes, what in ((by_threshold, "threshold"), (by_amplitude, "amplitude")):
    values = getattr(fitted.neurons, what)[numbers]
    correlation = np.corrcoef(values, weights)[0, 1]
    axes.plot(values, weights, "o", color=PALETTE[0], alpha=0.6)
    axes.set_xlabel(
        f"{what} of the neuron (nominal: {float(getattr(fitted.nominal, what)):z.0f})"
    )
    axes.set_title(f"Correlation {correlation:.2f}", loc="left")
by_threshold.set_ylabel("norm of the outgoing weights")
used.hist(drives, bins=80, density=True, color=PALETTE[0], alpha=0.8)
used.axvspan(wafer.x[0], wafer.x[-1], color=PALETTE[2], alpha=0.15, linewidth=0)
used.set(xlabel="pre-activation u (dimensionless)", ylabel="density of drives")
curve = used.twinx()
curve.plot(wafer.x, wafer.nominal, color=INK, linewidth=1.5)
curve.set_ylabel("output of the nominal device")
curve.grid(visible=False)
curve.spines["right"].set_visible(True)
used.set_title("Drives (blue), range (green), curve", loc="left")
outside = np.mean((drives < wafer.x[0]) | (drives > wafer.x[-1]))
print(f"pre-activations outside the range of the device: {outside:.1%}")
