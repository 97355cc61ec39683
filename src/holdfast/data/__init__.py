"""Data sets: images, graphs, the user's own; where they lie, how they are fetched and checked."""

from holdfast.data.examples import Examples

__all__ = ["Examples"]
