"""Data sets: images, graphs, the user's own; where they lie, how they are fetched and checked."""

from holdfast.data.examples import Examples
from holdfast.data.files import load_folder
from holdfast.data.images import IMAGE_SETS, load_images
from holdfast.data.own import examples_from, load_npz

__all__ = ["IMAGE_SETS", "Examples", "examples_from", "load_folder", "load_images", "load_npz"]
