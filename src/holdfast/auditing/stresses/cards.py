"""The sections of the report that the built-in stresses stand in, in their order."""

from __future__ import annotations

from holdfast.core.stress import Card

__all__ = ["ADVERSARIAL", "BUILT_IN_CARDS", "CLEAN", "DEVICE", "PRECISION", "SHIFT"]

CLEAN = Card(name="clean", title="Clean", text="The network on unchanged inputs, and its calibration.", graded_by="accuracy")
ADVERSARIAL = Card(
    name="adversarial",
    title="Adversarial",
    text="Accuracy on inputs that an attacker changes, each within a stated size or number of queries.",
)
PRECISION = Card(name="precision", title="Precision", text="Accuracy with fewer bits in weights or activations.")
DEVICE = Card(
    name="device", title="Devices", text="Accuracy of simulated chips whose weights or neurons vary from device to device."
)
SHIFT = Card(name="shift", title="Distribution shift", text="Accuracy on corrupted images and on images of another resolution.")
BUILT_IN_CARDS = (CLEAN, ADVERSARIAL, PRECISION, DEVICE, SHIFT)
