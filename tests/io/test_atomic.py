"""Outputs appear whole or not at all, whatever becomes of the disk, of the inputs, or of another process."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from factories import make_cube, make_exposure
from matplotlib.figure import Figure

from napari_kmos.calls import recorded
from napari_kmos.errors import NotKmosError, WriteError
from napari_kmos.io import (
    atomic_path,
    claimed,
    find_record,
    forget_record,
    is_as_recorded,
    temporary_beside,
    write_cube,
    write_exposure,
    write_figure,
    write_image,
    write_json,
    write_latex,
    write_record,
    write_table,
    write_text,
)
from napari_kmos.provenance import Step
from napari_kmos.spectral import collapse_mean

#: What every writer writes more than.
_MOST_BYTES = 500
_TABLE = Table({"name": ["a star with a long name"] * 200, "ra": np.arange(200.0)})


@contextmanager
def _bounded():
    """Let no file become larger than a little."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


WRITERS = {
    "cube.fits": lambda path: write_cube(make_cube(), path, overwrite=True),
    "exposure.fits": lambda path: write_exposure(make_exposure(), path, overwrite=True),
    "image.fits": lambda path: write_image(collapse_mean(make_cube()), path, overwrite=True),
    "table.ecsv": lambda path: write_table(_TABLE, path, overwrite=True),
    "table.tex": lambda path: write_latex(_TABLE, path, overwrite=True),
    "record.json": lambda path: write_json({"words": ["a", "b"] * 1000}, path, overwrite=True),
    "text.txt": lambda path: write_text("word " * 1000, path, overwrite=True),
    "figure.png": lambda path: write_figure(Figure(), path, overwrite=True),
    "figure.pdf": lambda path: write_figure(Figure(), path, overwrite=True),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("before", [None, "precious"])
def test_without_room_it_is_told_and_all_is_as_before(tmp_path, name, before):
    if before:
        (tmp_path / name).write_text(before)
    with _bounded(), pytest.raises(WriteError, match=rf"{name}: cannot be written \(.*"):
        WRITERS[name](tmp_path / name)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == ({name: before} if before else {})
    WRITERS[name](tmp_path / name)
    assert (tmp_path / name).stat().st_size > _MOST_BYTES


def test_a_folder_that_vanishes_is_told(tmp_path):
    folder = tmp_path / "out"

    def write():
        with atomic_path(folder / "cube.fits") as path:
            path.write_text("whole")
            folder.rename(tmp_path / "away")

    with pytest.raises(WriteError, match="its folder has vanished; when it is there again"):
        write()
    assert not folder.exists()
    with atomic_path(tmp_path / "away" / "cube.fits") as path:
        path.write_text("whole")
    left = [path for path in (tmp_path / "away").iterdir() if path.name != "cube.fits"]
    assert [path.name.startswith(".cube.") for path in left] == [True]  # of this process, which is still at work


def test_a_folder_that_was_made_for_nothing_is_removed(tmp_path):
    with suppress(ValueError), atomic_path(tmp_path / "out" / "cube.fits"):
        raise ValueError
    assert list(tmp_path.iterdir()) == []


@recorded()
def copy_first(files: list[Path], out_dir: Path, *, meanwhile):
    """Copy a file, more or less."""
    with atomic_path(out_dir / "copy.txt", overwrite=True) as path:
        path.write_text(files[0].read_text())
        meanwhile()


@pytest.mark.parametrize("how", ["written to", "vanished"])
def test_what_was_made_from_a_file_that_changes_is_not_written(tmp_path, how):
    """Its first half may be of one state and its second of another."""
    source, out = tmp_path / "source.txt", tmp_path / "out"
    source.write_text("one")
    change = source.unlink if how == "vanished" else lambda: source.write_text("another")
    with pytest.raises(NotKmosError, match=r"source\.txt: changed or vanished while it was read; copy\.txt is not"):
        copy_first([source], out, meanwhile=change)
    assert not out.exists()


def test_a_file_that_is_replaced_by_the_recipe_itself_is_no_input(tmp_path):
    (tmp_path / "copy.txt").write_text("one")
    copy_first([tmp_path / "copy.txt"], tmp_path, meanwhile=lambda: None)
    assert (tmp_path / "copy.txt").read_text() == "one"


def test_the_record_of_what_is_replaced_goes_first(tmp_path):
    """A kill between the two leaves a product that nothing is said of, not one of which another is told."""
    source, product = tmp_path / "in.txt", tmp_path / "copy.txt"
    source.write_text("one")
    product.write_text("zero")
    write_record(product, Step(name="copy", inputs=(source,), parameters={}, defaults={}))
    other = write_json({"step": "x", "inputs": [], "products": ["b.txt"]}, tmp_path / "b.json")
    copy_first([source], tmp_path, meanwhile=lambda: None)
    assert find_record(product) is None
    assert is_as_recorded(product)
    forget_record(tmp_path / "other.txt")
    assert other.exists()


def test_a_table_edited_by_hand_keeps_its_record(tmp_path):
    """No recipe is at work: what made it first still stands there."""
    product = write_text("one", tmp_path / "table.txt")
    write_record(product, Step(name="make", inputs=(), parameters={}, defaults={}))
    write_text("edited", product, overwrite=True)
    assert not is_as_recorded(product)


def test_another_process_at_the_same_file_is_told(tmp_path):
    """Of this computer or of another; one that is at another file is none of ours."""
    target = tmp_path / "cube.fits"
    theirs = temporary_beside(target, pid=os.getppid())
    theirs.touch()
    with pytest.raises(WriteError, match=rf"cube\.fits: another process \({os.getppid()}\) is at work on it"):
        write_text("mine", target)
    with atomic_path(tmp_path / "cube.txt") as path:
        path.write_text("mine")
    theirs = theirs.rename(tmp_path / f".cube.{os.getppid()}-01234567-abcdef01.part.fits")
    with pytest.raises(WriteError, match=r"of another computer\) is at work .*, or remove .*part\.fits if it was"):
        write_text("mine", target)
    theirs.unlink()
    assert write_text("mine", target).read_text() == "mine"


def test_the_next_writer_removes_what_killed_ones_left(tmp_path):
    """Not what belongs to another computer, whose processes nobody knows here."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    left = temporary_beside(tmp_path / "cube.fits", pid=gone.pid)
    left.write_text("half")
    far = tmp_path / f".image.{gone.pid}-01234567-abcdef01.part.fits"
    far.touch()
    with claimed(tmp_path / "other.txt"):
        assert not left.exists()
    assert list(tmp_path.iterdir()) == [far]
