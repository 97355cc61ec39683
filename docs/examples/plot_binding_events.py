r"""
Events that oscillators bind
============================

Three spin-torque oscillators share a microwave current. Each event of a sequence sets the current, and so the frequency, of one
of them, and a sequence counts as recognised when all three synchronise.
A strong nonlinearity :math:`\nu` makes that robust: it widens the range over which two oscillators lock
:math:`\sqrt{1 + \nu^2}` times over.

The idea is that of arXiv:2001.08044; encoding, weights and learning rule are reconstructions, and the study
:mod:`holdfast.studies.oscillator_binding` measures them with their controls.
"""

import numpy as np

from holdfast.core.figures import INK, PALETTE, new_figure
from holdfast.devices.spintronics import (
    AutoOscillatorNetwork,
    SequenceBinder,
    all_to_all,
    locking_range,
    synchronization_map,
)
from holdfast.devices.spintronics.oscillators import (
    adiabatic_half_range,
    phase_advances,
    phase_diffusion,
    phase_noise_rate,
)

NU = float(AutoOscillatorNetwork().phase_amplitude_ratio[0])
BEST = np.arctan(NU)
MHZ = 1e6


def trio(strength, noise=0.0):
    """Three equal oscillators at twice their threshold, coupled at the best phase."""
    return AutoOscillatorNetwork(
        supercriticality=[2.0, 2.0, 2.0],
        coupling=all_to_all(3, strength, BEST),
        noise=noise,
    )


# %%
# Who locks with whom
# -------------------
#
# Two currents vary, the second one stays. Each colour is a partition: who runs at one common frequency with whom.

currents = np.linspace(1.4, 2.6, 61)
map_of_currents = synchronization_map(trio(2e5), {"i1": currents, "i3": currents})
map_figure = map_of_currents.plot()
print({name: f"{share:.3f}" for name, share in map_of_currents.fractions().items()})

# %%
# How far locking reaches
# -----------------------
#
# The range of frequency differences over which a pair locks grows with its coupling: an Arnold tongue.
# Lines are the adiabatic theory, dots are simulated.

strengths = np.array([0.05, 0.1, 0.2, 0.3]) * MHZ
tongue_figure, (axes,) = new_figure(size=(5.2, 3.4))
reach = np.linspace(0, 0.33, 2) * MHZ
for colour, nonlinearity, name in (
    (PALETTE[0], 60e6, f"ν = {NU:.2f}"),
    (PALETTE[1], 0.0, "ν = 0, Kuramoto"),
):
    phase = BEST if nonlinearity else 0.0
    pairs = [
        AutoOscillatorNetwork(
            supercriticality=[2.0, 2.0],
            nonlinearity=nonlinearity,
            coupling=all_to_all(2, strength, phase),
        )
        for strength in strengths
    ]
    ranges = [locking_range(pair, duration=20e-6, discard=10e-6) for pair in pairs]
    slope = float(adiabatic_half_range(pairs[-1])) / strengths[-1]
    axes.fill_betweenx(
        reach / MHZ,
        -slope * reach / MHZ,
        slope * reach / MHZ,
        color=colour,
        alpha=0.15,
        linewidth=0,
    )
    for side in (-1, 1):
        axes.plot(side * slope * reach / MHZ, reach / MHZ, color=colour, linewidth=1)
    ends = [[found.lower / MHZ, found.upper / MHZ] for found in ranges]
    axes.plot(np.ravel(ends), np.repeat(strengths / MHZ, 2), "o", color=colour, label=name)
    print(f"{name}: half-range {ranges[2].half_range / MHZ:.3f} MHz at 0.2 MHz")
axes.set(xlabel="frequency difference (MHz)", ylabel="coupling (MHz)", ylim=(0, 0.33))
axes.set_title("Arnold tongues of a pair", loc="left")
axes.legend(frameon=False, loc="lower left", fontsize=8)

