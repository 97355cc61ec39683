"""A seal proves who wrote something: only the same installation can make one, and only for the same content."""

import os
import stat
import subprocess
import sys

import pytest

from holdfast.core.seal import config_folder, fits_seal, seal


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A configuration folder of this test alone."""
    monkeypatch.setenv("HOLDFAST_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


def test_a_seal_fits_what_was_sealed_and_nothing_else(home):
    sealed = seal({"model": "mynet:make"}, [1, 2.5, None])
    assert fits_seal(sealed, {"model": "mynet:make"}, (1, 2.5, None))
    for other in ({"model": "os:system"}, [1, 2.5, None]), ({"model": "mynet:make"}, [1, 2.5]), ({"model": "mynet:make"},):
        assert not fits_seal(sealed, *other)
    for forged in (None, "", sealed[:-1], sealed[:-1] + "é", 7):
        assert not fits_seal(forged, {"model": "mynet:make"}, [1, 2.5, None])


def test_another_installation_has_another_key(home, tmp_path, monkeypatch):
    sealed = seal("start")
    monkeypatch.setenv("HOLDFAST_CONFIG", str(tmp_path / "other"))
    assert not fits_seal(sealed, "start")  # no key yet
    assert seal("start") != sealed
    assert not fits_seal(sealed, "start")


def test_the_key_is_for_its_user_alone_and_is_made_once(home):
    sealed = seal("start")
    key = home / "run.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert len(key.read_bytes()) == 32
    assert key.read_bytes().hex() not in sealed
    assert seal("start") == sealed
    assert {entry.name for entry in home.iterdir()} <= {"run.key", "run.key.lock"}


@pytest.mark.parametrize(
    "spoil", [lambda key: key.chmod(0o644), lambda key: key.write_bytes(b"short"), lambda key: key.write_bytes(b"")]
)
def test_a_key_that_others_may_know_proves_nothing_and_is_replaced(home, spoil):
    sealed = seal("start")
    spoil(home / "run.key")
    assert not fits_seal(sealed, "start")
    again = seal("start")
    assert again not in (None, sealed)
    assert fits_seal(again, "start")
    assert stat.S_IMODE((home / "run.key").stat().st_mode) == 0o600


def test_without_a_place_for_a_key_there_is_no_seal(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOLDFAST_CONFIG", str(tmp_path / "file"))
    assert seal("start") is None
    assert not fits_seal("", "start")


def test_the_folder_follows_the_system_and_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("HOLDFAST_CONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert config_folder() == tmp_path / ".config" / "holdfast"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert config_folder() == tmp_path / "xdg" / "holdfast"
    monkeypatch.setattr("sys.platform", "darwin")
    assert config_folder() == tmp_path / "Library" / "Application Support" / "holdfast"


def test_processes_that_begin_at_once_agree_on_one_key(home):
    code = "import sys; from holdfast.core.seal import seal; sys.stdin.readline(); print(seal('start'))"
    begun = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)
        for _ in range(6)
    ]
    for process in begun:
        process.stdin.write("go\n")
        process.stdin.flush()
    seals = {process.communicate()[0].strip() for process in begun}
    assert len(seals) == 1
    assert fits_seal(seals.pop(), "start")
