"""Who gets which rows: shards, Dirichlet, a few classes each, stratified and disjoint parts; and what two data sets share.

Every function returns row numbers, so that data are cut once, where they are used.
Sources: B. McMahan et al., "Communication-efficient learning of deep networks from decentralized data", arXiv:1602.05629 (shards);
T.-M. H. Hsu, H. Qi, M. Brown, "Measuring the effects of non-identical data distribution for federated visual classification",
arXiv:1909.06335 (Dirichlet).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from holdfast.core.checks import check_whole, check_within, refuse
from holdfast.core.seeds import Seeds
from holdfast.data.examples import Examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "classes_per_client",
    "dirichlet",
    "disjoint",
    "overlapping_blocks",
    "select_classes",
    "shards",
    "shared_rows",
    "stratified_parts",
]


def shards(y: ArrayLike, *, clients: int, per_client: int = 2, seed: int = 0) -> list[NDArray[np.int64]]:
    """Rows sorted by label, cut into ``clients * per_client`` shards, `per_client` random shards to each client.

    Parameters
    ----------
    y : integer array (n,)
    clients : number of clients, >= 1
    per_client : shards each; 1 is the extreme, 2 the custom
    seed : of the order within a class and of the deal

    Returns
    -------
    One sorted array of rows per client: disjoint, together all rows, sizes equal to within `per_client`.

    Examples
    --------
    >>> [rows.tolist() for rows in shards([0, 1, 0, 1], clients=2, per_client=1)]
    [[0, 2], [1, 3]]
    """
    labels = _labels(y)
    count = check_whole(clients, "clients", low=1) * check_whole(per_client, "per_client", low=1)
    if count > len(labels):
        refuse("clients", f"asks for {count} shards", allowed=f"at most one shard for each of {len(labels)} rows")
    generator = Seeds(seed).numpy("shards")
    mixed = generator.permutation(len(labels))
    pieces = np.array_split(mixed[np.argsort(labels[mixed], kind="stable")], count)
    dealt = generator.permutation(count).reshape(clients, per_client)
    return [np.sort(np.concatenate([pieces[piece] for piece in hand])) for hand in dealt]


def dirichlet(y: ArrayLike, *, clients: int, alpha: float, seed: int = 0, smallest: int = 1) -> list[NDArray[np.int64]]:
    r"""Each class is dealt to the clients in random shares.

    .. math:: p_c \sim \mathrm{Dir}(\alpha 1_K) \quad \text{for every class } c

    Small `alpha` gives a client few classes, large `alpha` equal shares of all.

    Parameters
    ----------
    y : integer array (n,)
    clients : number K of clients
    alpha : concentration, > 0
    seed : of the shares
    smallest : rows that every client must get; shares are drawn again, at most 1000 times, until all do

    Returns
    -------
    One sorted array of rows per client: disjoint, together all rows.

    Raises
    ------
    InputError : no draw gave every client `smallest` rows
    """
    labels = _labels(y)
    clients = check_whole(clients, "clients", low=1)
    check_within(alpha, "alpha", low=0, low_open=True)
    generator = Seeds(seed).numpy("dirichlet")
    groups = [generator.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]

    def draw() -> list[NDArray[np.int64]]:
        shares = generator.dirichlet(np.full(clients, alpha), size=len(groups))
        cuts = [np.round(np.cumsum(share)[:-1] * len(group)).astype(int) for share, group in zip(shares, groups, strict=True)]
        parts = [np.split(group, cut) for group, cut in zip(groups, cuts, strict=True)]
        return [np.sort(np.concatenate(hand)) for hand in zip(*parts, strict=True)]

    rows = next((rows for rows in (draw() for _ in range(1000)) if min(map(len, rows)) >= smallest), None)
    if rows is None:
        refuse(
            "alpha",
            f"is {alpha:g} for {clients} clients and {len(labels)} rows: no draw gave each {smallest} rows",
            allowed="a split in which every client has data",
            remedy="Raise alpha, or lower `clients` or `smallest`.",
        )
    return rows


def classes_per_client(y: ArrayLike, *, clients: int, classes: int, seed: int = 0) -> list[NDArray[np.int64]]:
    """Every client holds exactly `classes` classes; the rows of a class are shared equally by its holders.

    Classes are dealt in rounds of a random order, so the numbers of holders of two classes differ by at most one; a class
    without a holder is left out.

    Parameters
    ----------
    y : integer array (n,)
    clients : number of clients
    classes : classes each, at most the number of classes in `y`
    seed : of the deal

    Returns
    -------
    One sorted array of rows per client; disjoint.

    Raises
    ------
    InputError : more classes asked than there are, or a class with fewer rows than holders
    """
    labels = _labels(y)
    known = np.unique(labels)
    clients = check_whole(clients, "clients", low=1)
    classes = check_whole(classes, "classes", low=1, high=len(known))
    generator = Seeds(seed).numpy("classes per client")
    holders: dict[int, list[int]] = {int(label): [] for label in known}
    for client in generator.permutation(clients):
        fewest = sorted(holders, key=lambda label: (len(holders[label]), generator.random()))
        for label in fewest[:classes]:
            holders[label].append(int(client))
    hands: list[list[NDArray[np.int64]]] = [[] for _ in range(clients)]
    for label, owners in holders.items():
        rows = generator.permutation(np.flatnonzero(labels == label))
        if owners and len(rows) < len(owners):
            refuse("clients", f"gives class {label} to {len(owners)} clients", allowed=f"at most its {len(rows)} rows")
        for owner, part in zip(owners, np.array_split(rows, len(owners)) if owners else [], strict=True):
            hands[owner].append(part)
    return [np.sort(np.concatenate(hand)) for hand in hands]


def stratified_parts(y: ArrayLike, *, parts: int, seed: int = 0) -> list[NDArray[np.int64]]:
    """Disjoint parts, together all rows, each with its equal share of every class to within one row.

    Parameters
    ----------
    y : integer array (n,)
    parts : number of parts
    seed : of the deal
    """
    labels = _labels(y)
    parts = check_whole(parts, "parts", low=1, high=len(labels))
    generator = Seeds(seed).numpy("stratified parts")
    mixed = generator.permutation(len(labels))
    ordered = mixed[np.argsort(labels[mixed], kind="stable")]
    return [np.sort(ordered[part::parts]) for part in range(parts)]


def disjoint(n: int, sizes: Sequence[int], *, seed: int = 0) -> list[NDArray[np.int64]]:
    """Random disjoint sets of the given sizes out of ``n`` rows, e.g. of an owner, a thief and the public.

    Parameters
    ----------
    n : rows to choose from
    sizes : one size per set; together at most `n`
    seed : of the choice

    Examples
    --------
    >>> [len(rows) for rows in disjoint(10, [3, 4])]
    [3, 4]
    """
    wanted = [check_whole(size, "sizes", low=0) for size in sizes]
    if sum(wanted) > n:
        refuse("sizes", f"sum to {sum(wanted)}", allowed=f"at most {n} rows in all")
    order = Seeds(seed).numpy("disjoint").permutation(n)
    return [np.sort(part) for part in np.split(order, np.cumsum(wanted))[:-1]]


def overlapping_blocks(n: int, *, clients: int, overlap: float = 0.0, seed: int = 0) -> list[NDArray[np.int64]]:
    r"""Blocks of one length, each sharing the fraction `overlap` of its rows with the next one; together all rows.

    .. math:: \ell = \frac{n}{K - (K - 1)\,o}

    Parameters
    ----------
    n : rows (nodes)
    clients : number K of blocks
    overlap : fraction o in [0, 1)
    seed : of the order in which the rows are laid out
    """
    clients = check_whole(clients, "clients", low=1, high=n)
    check_within(overlap, "overlap", low=0, high=np.nextafter(1.0, 0.0))
    length = n / (clients - (clients - 1) * overlap)
    order = Seeds(seed).numpy("overlapping blocks").permutation(n)
    starts = [client * length * (1 - overlap) for client in range(clients)]
    return [np.sort(order[round(start) : round(start + length)]) for start in starts]


def select_classes(examples: Examples, classes: Sequence[int]) -> Examples:
    """The rows of some classes, with labels counted anew in the order given.

    Parameters
    ----------
    examples : from which to choose
    classes : distinct labels of `examples`

    Examples
    --------
    >>> import torch
    >>> part = select_classes(Examples(torch.zeros(4, 1), torch.tensor([0, 1, 2, 1])), [2, 1])
    >>> part.y.tolist(), part.class_names
    ([1, 0, 1], ('2', '1'))
    """
    chosen = [check_whole(label, "classes", low=0, high=examples.classes - 1) for label in classes]
    if len(set(chosen)) != len(chosen) or not chosen:
        refuse("classes", f"is {chosen}", allowed="distinct labels, at least one")
    anew = torch.full((examples.classes,), -1, device=examples.y.device)
    anew[chosen] = torch.arange(len(chosen), device=anew.device)
    labels = anew[examples.y]
    keep = labels >= 0
    names = tuple(examples.class_names[label] for label in chosen)
    return Examples(examples.x[keep], labels[keep], classes=len(chosen), name=examples.name, class_names=names)


def shared_rows(a: Any, b: Any) -> NDArray[np.int64]:
    """Rows that two sets share, bit for bit in the type that holds both, found by the SHA-256 of each row.

    Parameters
    ----------
    a, b : tensors or arrays (n, ...) and (m, ...) of one shape per row

    Returns
    -------
    array (k, 2): every pair of equal rows, the row of `a` first

    Examples
    --------
    >>> shared_rows(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[3.0, 4.0]])).tolist()
    [[1, 0]]
    """
    first, second = _rows(a), _rows(b)
    if first.shape[1:] != second.shape[1:]:
        refuse("b", f"has rows of shape {second.shape[1:]}", allowed=f"the row shape of `a`, {first.shape[1:]}")
    common = np.result_type(first, second)
    first, second = first.astype(common, copy=False), second.astype(common, copy=False)
    places: dict[bytes, list[int]] = {}
    for number, row in enumerate(second):
        places.setdefault(_key(row), []).append(number)
    pairs = [(number, other) for number, row in enumerate(first) for other in places.get(_key(row), [])]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _rows(array: Any) -> NDArray[Any]:
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)


def _key(row: NDArray[Any]) -> bytes:
    return hashlib.sha256(row.tobytes()).digest()


def _labels(y: Any) -> NDArray[np.int64]:
    labels = np.asarray(y.cpu() if hasattr(y, "cpu") else y)
    if labels.ndim != 1 or labels.size == 0 or labels.dtype.kind not in "iu":
        refuse("y", f"has shape {labels.shape} and dtype {labels.dtype}", allowed="one whole number per row, at least one row")
    return labels
