"""The user's network and data, whatever form they come in, as a target and examples; nothing the user owns is changed."""

from holdfast.auditing.loading.data import load_data, load_inputs
from holdfast.auditing.loading.target import LoadedTarget, load_target

__all__ = ["LoadedTarget", "load_data", "load_inputs", "load_target"]
