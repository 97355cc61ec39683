"""The command line: parsing only. Each command calls one public function of the package, and heavy imports wait until then."""

from holdfast.cli import data, device, knowledge, runs, studies
from holdfast.cli.app import app, main

__all__ = ["app", "data", "device", "knowledge", "main", "runs", "studies"]