# %%
# A sequence, event by event
# --------------------------
#
# The binder is trained for the sequence 0, 1, 2. Oscillators idle far away until their event comes.
# Fixed frequency mismatches of +0.4, -0.4 and 0 MHz make sure that coupling does the work.

binder = SequenceBinder(trio(1e5, noise=1e-4), mismatch=(0.4e6, -0.4e6, 0.0))
everything = binder.all_sequences()
target = (0, 1, 2)
is_target = (everything == target).all(axis=1)
binder.fit(everything, is_target.astype(int))

shown = [(0, 1, 2), (0, 2, 1)]
course = binder.events(shown, trace_every=20e-9)
bound = ("", "1 and 2 bound", "1 and 3 bound", "2 and 3 bound", "all bound")
events_figure, panels = new_figure(columns=2, size=(4.6, 3.4))
for panel, sequence in enumerate(shown):
    axes = panels[panel]
    for oscillator in range(3):
        smooth = np.convolve(
            course.frequency[0, panel, :, oscillator], np.ones(15) / 15, mode="same"
        )
        axes.plot(
            course.times[7:-7] * 1e6,
            smooth[7:-7] / MHZ,
            color=PALETTE[oscillator],
            linewidth=1,
            label=f"oscillator {oscillator + 1}",
        )
    for event, partition in enumerate(course.partition[0, panel]):
        begin, end = event * binder.hold * 1e6, (event + 1) * binder.hold * 1e6
        axes.axvline(begin, color=INK, linewidth=0.8, linestyle=":")
        axes.text(begin + 0.3, 37.5, f"event {sequence[event]}", fontsize=8)
        if partition:
            axes.axvspan(begin, end, color=PALETTE[2], alpha=0.15, linewidth=0)
            axes.text(begin + 0.3, 0.8, bound[partition], fontsize=8)
    axes.set(xlabel="time (µs)", ylabel="frequency (MHz)", ylim=(0, 40))
    axes.set_title(f"sequence {' '.join(map(str, sequence))}", loc="left")
panels[1].legend(frameon=False, fontsize=8, loc="center right", bbox_to_anchor=(1.0, 0.74))

# %%
# All 27 sequences
# ----------------
#
# Only the target binds all three. Synchronised oscillators add amplitudes, others add powers, so the emitted power tells too.

course = binder.events(everything)
colours = np.array(["#d9d9d9", "#56b4e9", "#e69f00", "#009e73", "#0072b2"])
names = ("none", "1 and 2", "1 and 3", "2 and 3", "all")
bars_figure, (axes,) = new_figure(size=(8.0, 3.2))
power = course.emitted[0, :, -1]
for place, name in enumerate(names):
    found = np.flatnonzero(course.partition[0, :, -1] == place)
    if len(found):
        axes.bar(found, power[found], color=colours[place], label=name, width=0.8)
axes.set_xticks(
    range(27), ["".join(map(str, sequence)) for sequence in everything], rotation=90
)
axes.set(xlabel="sequence", ylabel="power into one load (dimensionless)", ylim=(0, 3.6))
axes.set_title("Who is bound at the end, target 012", loc="left")
axes.legend(frameon=False, ncols=5, loc="upper right", title="bound")

# %%
# A bank of six groups
# --------------------
#
# One group of oscillators per sequence makes a classifier of several; here each of the 27 sequences is shown ten times.

targets = ["012", "201", "111", "002", "220", "102"]
labels = np.full(27, "none", dtype="U4")
for word in targets:
    labels[(everything == [int(event) for event in word]).all(axis=1)] = word
