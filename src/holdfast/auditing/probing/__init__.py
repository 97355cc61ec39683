"""The first seconds with a network: is it what its user takes it for, and what do its passes cost."""

from holdfast.auditing.probing.probe import Probe, probe

__all__ = ["Probe", "probe"]
