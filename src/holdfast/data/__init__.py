"""Data sets: images, graphs, generated vowels, the user's own; where they lie, how they are fetched and checked."""

from holdfast.data.checksums import DataRow, FileCheck, list_data, verify
from holdfast.data.download import fetch
from holdfast.data.examples import Examples
from holdfast.data.formants import SEVEN_VOWELS, VOWELS, Formants, formants
from holdfast.data.graphs import GRAPHS, Graph, load_graph
from holdfast.data.image_folder import load_folder
from holdfast.data.images import BUNDLED, IMAGE_SETS, else_bundled, load_images
from holdfast.data.own import examples_from, load_npz
from holdfast.data.pickles import load_arrays
from holdfast.data.procedural import embed, half_moons, random_plane
from holdfast.data.selection import Selection, choose, choose_images, choose_published

__all__ = [
    "BUNDLED",
    "GRAPHS",
    "IMAGE_SETS",
    "SEVEN_VOWELS",
    "VOWELS",
    "DataRow",
    "Examples",
    "FileCheck",
    "Formants",
    "Graph",
    "Selection",
    "choose",
    "choose_images",
    "choose_published",
    "else_bundled",
    "embed",
    "examples_from",
    "fetch",
    "formants",
    "half_moons",
    "list_data",
    "load_arrays",
    "load_folder",
    "load_graph",
    "load_images",
    "load_npz",
    "random_plane",
    "verify",
]
