"""The published data sets: their files, sizes, checksums, addresses and licences.

Nothing here does anything; :mod:`holdfast.data.folders` finds these files and :mod:`holdfast.data.download` fetches them.
Paths are relative to a data folder; the layout of torchvision is accepted beside our own.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.core.checks import check_one_of

__all__ = ["CATALOGUE", "Archive", "DataFile", "DataSet", "data_set"]


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A ZIP file that is fetched only for the sake of a few of its members.

    Parameters
    ----------
    urls : addresses of the same bytes, tried in this order
    bytes : its size
    checksum : ``"md5:..."`` or ``"sha256:..."`` of the whole
    """

    urls: tuple[str, ...]
    bytes: int
    checksum: str


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file of a data set.

    Parameters
    ----------
    path : where it lies inside a data folder, with ``/``
    bytes : size as published
    sha256 : of the published file; empty if only the content is known
    content : SHA-256 of what is left after gzip is undone; empty if the file is not compressed
    urls : addresses of the same bytes, tried in this order; empty if it cannot be fetched alone
    archive, member : where it comes from if it is published inside an archive
    also : other paths at which the same content may lie, packed or unpacked
    repacked : SHA-256 of known files with the same content in another wrapping
    strict : False if a file with another checksum may be just as good
    """

    path: str
    bytes: int
    sha256: str = ""
    content: str = ""
    urls: tuple[str, ...] = ()
    archive: Archive | None = None
    member: str = ""
    also: tuple[str, ...] = ()
    repacked: tuple[str, ...] = ()
    strict: bool = True

    @property
    def is_fetchable(self) -> bool:
        """True if it is published."""
        return bool(self.urls) or self.archive is not None


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A named data set.

    Parameters
    ----------
    name : as the user types it
    what : one line for tables
    splits : the parts that can be loaded
    licence : of the data
    variants : alternative lists of files; one complete list is enough, the first fetchable one is fetched
    """

    name: str
    what: str
    splits: tuple[str, ...]
    licence: str
    variants: tuple[tuple[DataFile, ...], ...] = ()


def _idx_files(folder: str, torchvision: str, mirrors: tuple[str, ...], table: str) -> tuple[DataFile, ...]:
    """The files of a data set in IDX format, from a table of name, bytes, SHA-256 of the file and of its content."""
    files = []
    for row in table.split("\n"):
        name, size, sha256, content = row.split()
        plain = name.removesuffix(".gz")
        files.append(
            DataFile(
                path=f"{folder}/{name}",
                bytes=int(size),
                sha256=sha256,
                content=content,
                urls=tuple(mirror + name for mirror in mirrors),
                also=(f"{folder}/{plain}", f"{torchvision}/raw/{name}", f"{torchvision}/raw/{plain}"),
            )
        )
    return tuple(files)


MNIST = _idx_files(
    "mnist",
    "MNIST",
    ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    """\
train-images-idx3-ubyte.gz 9912422 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609 \
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
train-labels-idx1-ubyte.gz 28881 3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c \
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
t10k-images-idx3-ubyte.gz 1648877 8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6 \
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
t10k-labels-idx1-ubyte.gz 4542 f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6 \
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2""",
)

FASHION_MNIST = _idx_files(
    "fashion-mnist",
    "FashionMNIST",
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    """\
train-images-idx3-ubyte.gz 26421880 3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84 \
c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888
train-labels-idx1-ubyte.gz 29515 a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845 \
bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9
t10k-images-idx3-ubyte.gz 4422102 346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073 \
5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b
t10k-labels-idx1-ubyte.gz 5148 67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5 \
0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34""",
)

