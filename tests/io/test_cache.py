"""What is kept on disk: found again, bounded, shared by processes, thrown away when in doubt; never a disaster."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from napari_kmos.errors import KmosWarning, WriteError
from napari_kmos.io import cache, temporary_beside
from napari_kmos.progress import Cancelled

MIB = 2**20
_NO_SOURCE = '{"source": 5, "source_bytes": 4, "source_mtime_ns": 1, "n_bytes": 100, "crc32": 0}'


@pytest.fixture
def source(tmp_path):
    """A file that something is made from."""
    return _source(tmp_path / "cube.fits")


def _source(path):
    path.write_bytes(b"cube")
    return path


def _identity(path):
    stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns, 1


def _keep(path, name="spectra.npy", *, size=100):
    return cache.find_or_make(_identity(path), name, size, lambda target: target.write_bytes(b"x" * size))


def _files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.parent.name != "locks")


def test_what_was_made_is_found_and_not_made_again(source):
    assert cache.find(_identity(source), "spectra.npy") is None
    made = _keep(source)
    assert cache.find(_identity(source), "spectra.npy") == made == _keep(source, size=7)
    assert made.read_bytes() == b"x" * 100
    assert cache.find(_identity(source), "white.npz") is None
    assert cache.find((*_identity(source)[:3], 2), "spectra.npy") is None


def test_a_changed_or_vanished_source_ends_it(source, tmp_path, cache_folder):
    before = _identity(source)
    _keep(source)
    other = _source(tmp_path / "other.fits")
    _keep(other)
    source.write_bytes(b"another cube")
    assert cache.find(before, "spectra.npy") is None
    assert cache.find(_identity(source), "spectra.npy") is None
    other.unlink()
    _keep(source)
    assert _files(cache_folder) == ["spectra.npy", "spectra.npy.stamp.json"]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"y" + data[1:], lambda data: data[:-1] + b"y"]
)
def test_a_damaged_file_is_thrown_away_and_made_again(source, damage):
    made = _keep(source)
    made.write_bytes(damage(made.read_bytes()))
    os.utime(made, ns=(1, 1))  # also where the clock is too coarse to tell
    with pytest.warns(KmosWarning, match="spectra.npy: thrown away, it is not as it was written"):
        assert cache.find(_identity(source), "spectra.npy") is None
    assert _keep(source).read_bytes() == b"x" * 100


@pytest.mark.parametrize("stamp", ["", "{", "[]", "{}", _NO_SOURCE])
def test_a_file_without_a_readable_stamp_is_not_believed(source, stamp):
    made = _keep(source)
    made.with_name(made.name + ".stamp.json").write_text(stamp)
    assert cache.find(_identity(source), "spectra.npy") is None
    assert _keep(source).stat().st_size == 100


def test_the_least_recently_used_go_first(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_KMOS_CACHE_GIB", str(3.1 / 1024))
    sources = [_source(tmp_path / f"{name}.fits") for name in "abcd"]
    for age, path in enumerate(sources[:3]):
        made = _keep(path, size=MIB)
        os.utime(made.with_name(made.name + ".stamp.json"), (age, age))
    assert cache.find(_identity(sources[0]), "spectra.npy") is not None  # used just now
    _keep(sources[3], size=MIB)
    kept = [path.stem for path in sources if cache.find(_identity(path), "spectra.npy") is not None]
    assert kept == ["a", "c", "d"]


def test_more_than_the_bound_is_refused(source, monkeypatch, cache_folder):
    monkeypatch.setenv("NAPARI_KMOS_CACHE_GIB", "0.5")
    with pytest.raises(
        WriteError, match=r"1.0 GiB do not fit, the cache is bounded to 0.5 GiB; set NAPARI_KMOS_CACHE_"
    ):
        cache.find_or_make(_identity(source), "spectra.npy", 2**30, lambda _: pytest.fail("must not be asked"))
    assert _files(cache_folder) == []
    monkeypatch.setenv("NAPARI_KMOS_CACHE_GIB", "much")
    with pytest.warns(KmosWarning, match="NAPARI_KMOS_CACHE_GIB=much: not a size in GiB; the cache is bounded to 20"):
        assert cache.cache_limit() == cache.cache_limit() == 20 * 2**30


def test_the_last_of_the_disk_is_left_to_others(source, tmp_path, monkeypatch, cache_folder):
    """Of a disk of 1 GiB with 5 % and 1 MiB free. For what cannot fit nothing goes; else what is kept goes first."""
    _keep(_source(tmp_path / "old.fits"))
    usage = shutil.disk_usage(tmp_path)
    nearly = type(usage)(total=2**30, used=0, free=int(0.05 * 2**30) + MIB)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: nearly)
    _keep(source, size=1000)
    for size, left in ((2 * MIB, 4), (MIB + 50, 0)):
        with pytest.raises(
            WriteError, match=r"0.0 GiB do not fit on the disk, 0.1 GiB are free; make room, or set NAPARI_"
        ):
            _keep(source, "white.npz", size=size)
        assert len(_files(cache_folder)) == left


def test_a_disk_that_is_full_while_writing_leaves_nothing(source, cache_folder):
    def write(path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(WriteError, match=r"cannot be written \(No space left on device\)"):
        cache.find_or_make(_identity(source), "spectra.npy", 100, write)
    assert _files(cache_folder) == []


def test_cancelling_leaves_nothing(source, cache_folder):
    def write(path):
        path.write_bytes(b"half")
        raise Cancelled

    with pytest.raises(Cancelled):
        cache.find_or_make(_identity(source), "spectra.npy", 100, write)
    assert _files(cache_folder) == []
    assert _keep(source).stat().st_size == 100


@pytest.mark.parametrize("wrong", ["a file", "not allowed"])
def test_a_folder_that_cannot_be_written_to_is_told_once(source, tmp_path, monkeypatch, wrong):
    """Everything works in a temporary folder of this process then."""
    folder = tmp_path / "kept"
    folder.write_text("not a folder")
    if wrong == "not allowed":
        folder = folder / "inside a file"  # root may write everywhere: permissions would not stop the test
    monkeypatch.setenv("NAPARI_KMOS_CACHE", str(folder))
    with pytest.warns(KmosWarning, match="nothing can be kept there .* lasts until the end of this process") as told:
        made = _keep(source)
    assert len(told) == 1
    assert cache.find(_identity(source), "spectra.npy") == made
    assert tmp_path not in made.parents


def _slow_maker(folder: str, source: str, log: str) -> None:
    os.environ["NAPARI_KMOS_CACHE"] = folder

    def write(path: Path) -> None:
        with Path(log).open("a") as stream:
            stream.write("made\n")
        time.sleep(0.5)
        path.write_bytes(b"x" * 100)

    cache.find_or_make(_identity(Path(source)), "spectra.npy", 100, write)


def test_of_two_processes_one_makes_it_and_the_other_waits(source, tmp_path, cache_folder):
    log = tmp_path / "log"
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=_slow_maker, args=(str(cache_folder), str(source), str(log))) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert log.read_text() == "made\n"
    assert cache.find(_identity(source), "spectra.npy").read_bytes() == b"x" * 100


def test_waiting_is_told_and_can_be_cancelled(source):
    started, go_on = threading.Event(), threading.Event()

    def write(path):
        started.set()
        go_on.wait(30)
        path.write_bytes(b"x")

    def cancel(_done, _total, text):
        assert text == "waiting for another process"
        raise Cancelled

    first = threading.Thread(target=cache.find_or_make, args=(_identity(source), "spectra.npy", 1, write))
    first.start()
    assert started.wait(30)
    with pytest.raises(Cancelled):
        cache.find_or_make(_identity(source), "spectra.npy", 1, write, progress=cancel)
    go_on.set()
    first.join(30)
    assert cache.find(_identity(source), "spectra.npy").read_bytes() == b"x"


def test_what_a_killed_process_left_goes(source, cache_folder):
    left = _keep(source).parent / temporary_beside(Path("spectra.npy"), pid=999999).name
    left.write_bytes(b"half")
    _keep(source, "white.npz")
    assert not left.exists()
