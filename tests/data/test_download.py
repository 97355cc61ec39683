"""A download ends with the right bytes under the final name, or with nothing and a sentence that says what to do."""

import gzip
import hashlib
import io
import zipfile

import pytest

from holdfast.core.errors import DataUnavailableError, InputError
from holdfast.data import fetch
from holdfast.data.catalogue import CATALOGUE, Archive, DataFile, DataSet
from holdfast.data.download import obtain

CONTENT = bytes(range(256)) * 400


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def toy_file(*urls, content=CONTENT):
    return DataFile(path="toy/numbers.bin", bytes=len(content), sha256=sha256(content), urls=urls)


def everything_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


@pytest.fixture
def toy(monkeypatch):
    """Publish a data set under the name ``toy``."""

    def publish(*variants):
        monkeypatch.setitem(CATALOGUE, "toy", DataSet(name="toy", what="", splits=(), licence="", variants=variants))

    return publish


def test_a_good_file_arrives_whole_and_is_not_fetched_twice(empty_home, server):
    server.files["good"] = CONTENT
    file = toy_file(server.url("good"))
    place = obtain(file, progress=False)
    assert place == empty_home / "toy" / "numbers.bin"
    assert place.read_bytes() == CONTENT
    assert place.stat().st_mode & 0o777 == 0o644, "colleagues may read a shared data folder"
    assert obtain(file, progress=False) == place
    assert server.asked["good"] == 1
    assert everything_below(empty_home) == [place]


@pytest.mark.parametrize("trouble", ["wrong bytes", "broken in the middle", "not found"])
def test_trouble_leaves_nothing_behind_and_the_next_try_succeeds(empty_home, server, trouble):
    server.files["file"] = CONTENT
    if trouble == "wrong bytes":
        server.files["file"] = CONTENT[:-1] + b"?"
    elif trouble == "broken in the middle":
        server.broken.add("file")
    else:
        del server.files["file"]
    file = toy_file(server.url("file"))
    with pytest.raises(DataUnavailableError) as refusal:
        obtain(file, progress=False)
    assert everything_below(empty_home) == []
    message = str(refusal.value)
    assert server.url("file") in message
    assert f"at {empty_home / 'toy' / 'numbers.bin'}" in message
    assert "102400 bytes" in message
    server.files["file"] = CONTENT
    server.broken.clear()
    assert obtain(file, progress=False).read_bytes() == CONTENT


def test_mirrors_are_tried_in_order_until_one_gives_the_right_bytes(empty_home, server):
    server.files.update({"broken": CONTENT, "wrong": b"something else", "good": CONTENT, "spare": CONTENT})
    server.broken.add("broken")
    names = ["gone", "broken", "wrong", "good", "spare"]
    place = obtain(toy_file(*map(server.url, names)), progress=False)
    assert place.read_bytes() == CONTENT
    assert [server.asked[name] for name in names] == [1, 1, 1, 1, 0]
    assert everything_below(empty_home) == [place]


def test_offline_nothing_is_asked_and_the_message_says_where_the_file_belongs(empty_home, server, monkeypatch):
    monkeypatch.setenv("HOLDFAST_OFFLINE", "1")
    server.files["good"] = CONTENT
    with pytest.raises(DataUnavailableError, match=r"HOLDFAST_OFFLINE.*Put it \(http://127.*numbers.bin, or set HOLDFAST_DATA"):
        obtain(toy_file(server.url("good")), progress=False)
    assert not server.asked
    assert not empty_home.exists()


def test_a_refused_connection_is_reported_with_its_address(empty_home, online):
    with pytest.raises(DataUnavailableError, match=r"http://127\.0\.0\.1:9/x"):
        obtain(toy_file("http://127.0.0.1:9/x"), progress=False)


def test_the_progress_bar_ends_at_the_size_of_the_file(empty_home, server, capsys):
    server.files["good"] = CONTENT
    obtain(toy_file(server.url("good")))
    captured = capsys.readouterr()
    assert "102.4/102.4 kB" in captured.err
    assert captured.out == ""


