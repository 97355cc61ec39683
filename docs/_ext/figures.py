"""Shows each figure that an example made: the package draws without pyplot, which is where Sphinx-Gallery would look."""

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

from holdfast.core.figures import save


def scrape_figures(block, block_vars, gallery_conf):
    """Save the figures that the last block bound to names, and give the text that shows them."""
    del block
    scope = block_vars["example_globals"]
    shown = scope.setdefault("_shown_figures", set())
    paths = []
    for value in list(scope.values()):
        if isinstance(value, Figure) and id(value) not in shown:
            shown.add(id(value))
            path = next(block_vars["image_path_iterator"])
            save(value, path)
            paths.append(path)
    return figure_rst(paths, gallery_conf["src_dir"])