bank = SequenceBinder(
    trio(1e5, noise=1e-4), mismatch=(0.4e6, -0.4e6, 0.0), reject="none"
).fit(everything, labels)
answers = bank.predict(np.repeat(everything, 10, axis=0))
classes = ["none", *targets]
confusion = np.array(
    [
        [
            ((answers == answer) & (np.repeat(labels, 10) == truth)).sum()
            for answer in classes
        ]
        for truth in classes
    ]
)
confusion_figure, (axes,) = new_figure(size=(4.2, 3.8))
axes.imshow(confusion / confusion.sum(axis=1, keepdims=True), cmap="Blues", vmin=0, vmax=1)
for row, column in np.ndindex(*confusion.shape):
    if confusion[row, column]:
        shade = "white" if row == column else INK
        axes.text(
            column, row, confusion[row, column], ha="center", va="center", color=shade
        )
axes.set_xticks(range(7), classes)
axes.set_yticks(range(7), classes)
axes.grid(visible=False)
axes.set(xlabel="answer", ylabel="sequence shown")
axes.set_title("270 presentations", loc="left")

# %%
# Locking narrows the line
# ------------------------
#
# Noise makes the phase of an oscillator diffuse, and its spectral line is as wide as the rate of that diffusion.
# Two that lock share one phase and average their noise.

strengths = np.array([0, 0.003, 0.01, 0.03, 0.1, 0.3]) * MHZ
alone = float(phase_noise_rate(trio(0.0, noise=1e-4))[0])
widths = []
for strength in strengths:
    pair = AutoOscillatorNetwork(
        supercriticality=[2.0, 2.0], coupling=all_to_all(2, strength, BEST), noise=1e-4
    )
    widths.append(phase_diffusion(phase_advances(pair, runs=1500)[:, 0], 8e-6))
line_figure, (axes,) = new_figure()
at = np.maximum(strengths, 0.001 * MHZ) / MHZ
axes.errorbar(
    at,
    [width.value / alone for width in widths],
    yerr=np.array([[width.value - width.lo, width.hi - width.value] for width in widths]).T
    / alone,
    fmt="o-",
    color=PALETTE[0],
    capsize=3,
)
for level, name in ((1, "one alone, theory"), (0.5, "half of it")):
    axes.axhline(level, color=INK, linewidth=0.9, linestyle=":")
    axes.text(0.0012, level + 0.07, name, fontsize=8)
axes.set_xscale("log")
axes.set_xticks([0.001, 0.01, 0.1], ["0", "0.01", "0.1"])
axes.set(
    xlabel="coupling (MHz)", ylabel="line width over that of one alone", ylim=(0, 1.25)
)
axes.set_title("One of two oscillators", loc="left")

# %%
# Learning the biases
# -------------------
#
# From random biases a rule learns, presentation by presentation, which currents bind the target and nothing else.
# The lines show how far each learnt frequency of the target lies from that of oscillator 2: well inside the band all three bind.

learning_figure, (axes,) = new_figure(size=(5.2, 3.4))
number = np.array([-1.0, 0.0, 1.0])
half_range = float(adiabatic_half_range(trio(1e5))) / MHZ
axes.axhspan(-half_range, half_range, color=PALETTE[2], alpha=0.15, linewidth=0)
passes = []
for seed in range(5):
    learner = SequenceBinder(
        trio(1e5, noise=1e-4), mismatch=(0.4e6, -0.4e6, 0.0), learning="rule", seed=seed
    ).fit(everything, is_target.astype(int))
    path = number * learner.weights - learner.learned_.trajectory[0] + learner.mismatch
    for oscillator, style in ((0, "o-"), (2, "s--")):
        axes.plot(
            (path[:, oscillator] - path[:, 1]) / MHZ,
            style,
            color=PALETTE[seed],
            markersize=3,
            linewidth=1.1,
        )
    passes.append(len(learner.learned_.errors[0]))
axes.plot([], [], "o-", color=INK, markersize=3, label="oscillator 1 minus 2")
axes.plot([], [], "s--", color=INK, markersize=3, label="oscillator 3 minus 2")
axes.legend(frameon=False, fontsize=8)
axes.set(xlabel="corrections", ylabel="frequency difference (MHz)")
axes.set_title("Five seeds learn the target 012", loc="left")
print(f"passes through all sequences until no error is left: {passes}")
