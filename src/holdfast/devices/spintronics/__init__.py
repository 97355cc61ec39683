"""Spintronics: macrospins, tunnel junctions, rectifiers, neurons and oscillators, with NumPy, SciPy and numba."""

from __future__ import annotations

from holdfast.devices.spintronics.constants import GAMMA, GAMMA0, MU0, oersted, spin_transfer_field, tesla, thermal_field

__all__ = ["GAMMA", "GAMMA0", "MU0", "oersted", "spin_transfer_field", "tesla", "thermal_field"]
