"""Sphinx builds the documentation with ``make docs``; warnings are errors."""

import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the examples' networks are so small that threads only wait for each other

from holdfast import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
from figures import scrape_figures

warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"sphinx\..*|docutils\..*")

project = "holdfast"
author = "The holdfast developers"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "docstrings",
    "sphinx.ext.napoleon",  # after `docstrings`, which gives it the sections in its own form
    "generated",
    "mathml",
]
exclude_patterns = ["_build", "_ext", "examples", "**/.ipynb_checkpoints"]
templates_path = []
default_role = "code"
nitpicky = False  # `docstrings` reports every reference into holdfast that leads nowhere
suppress_warnings = [
    "config.cache",  # the scraper is a function and cannot be stored between builds
]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
myst_url_schemes = ["http", "https", "mailto"]

autodoc_default_options = {"members": True}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False
autosummary_generate = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "image_scrapers": (scrape_figures,),
    "capture_repr": ("_repr_html_",),
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "write_computation_times": False,
    "reset_modules": (),
    "abort_on_example_error": False,
    "plot_gallery": "True",
}

copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"holdfast {release}"
html_static_path = ["_static"]
html_css_files = ["house.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072b2", "color-brand-content": "#0072b2"},
    "dark_css_variables": {"color-brand-primary": "#56b4e9", "color-brand-content": "#56b4e9"},
}
html_show_sourcelink = False
html_copy_source = False
