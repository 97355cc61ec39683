"""Files that claim more than a machine has, or never end: every reader stops at a limit that it states."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from holdfast.auditing.loading import load_data, load_target
from holdfast.auditing.loading.data import load_inputs
from holdfast.core.errors import DataUnavailableError, InputError
from holdfast.data import load_npz
from holdfast.data.catalogue import CATALOGUE
from holdfast.data.checksums import check_file
from holdfast.data.cifar import read_cifar10
from holdfast.data.folders import find
from holdfast.data.graphs import read_graph_npz
from holdfast.data.idx import read_idx

MOST = 2**28


def zip_bomb(path, *members, size=MOST + 1):
    """A small archive whose members unpack to `size` zeros each."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for member in members:
            with archive.open(member, "w", force_zip64=True) as stream:
                head = io.BytesIO()
                np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (size,)})
                stream.write(head.getvalue())
                for _ in range(size // 2**24):
                    stream.write(bytes(2**24))
                stream.write(bytes(size % 2**24))
    assert path.stat().st_size < size / 500
    return path


@pytest.fixture(scope="module")
def bomb(tmp_path_factory):
    return zip_bomb(tmp_path_factory.mktemp("bombs") / "bomb.npz", "x.npy")


def test_archives_made_to_fill_memory_are_refused_by_every_reader(bomb):
    message = rf"its \d+ bytes unpack to {MOST + 1 + 128}; allowed: {MOST} bytes, or 20 times the file"
    for read in (load_npz, load_data, load_inputs, read_graph_npz):
        with pytest.raises(InputError, match=message):
            read(str(bomb))
    with pytest.raises(InputError, match=r"`weights` is .* unpack to"):
        load_target(torch.nn.Linear(2, 2), weights=bomb)


def test_what_packs_well_but_is_small_passes(tmp_path):
    np.savez_compressed(tmp_path / "zeros.npz", x=np.zeros((20_000, 1, 28, 28), np.uint8), y=np.arange(20_000) % 10)
    assert load_data(str(tmp_path / "zeros.npz"), limit=10).total == 20_000


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("shape", [(2**31, 2**10, 2**10), (2**20, 2**11), (0,) * 40])
def test_an_idx_header_that_claims_too_much_is_refused(tmp_path, pack, shape):
    head = bytes([0, 0, 8, len(shape)]) + b"".join(side.to_bytes(4, "big") for side in shape)
    (tmp_path / "images").write_bytes(pack(head + bytes(1000)))
    with pytest.raises(InputError, match=r"states \d+ bytes; allowed: \d+ bytes at most|claims 40 dimensions; allowed: at most 32"):
        read_idx(tmp_path / "images")


PACK = {".tar": io.BytesIO, ".tar.gz": gzip.open, ".tar.bz2": bz2.open, ".tar.xz": lzma.open}


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME], ids=["data", "header", "name"])
@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.xz"])
def test_a_tar_file_that_unpacks_to_more_than_stated_stops_there(tmp_path, monkeypatch, suffix, kind):
    monkeypatch.setattr("holdfast.data.cifar.LARGEST", 2**25)
    monkeypatch.setattr("holdfast.data.cifar.MOST_BYTES", 2**22)
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    path = tmp_path / f"cifar-10-python{suffix}"
    with PACK[suffix](path, "wb") as stream, tarfile.open(fileobj=stream, mode="w|") as archive:
        entry = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        entry.size, entry.type = 2**24, kind
        archive.fileobj.write(entry.tobuf())
        archive.fileobj.write(bytes(2**24))
    with pytest.raises(InputError, match=r"unpacks to more than 4194304 bytes"):
        read_cifar10(path, "test")


def test_a_checksum_of_a_gzip_bomb_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.data.checksums.MOST_BYTES", 2**22)
    file = next(file for file in CATALOGUE["mnist"].variants[0] if file.content)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(2**24)))
    assert check_file(file, tmp_path / "bomb.gz") in {"damaged", "unknown"}


PIPES = {
    "data": "load_data('pipe.npz')",
    "data by address": "load_data('pipe.py:make')",
    "inputs": "load_inputs('pipe.npz')",
    "weights": "load_target(torch.nn.Linear(2, 2), weights='pipe.safetensors')",
    "a pickle": "load_target('pipe.pt')",
    "an exported program": "load_target('pipe.pt2')",
    "names": "load_data('digits', classes='pipe.txt')",
    "settings": "read_settings('pipe.toml')",
    "a report": "load('pipe.json')",
    "a graph": "read_graph_npz('pipe.npz')",
    "arrays": "load_arrays('pipe.pkl')",
    "idx": "read_idx('pipe')",
    "a tar file": "read_cifar10('pipe.tar', 'test')",
    "gates": "read_gates('pipe.toml')",
    "curves": "read_columns('pipe.csv')",
}
IMPORTS = """
import torch
from holdfast.auditing.loading import load_data, load_inputs, load_target
from holdfast.auditing.settings import read_settings
from holdfast.auditing.stored import read_gates
from holdfast.core.errors import HoldfastError
from holdfast.data import load_arrays
from holdfast.data.cifar import read_cifar10
from holdfast.data.graphs import read_graph_npz
from holdfast.data.idx import read_idx
from holdfast.devices.measured import read_columns
from holdfast.report.document import load
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes exist on POSIX systems")
def test_no_reader_opens_a_pipe(tmp_path):
    for name in ("", ".npz", ".py", ".safetensors", ".pt", ".pt2", ".txt", ".toml", ".json", ".pkl", ".tar", ".csv"):
        os.mkfifo(tmp_path / f"pipe{name}")
    tries = "".join(f"\ntry:\n    {call}\nexcept HoldfastError as error:\n    print({name!r})\n" for name, call in PIPES.items())
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS + tries], cwd=tmp_path, timeout=120, capture_output=True, text=True, check=False
    )
    assert done.stdout.split("\n")[:-1] == list(PIPES), done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes exist on POSIX systems")
def test_a_pipe_in_the_data_folder_is_no_data_file(tmp_path):
    [file, *_] = CATALOGUE["mnist"].variants[0]
    (tmp_path / file.path).parent.mkdir(parents=True)
    os.mkfifo(tmp_path / file.path)
    assert find(file, tmp_path) is None


def test_a_path_where_nothing_is_is_said_plainly(tmp_path):
    with pytest.raises((DataUnavailableError, InputError), match="no file"):
        load_npz(tmp_path / "absent.npz")
