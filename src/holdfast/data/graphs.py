"""Citation graphs: Cora, Citeseer and Cora-ML.

Two formats give the same :class:`Graph`: ``.npz`` without pickles, and the raw files ``ind.NAME.*`` of Planetoid (Z. Yang,
W. Cohen, R. Salakhutdinov, arXiv:1603.08861), which are pickles and go through the restricted reader. Their public split is 20
nodes per class for training, the next 500 for validation, 1000 for the test.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.core.checks import check_one_of, refuse
from holdfast.core.digest import digest_arrays
from holdfast.core.seeds import Seeds
from holdfast.data.download import obtain_set
from holdfast.data.pickles import load_arrays
from holdfast.data.records import check_records
from holdfast.data.room import check_regular

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

__all__ = ["GRAPHS", "Graph", "load_graph", "read_graph_npz", "read_planetoid"]

CLASS_NAMES = {
    "cora": (
        "Theory",
        "Reinforcement_Learning",
        "Genetic_Algorithms",
        "Neural_Networks",
        "Probabilistic_Methods",
        "Case_Based",
        "Rule_Learning",
    ),
    "citeseer": ("AI", "ML", "IR", "DB", "Agents", "HCI"),
}
GRAPHS = ("cora", "citeseer", "cora_ml")
"""Names that :func:`load_graph` takes."""
PARTS = {"y": np.ndarray, "tx": "csr", "ty": np.ndarray, "allx": "csr", "ally": np.ndarray, "graph": dict}
VALIDATION = 500
TEST = 1000
PER_CLASS = 20


@dataclass(frozen=True, eq=False)
class Graph:
    """An undirected graph whose nodes have features and, most of them, a label.

    Parameters
    ----------
    features : CSR matrix (n, f), float32
    edges : array (2, e), int64, each undirected edge once, smaller node first, no self-loops, in lexicographic order
    y : array (n,), int64, labels in ``0..classes-1``; -1: no label
    train, val, test : arrays of nodes, int64, disjoint
    name : for tables
    class_names : one name per class
    """

    features: csr_matrix
    edges: NDArray[np.int64]
    y: NDArray[np.int64]
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]
    name: str = "graph"
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = self.features.shape[0]
        if self.y.shape != (n,):
            refuse("y", f"has shape {self.y.shape}", allowed=f"one label for each of {n} nodes")
        nodes = {"edges": self.edges, "train": self.train, "val": self.val, "test": self.test}
        for name, array in nodes.items():
            if array.size and (array.min() < 0 or array.max() >= n):
                refuse(name, f"names nodes {array.min()} to {array.max()}", allowed=f"0 to {n - 1}")
        together = np.concatenate([self.train, self.val, self.test])
        if len(np.unique(together)) != len(together):
            refuse("train, val, test", "share nodes", allowed="disjoint sets")
        if (self.y[together] < 0).any():
            refuse("train, val, test", "hold nodes without a label", allowed="labelled nodes")
        if not self.class_names:
            object.__setattr__(self, "class_names", tuple(map(str, range(int(self.y.max()) + 1))))

    def __len__(self) -> int:
        """Number of nodes."""
        return int(self.features.shape[0])

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @cached_property
    def adjacency(self) -> csr_matrix:
        """Symmetric CSR matrix (n, n), float32, 1 for every edge in both directions, no self-loops."""
        from scipy.sparse import coo_matrix

        low, high = self.edges
        ones = np.ones(2 * len(low), np.float32)
        both = (np.concatenate([low, high]), np.concatenate([high, low]))
        return coo_matrix((ones, both), shape=(len(self), len(self))).tocsr()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of features, edges, labels and split."""
        features = self.features
        sparse = {"data": features.data, "indices": features.indices, "indptr": features.indptr}
        return digest_arrays({**sparse, "edges": self.edges, "y": self.y, "train": self.train, "val": self.val, "test": self.test})


def load_graph(name: str) -> Graph:
    """A published citation graph, from disk or else by a verified download.

    Parameters
    ----------
    name : one of :data:`GRAPHS`

    Raises
    ------
    InputError : an unknown name; a damaged file
    DataUnavailableError : the files are neither here nor to be had
    """
    places = obtain_set(check_one_of(name, "name", allowed=GRAPHS))
    if len(places) == 1:
        return read_graph_npz(places[0], name=name)
    return read_planetoid(places[0].parent, name)


def read_graph_npz(path: str | Path, *, name: str | None = None) -> Graph:
    """A graph from an ``.npz`` file; pickled objects inside are never loaded.

    Parameters
    ----------
    path : a file with ``x_data``, ``x_indices``, ``x_indptr``, ``x_shape`` (CSR), ``edges`` (2, e), ``y``, ``train``, ``val``,
        ``test``; or with ``attr_matrix.*``, ``adj_matrix.*`` (CSR) and ``labels``, as Cora-ML is published: edges then lose their
        direction, and a fixed split of 20 per class, 500 and 1000 nodes is drawn
    name : for tables; default: the file's name
    """
    path = Path(path)
    name = name or path.stem
    check_regular(path, parameter="path")
    if path.is_file():
        check_records(path)
    with np.load(path, allow_pickle=False) as archive:
        if "adj_matrix.data" in archive.files:
            return _from_citations(archive, name)
        missing = sorted({"x_data", "x_indices", "x_indptr", "x_shape", "edges", "y", "train", "val", "test"} - set(archive.files))
        if missing:
            refuse("path", f"leads to {path}, which lacks {', '.join(missing)}", allowed="the arrays of a graph")
        split = {part: archive[part].astype(np.int64) for part in ("train", "val", "test")}
        return Graph(
            _csr(archive, "x_"),
            _undirected(*archive["edges"]),
            archive["y"].astype(np.int64),
            **split,
            name=name,
            class_names=CLASS_NAMES.get(name, ()),
        )


