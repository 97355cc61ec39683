"""Citation graphs: both formats give the same graph, and it is the published one."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from holdfast.core.errors import InputError, UnsafePickleError
from holdfast.data import GRAPHS, Graph, load_graph
from holdfast.data.graphs import read_graph_npz, read_planetoid

# Sen et al., "Collective classification in network data", AI Magazine 29 (2008) 93: papers of each class of Cora and Citeseer.
CORA = {
    "Theory": 351,
    "Reinforcement_Learning": 217,
    "Genetic_Algorithms": 418,
    "Neural_Networks": 818,
    "Probabilistic_Methods": 426,
    "Case_Based": 298,
    "Rule_Learning": 180,
}
CITESEER = {"AI": 249, "ML": 590, "IR": 668, "DB": 701, "Agents": 596, "HCI": 508}


@pytest.fixture(scope="module")
def graphs(real_data):
    if not (real_data / "graphs").is_dir():
        pytest.skip("the graphs are not on this machine")
    return {name: load_graph(name) for name in GRAPHS}


@pytest.mark.parametrize("name", ["cora", "citeseer"])
def test_npz_and_planetoid_give_the_same_graph(real_data, graphs, name):
    raw = read_planetoid(real_data / "planetoid", name)
    packed = read_graph_npz(real_data / "graphs" / f"{name}.npz")
    assert (raw.features != packed.features).nnz == 0
    for part in ("edges", "y", "train", "val", "test"):
        np.testing.assert_array_equal(getattr(raw, part), getattr(packed, part), err_msg=part)
    assert raw.digest == packed.digest == graphs[name].digest


@pytest.mark.parametrize(
    ("name", "nodes", "edges", "features", "sizes"),
    [
        # Nodes, features and classes: Yang, Cohen, Salakhutdinov, arXiv:1603.08861, Table 1. Edges: unique undirected ones.
        ("cora", 2708, 5278, 1433, CORA),
        ("citeseer", 3327, 4552, 3703, CITESEER),
    ],
)
def test_published_sizes_hold(graphs, name, nodes, edges, features, sizes):
    graph = graphs[name]
    assert (len(graph), graph.edges.shape[1], graph.features.shape[1]) == (nodes, edges, features)
    assert dict(zip(graph.class_names, np.bincount(graph.y[graph.y >= 0]).tolist(), strict=True)) == sizes


def test_citeseers_nodes_without_features_and_label_are_never_scored(graphs):
    graph = graphs["citeseer"]
    bare = np.flatnonzero(graph.y < 0)
    assert len(bare) == 15
    assert graph.features[bare].nnz == 0
    assert not np.isin(bare, np.concatenate([graph.train, graph.val, graph.test])).any()
    degree = np.bincount(graph.edges.ravel(), minlength=len(graph))
    assert (degree == 0).sum() == 48
    assert degree[bare].min() == 1, "they are cited, though nothing else is known of them"


@pytest.mark.parametrize("name", GRAPHS)
def test_splits_have_20_labels_per_class_500_and_1000(graphs, name):
    graph = graphs[name]
    assert np.bincount(graph.y[graph.train]).tolist() == [20] * graph.classes
    assert (len(graph.val), len(graph.test)) == (500, 1000)


@pytest.mark.parametrize("name", GRAPHS)
def test_edges_stand_once_and_the_adjacency_is_symmetric(graphs, name):
    graph = graphs[name]
    low, high = graph.edges
    assert (low < high).all()
    assert len(np.unique(low * len(graph) + high)) == len(low)
    assert (graph.adjacency != graph.adjacency.T).nnz == 0
    assert graph.adjacency.diagonal().sum() == 0
    assert graph.adjacency.nnz == 2 * len(low)
    assert set(graph.adjacency.data) == {1.0}


def test_most_citations_of_cora_stay_within_a_class(graphs):
    # Edge homophily 0.81 of Cora: Zhu et al., "Beyond homophily in graph neural networks", arXiv:2006.11468, Table 5.
    graph = graphs["cora"]
    low, high = graph.edges
    assert np.mean(graph.y[low] == graph.y[high]) == pytest.approx(0.81, abs=0.005)


def write_planetoid(folder, neighbours, listed, **changed):
    """A graph of 4 known nodes (2 of them labelled for training) and the listed test nodes."""
    eye = np.eye(8, dtype=np.float32)
    parts = {
        "x": csr_matrix(eye[:2]),
        "y": np.eye(2, dtype=np.int32),
        "allx": csr_matrix(eye[:4]),
        "ally": np.eye(2, dtype=np.int32)[[0, 1, 1, 0]],
        "tx": csr_matrix(eye[4 : 4 + len(listed)]),
        "ty": np.eye(2, dtype=np.int32)[[1] * len(listed)],
        "graph": neighbours,
    }
    for part, content in {**parts, **changed}.items():
        (folder / f"ind.toy.{part}").write_bytes(pickle.dumps(content, protocol=2))
    (folder / "ind.toy.test.index").write_text("".join(f"{node}\n" for node in listed))


def test_test_nodes_are_put_where_their_list_says(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.data.graphs.VALIDATION", 1)
    write_planetoid(tmp_path, {0: [1, 1, 0], 1: [0], 6: [2], 2: [], 3: [], 4: [], 5: []}, listed=[6, 4])
    graph = read_planetoid(tmp_path, "toy")
    assert graph.edges.tolist() == [[0, 2], [1, 6]], "a self-loop and a repetition go, a one-sided entry stays"
    assert graph.y.tolist() == [0, 1, 1, 0, 1, -1, 1]
    assert graph.features.toarray().argmax(1)[[6, 4]].tolist() == [4, 5]
    assert graph.features[5].nnz == 0
    assert (graph.train.tolist(), graph.val.tolist(), graph.test.tolist()) == ([0, 1], [2], [4, 6])


def test_a_part_that_is_no_array_is_refused(tmp_path):
    write_planetoid(tmp_path, {0: []}, listed=[4], allx=print)
    with pytest.raises(UnsafePickleError, match="print"):
        read_planetoid(tmp_path, "toy")
    write_planetoid(tmp_path, [0, 1], listed=[4])
    with pytest.raises(InputError, match=r"ind\.toy\.graph with a list"):
        read_planetoid(tmp_path, "toy")


def test_objects_in_an_npz_are_left_alone(tmp_path):
    path = tmp_path / "cited.npz"
    eye = csr_matrix(np.eye(40, dtype=np.float32))
    arrays = {
        f"{kind}.{part}": getattr(eye, part) for kind in ("adj_matrix", "attr_matrix") for part in ("data", "indices", "indptr")
    }
    shapes = {f"{kind}.shape": np.array(eye.shape) for kind in ("adj_matrix", "attr_matrix")}
    np.savez(path, **arrays, **shapes, labels=np.arange(40) % 2, class_names=np.array([print, None], dtype=object))
    graph = read_graph_npz(path)
    assert graph.class_names == ("0", "1")
    assert graph.edges.shape == (2, 0), "self-citations are no edges"


def toy(**changed):
    parts = {
        "features": csr_matrix(np.eye(4, dtype=np.float32)),
        "edges": np.array([[0], [1]]),
        "y": np.array([0, 1, 0, -1]),
        "train": np.array([0]),
        "val": np.array([1]),
        "test": np.array([2]),
    }
    return Graph(**{**parts, **changed})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y": np.array([0, 1])}, "one label for each of 4 nodes"),
        ({"edges": np.array([[0], [4]])}, "`edges` names nodes 0 to 4"),
        ({"test": np.array([-1])}, "`test` names nodes -1"),
        ({"test": np.array([0])}, "share nodes"),
        ({"test": np.array([3])}, "without a label"),
    ],
)
def test_impossible_graphs_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        toy(**changed)


def test_the_digest_sees_every_part():
    assert toy().digest == toy().digest
    others = [toy(y=np.array([1, 1, 0, -1])), toy(edges=np.array([[0], [2]])), toy(train=np.array([], dtype=int))]
    assert len({toy().digest, *(graph.digest for graph in others)}) == 4


def test_an_npz_that_is_no_graph_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros(3))
    with pytest.raises(InputError, match="lacks edges, test"):
        read_graph_npz(tmp_path / "x.npz")
