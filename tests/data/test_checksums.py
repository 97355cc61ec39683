"""The table of data sets and their verification tell the truth about the files on this machine."""

import gzip
import shutil

import pytest

from holdfast.data import list_data, verify
from holdfast.data.catalogue import CATALOGUE

LABELS = "mnist/t10k-labels-idx1-ubyte.gz"


def status_of(name, part):
    [check] = [check for check in verify(name) if part in check.file]
    return check.status


@pytest.fixture
def copied(empty_home, real_data):
    """A copy of one real file, the only one on this machine."""
    place = empty_home / LABELS
    place.parent.mkdir(parents=True)
    shutil.copyfile(real_data / LABELS, place)
    return place


def test_the_real_files_have_the_published_checksums(real_data):
    checks = [check for check in verify() if check.status != "missing"]
    assert {check.name for check in checks} >= {"mnist"}
    assert {check.status for check in checks if check.name != "cifar10"} == {"ok"}


def test_only_digits_are_present_on_an_empty_machine(empty_home):
    assert [row.name for row in list_data() if row.present] == ["digits"]
    assert {check.status for check in verify()} == {"missing"}
    assert not empty_home.exists()


def test_published_sizes_are_shown_for_what_is_absent(empty_home):
    sizes = {row.name: row.bytes for row in list_data()}
    assert sizes["mnist"] == 9912422 + 28881 + 1648877 + 4542  # LeCun's page lists the four files with these sizes
    assert sizes["cifar10"] == 170498071  # Content-Length of the published archive


def test_a_lone_file_is_sound_while_its_companions_are_missing(copied):
    assert status_of("mnist", "t10k-labels") == "ok"
    assert status_of("mnist", "t10k-images") == "missing"
    assert not next(row for row in list_data() if row.name == "mnist").present


@pytest.mark.parametrize("damage", ["truncated", "one byte", "empty"])
def test_damage_is_found(copied, damage):
    content = copied.read_bytes()
    broken = {"truncated": content[:-100], "one byte": content[:2000] + b"!" + content[2001:], "empty": b""}[damage]
    copied.write_bytes(broken)
    assert status_of("mnist", "t10k-labels") == "damaged"


def test_the_same_content_in_another_wrapping_is_sound(copied):
    content = gzip.decompress(copied.read_bytes())
    copied.write_bytes(gzip.compress(content, compresslevel=1))
    assert status_of("mnist", "t10k-labels") == "ok"
    copied.rename(copied.with_name("elsewhere"))
    copied.with_suffix("").write_bytes(content)
    assert status_of("mnist", "t10k-labels") == "ok"


def test_the_layout_of_torchvision_is_found(copied, empty_home):
    raw = empty_home / "MNIST" / "raw"
    raw.mkdir(parents=True)
    copied.rename(raw / copied.name)
    assert status_of("mnist", "t10k-labels") == "ok"


def test_another_cifar_archive_is_unknown_rather_than_damaged(empty_home):
    place = empty_home / "cifar10" / "cifar-10-python.tar.gz"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"packed by somebody else")
    assert status_of("cifar10", "cifar") == "unknown"


def test_every_entry_can_be_fetched_in_at_least_one_form():
    for entry in CATALOGUE.values():
        assert not entry.variants or any(all(file.is_fetchable for file in files) for files in entry.variants), entry.name