def read_planetoid(folder: str | Path, name: str) -> Graph:
    """A graph from Planetoid's raw files ``ind.NAME.{x,y,tx,ty,allx,ally,graph,test.index}``.

    Test nodes are listed in their own order, and Citeseer leaves out some of the range they span: those nodes exist in the graph
    but have neither features nor label, so their row is zero, their label -1, and they are in no part of the split.

    Parameters
    ----------
    folder : where the files lie
    name : e.g. ``"cora"``

    Raises
    ------
    UnsafePickleError : a file asks for more than arrays
    """
    from scipy.sparse import csr_matrix, vstack

    root = Path(folder)
    parts = {part: _part(root / f"ind.{name}.{part}", kind) for part, kind in PARTS.items()}
    listed = np.loadtxt(root / f"ind.{name}.test.index", dtype=np.int64)
    known = parts["allx"].shape[0]
    n = max(len(parts["graph"]), int(listed.max()) + 1)
    rows = np.concatenate([np.arange(known), listed])
    place = csr_matrix((np.ones(len(rows), np.float32), (rows, np.arange(len(rows)))), shape=(n, len(rows)))
    features = (place @ vstack([parts["allx"], parts["tx"]])).tocsr().astype(np.float32)
    features.sort_indices()
    y = np.full(n, -1, np.int64)
    y[rows] = [_label(row) for row in np.concatenate([parts["ally"], parts["ty"]])]
    train = np.arange(len(parts["y"]))
    return Graph(
        features,
        _undirected(*_listed_edges(parts["graph"])),
        y,
        train=train,
        val=np.arange(len(train), len(train) + VALIDATION),
        test=np.sort(listed),
        name=name,
        class_names=CLASS_NAMES.get(name, ()),
    )


def _part(path: Path, kind: Any) -> Any:
    """One pickled part, of the kind that belongs there."""
    from scipy.sparse import csr_matrix

    content = load_arrays(path)
    if not isinstance(content, csr_matrix if kind == "csr" else kind):
        refuse("folder", f"has {path} with a {type(content).__name__}", allowed="the raw files of Planetoid")
    return content


def _label(one_hot: NDArray[Any]) -> int:
    return int(one_hot.argmax()) if one_hot.any() else -1


def _listed_edges(neighbours: dict[int, list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both ends of every listed edge of a mapping from nodes to their neighbours."""
    counts = [len(ends) for ends in neighbours.values()]
    low = np.repeat(np.fromiter(neighbours, np.int64, len(neighbours)), counts)
    return low, np.fromiter((end for ends in neighbours.values() for end in ends), np.int64, sum(counts))


def _undirected(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.int64]:
    """Edges (2, e) without direction, repetition or self-loops, in lexicographic order."""
    pairs = np.sort(np.stack([first, second]).astype(np.int64), axis=0)
    return np.unique(pairs[:, pairs[0] != pairs[1]], axis=1)


def _csr(archive: Any, prefix: str) -> csr_matrix:
    from scipy.sparse import csr_matrix as build

    data, indices, indptr, shape = (archive[prefix + part] for part in ("data", "indices", "indptr", "shape"))
    matrix = build((data.astype(np.float32), indices, indptr), shape=tuple(int(side) for side in shape))
    matrix.sort_indices()
    return matrix


def _from_citations(archive: Any, name: str) -> Graph:
    cited = _csr(archive, "adj_matrix.").tocoo()
    y = archive["labels"].astype(np.int64)
    split = _draw_split(y)
    names = tuple(map(str, archive["class_names"])) if _is_text(archive, "class_names") else ()
    return Graph(_csr(archive, "attr_matrix."), _undirected(cited.row, cited.col), y, **split, name=name, class_names=names)


def _is_text(archive: Any, key: str) -> bool:
    """True if `key` holds plain text; the published file of Cora-ML keeps Python objects there, which are left alone."""
    if key not in archive.files:
        return False
    try:
        return archive[key].dtype.kind == "U"
    except ValueError:
        return False


def _draw_split(y: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """20 nodes of each class, then 500, then 1000, drawn once and for all."""
    order = Seeds(0).numpy("graph split").permutation(len(y))
    train = np.sort(np.concatenate([order[y[order] == label][:PER_CLASS] for label in np.unique(y)]))
    rest = order[~np.isin(order, train)]
    return {"train": train, "val": np.sort(rest[:VALIDATION]), "test": np.sort(rest[VALIDATION : VALIDATION + TEST])}