CIFAR10 = DataFile(
    path="cifar10/cifar-10-python.tar.gz",
    bytes=170498071,
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    urls=("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
    also=(
        "cifar10/cifar-10-python.tar.xz",
        "cifar10/cifar-10-batches-py",
        "cifar-10-python.tar.gz",
        "cifar-10-python.tar.xz",
        "cifar-10-batches-py",
    ),
    repacked=("46b97359ac61998a9798867c735abc2018dd1885642c7ad90c120806165486a7",),
    strict=False,
)

EMNIST_ARCHIVE = Archive(
    urls=("https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",),
    bytes=561753746,
    checksum="md5:58c8d27c78d21e728a6bc7b3cc06412e",
)


def _emnist_file(name: str, size: int, content: str) -> DataFile:
    plain = name.removesuffix(".gz")
    return DataFile(
        path=f"emnist/{name}",
        bytes=size,
        content=content,
        archive=EMNIST_ARCHIVE,
        member=f"gzip/{name}",
        also=(f"emnist/{plain}", f"EMNIST/raw/{name}", f"EMNIST/raw/{plain}"),
    )


EMNIST_LETTERS = (
    _emnist_file(
        "emnist-letters-test-images-idx3-ubyte.gz",
        5039119,
        "d5895e82d14765b22a84342337bc5c25f1affd61cc97d3821d4e65504bbf8dbc",
    ),
    _emnist_file(
        "emnist-letters-test-labels-idx1-ubyte.gz",
        144,
        "22dbcde0a929a7f166bdac863b9195b2994d840a1e082f8f6daaeac5606376a6",
    ),
)


def _planetoid_files(name: str, table: str) -> tuple[DataFile, ...]:
    """The eight files of a Planetoid graph, from a table of part, bytes and SHA-256."""
    rows = [row.split() for row in table.strip().split("\n")]
    return tuple(
        DataFile(
            path=f"planetoid/ind.{name}.{part}",
            bytes=int(size),
            sha256=sha256,
            urls=(
                f"https://raw.githubusercontent.com/kimiyoung/planetoid/master/data/ind.{name}.{part}",
                f"https://github.com/kimiyoung/planetoid/raw/master/data/ind.{name}.{part}",
            ),
            also=(f"{name.capitalize()}/raw/ind.{name}.{part}",),
        )
        for part, size, sha256 in rows
    )


def _graph_file(name: str, size: int, sha256: str) -> DataFile:
    return DataFile(path=f"graphs/{name}.npz", bytes=size, sha256=sha256)


CORA_PLANETOID = _planetoid_files(
    "cora",
    """
x 22119 23cfa55d91c6f624233f5eb7b6e3f141f1bd2b2ae39608a63cf5d084bb27baab
y 4054 94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1
tx 148025 b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a
ty 28135 41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad
allx 257305 9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543
ally 47959 2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71
graph 59847 58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d
test.index 5000 297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875
""",
)

CITESEER_PLANETOID = _planetoid_files(
    "citeseer",
    """
x 31087 d20de19150741e555de0ed037195630fc194114ebc7fd72ced62810148aa22f6
y 3014 8ba87e515d8e3ee3cf52f6d2c5b86aa73f11ecad825a808455209ec26cd54924
tx 260321 539a8906a2da97628d212f2fdd668c109a8b3f0d36574b59e5d3fd5b5303da21
ty 24135 55e5bd1ba1e733a04598753ad1a8d57957f4b8f89e74519f41f4f4938767e4ce
allx 595021 2ac30345d95c9ec933a817ee0bdd6a5f077f8c184a20e696910192d534414668
ally 55623 f704b2d986dde6c2669934de1f3ae5696a6cf9455c0f6b2646a2d135ea0a1c95
graph 61987 d79a4ef9d3e7169aee8946145f6b7306e35bc79bffad26346cfb94e10e9912a7
test.index 5000 2af990671580b6b2df5d158d1038f8292e30c9cd821b5453f399659b25b723d4
""",
)

CORA_ML = DataFile(
    path="graphs/cora_ml.npz",
    bytes=1622234,
    sha256="e3439bfd32c4a962d5c56a4f313793baee39181c208c90a3915b61183d3e1cda",
    urls=(
        "https://raw.githubusercontent.com/gasteigerjo/ppnp/master/ppnp/data/cora_ml.npz",
        "https://github.com/gasteigerjo/ppnp/raw/master/ppnp/data/cora_ml.npz",
    ),
    repacked=("9640db3ce43bb08bd60eacc0ef7d820962d51fbfd3ef7746154b5b9a329b85bb",),  # without its object arrays
)

BOTH = ("train", "test")
GRAPH = ("train", "val", "test")

CATALOGUE: dict[str, DataSet] = {
    entry.name: entry
    for entry in (
        DataSet(
            name="digits",
            what="1797 handwritten digits, 8x8, part of scikit-learn",
            splits=BOTH,
            licence="CC BY 4.0 (UCI; Alpaydin, Kaynak 1998)",
        ),
        DataSet(
            name="mnist",
            what="70000 handwritten digits, 28x28, 10 classes",
            splits=BOTH,
            licence="CC BY-SA 3.0 (LeCun, Cortes, Burges)",
            variants=(MNIST,),
        ),
        DataSet(
            name="fashion-mnist",
            what="70000 articles of clothing, 28x28, 10 classes",
            splits=BOTH,
            licence="MIT (Zalando SE)",
            variants=(FASHION_MNIST,),
        ),
        DataSet(
            name="emnist-letters",
            what="20800 handwritten letters, 28x28, 26 classes",
            splits=("test",),
            licence="public domain (NIST; Cohen et al., arXiv:1702.05373)",
            variants=(EMNIST_LETTERS,),
        ),
        DataSet(
            name="cifar10",
            what="60000 colour photographs, 32x32, 10 classes",
            splits=BOTH,
            licence="none stated; free for research (Krizhevsky 2009)",
            variants=((CIFAR10,),),
        ),
        DataSet(
            name="cora",
            what="citation graph, 2708 papers, 7 classes",
            splits=GRAPH,
            licence="MIT (kimiyoung/planetoid)",
            variants=(
                (_graph_file("cora", 102161, "0829eaa52aa4a7efe5fecfd630bfe1390ee2c15580b328e81c8c8d7720042fe6"),),
                CORA_PLANETOID,
            ),
        ),
        DataSet(
            name="citeseer",
            what="citation graph, 3327 papers, 6 classes",
            splits=GRAPH,
            licence="MIT (kimiyoung/planetoid)",
            variants=(
                (_graph_file("citeseer", 203612, "7a380b7cc01f35a80c667d93026b9b193260103a77f0a43481d580e5a41c3650"),),
                CITESEER_PLANETOID,
            ),
        ),
        DataSet(
            name="cora_ml",
            what="citation graph, 2995 papers, 7 classes",
            splits=GRAPH,
            licence="MIT (gasteigerjo/ppnp)",
            variants=((CORA_ML,),),
        ),
    )
}
"""Every data set that can be loaded by name."""


def data_set(name: str) -> DataSet:
    """The catalogue's entry `name`; an unknown name is refused with the nearest known one."""
    return CATALOGUE[check_one_of(name, "name", allowed=CATALOGUE)]