def test_fetch_replaces_a_damaged_file_and_keeps_sound_ones(empty_home, server, toy):
    other = b"second file"
    server.files.update({"good": CONTENT, "other": other})
    toy(
        (
            toy_file(server.url("good")),
            DataFile(path="toy/other.bin", bytes=11, sha256=sha256(other), urls=(server.url("other"),)),
        )
    )
    first, second = fetch("toy", progress=False)
    first.write_bytes(b"damaged")
    assert fetch("toy", progress=False) == [first, second]
    assert first.read_bytes() == CONTENT
    assert (server.asked["good"], server.asked["other"]) == (2, 1)


def test_a_damaged_file_that_would_hide_the_download_is_named(empty_home, server, toy, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path / "mine"))
    hiding = tmp_path / "mine" / "torchvision" / "numbers.bin"
    hiding.parent.mkdir(parents=True)
    hiding.write_bytes(b"damaged")
    toy(
        (
            DataFile(
                path="toy/numbers.bin",
                bytes=1,
                sha256=sha256(CONTENT),
                urls=(server.url("x"),),
                also=("torchvision/numbers.bin",),
            ),
        )
    )
    with pytest.raises(InputError, match=r"damaged .*torchvision/numbers\.bin.*Delete it"):
        fetch("toy", progress=False)
    assert hiding.read_bytes() == b"damaged"


def test_fetch_into_a_folder_of_choice_does_not_look_elsewhere(empty_home, server, toy, tmp_path):
    server.files["good"] = CONTENT
    toy((toy_file(server.url("good")),))
    fetch("toy", progress=False)
    [place] = fetch("toy", folder=tmp_path / "usb", progress=False)
    assert place == tmp_path / "usb" / "toy" / "numbers.bin"
    assert place.read_bytes() == CONTENT


def test_a_complete_form_on_disk_is_preferred_to_a_download_of_another(empty_home, server, toy):
    place = empty_home / "toy" / "packed.npz"
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    packed = DataFile(path="toy/packed.npz", bytes=len(CONTENT), sha256=sha256(CONTENT))
    toy((packed,), (toy_file(server.url("good")),))
    assert fetch("toy", progress=False) == [place]
    assert not server.asked


def test_members_of_an_archive_come_out_of_one_download_and_the_archive_goes(empty_home, server, toy):
    plain = {"a": b"alpha" * 100, "b": b"beta" * 100}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in plain.items():
            archive.writestr(f"gzip/{name}.gz", gzip.compress(content))
    server.files["all.zip"] = packed.getvalue()
    source = Archive(urls=(server.url("all.zip"),), bytes=1, checksum=f"sha256:{sha256(packed.getvalue())}")
    files = tuple(
        DataFile(path=f"toy/{name}.gz", bytes=1, content=sha256(content), archive=source, member=f"gzip/{name}.gz")
        for name, content in plain.items()
    )
    toy(files)
    places = fetch("toy", progress=False)
    assert [gzip.decompress(place.read_bytes()) for place in places] == list(plain.values())
    assert server.asked["all.zip"] == 1
    assert sorted(everything_below(empty_home)) == sorted(places)


def test_a_member_with_other_content_is_refused(empty_home, server, toy):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.gz", gzip.compress(b"forged"))
    server.files["all.zip"] = packed.getvalue()
    source = Archive(urls=(server.url("all.zip"),), bytes=1, checksum=f"sha256:{sha256(packed.getvalue())}")
    toy((DataFile(path="toy/a.gz", bytes=1, content=sha256(b"genuine"), archive=source, member="a.gz"),))
    with pytest.raises(DataUnavailableError, match="another content"):
        fetch("toy", progress=False)
    assert everything_below(empty_home) == []


def test_bundled_data_need_no_files():
    assert fetch("digits") == []


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(InputError, match="Did you mean 'mnist'"):
        fetch("minst")
