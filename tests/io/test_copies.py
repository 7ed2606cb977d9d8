"""Spectra read from the file and from their copy: the same bit for bit, whatever happens to the copy."""

from __future__ import annotations

import threading

import dask.array as da
import numpy as np
import pytest
from fits_files import write_combined

from napari_kmos import lazy
from napari_kmos.errors import KmosWarning, NotKmosError, WriteError
from napari_kmos.io import read_boxes, read_cube, read_spaxels, source_of
from napari_kmos.io.copies import build_copy, find_copy, identity_of
from napari_kmos.io.source import scan_spectra
from napari_kmos.io.summaries import find_arrays, keep_arrays
from napari_kmos.progress import Cancelled

SHAPE = (23, 9, 14)
BOXES = [
    (slice(0, 9), slice(0, 14)),
    (slice(3, 4), slice(13, 14)),
    (slice(2, 7), slice(4, 11)),
    (slice(5, 5), slice(0, 3)),
]


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A cube with dead planes, spaxels and voxels, read in several blocks; copies are of two rows at a time."""
    monkeypatch.setattr(lazy, "BLOCK_BYTES", 2 * 4 * SHAPE[0] * SHAPE[2])
    data = np.random.default_rng(4).normal(5, 2, SHAPE).astype(np.float32)
    data[:2] = 0
    data[:, 2, 3] = 0
    data[5, 4, 4] = np.nan
    return write_combined(tmp_path / "cube.fits", data, noise=np.abs(data))


@pytest.fixture
def flux(path):
    return read_cube(path).flux


def _same(left, right):
    return left.dtype == right.dtype and left.shape == right.shape and np.array_equal(left, right, equal_nan=True)


def test_spectra_are_the_same_with_and_without_the_copy(flux):
    whole = flux.compute()
    before = read_boxes(flux, BOXES)
    assert build_copy(source_of(flux))
    assert not build_copy(source_of(flux))
    after = read_boxes(flux, BOXES)
    for box, left, right in zip(BOXES, before, after, strict=True):
        assert _same(left, whole[:, *box])
        assert _same(right, whole[:, *box])
        assert _same(read_spaxels(flux, *box), right)


def test_boxes_of_other_arrays(flux):
    """What has to be computed is computed once for all boxes; an array in memory is simply cut."""
    computed = []

    def double(block):
        computed.append(block.shape)
        return 2 * block

    doubled = da.map_blocks(double, flux, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))
    whole = flux.compute()
    for found, box in zip(read_boxes(doubled, BOXES), BOXES, strict=True):
        assert _same(found, 2 * whole[:, *box])
    assert computed == [SHAPE]
    for found, box in zip(read_boxes(whole, BOXES), BOXES, strict=True):
        assert _same(found, whole[:, *box])


def test_reading_boxes_can_be_cancelled(flux):
    def cancel(_done, _total, text):
        assert text == "reading spaxels"
        raise Cancelled

    with pytest.raises(Cancelled):
        read_boxes(flux, BOXES, progress=cancel)
    build_copy(source_of(flux))
    with pytest.raises(Cancelled):
        read_boxes(flux, BOXES, progress=cancel)


def test_a_cancelled_copy_leaves_nothing(flux, cache_folder):
    told = []

    def cancel(done, total, text):
        told.append((done, total, text))
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        build_copy(source_of(flux), progress=cancel)
    assert told == [(1, 5, "copying spectra"), (2, 5, "copying spectra")]
    assert find_copy(source_of(flux)) is None
    assert not [path for path in cache_folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_every_spectrum_is_used_once_while_it_is_copied(flux):
    seen, lock = np.full((SHAPE[1], SHAPE[2], SHAPE[0]), np.inf, dtype=np.float32), threading.Lock()

    def use(rows, spectra):
        with lock:
            assert np.isinf(seen[rows]).all()
            seen[rows] = spectra
            spectra.sort(axis=-1)  # what is done to them does not reach the copy

    build_copy(source_of(flux), use=use)
    assert _same(np.moveaxis(seen, -1, 0), flux.compute())
    assert _same(read_spaxels(flux, slice(0, 9), slice(0, 14)), flux.compute())


def test_a_copy_of_another_shape_is_thrown_away(flux, monkeypatch):
    """As if the copy of another cube had come under this name."""
    source = source_of(flux)
    build_copy(source)
    monkeypatch.setattr(type(source), "shape", property(lambda _: (SHAPE[0], SHAPE[2], SHAPE[1])))
    with pytest.warns(KmosWarning, match="thrown away, it holds no spectra of 14 x 9 spaxels and 23 wavelengths"):
        assert find_copy(source) is None
    monkeypatch.undo()
    assert find_copy(source) is None


def test_a_damaged_copy_is_thrown_away_and_the_file_read(flux):
    build_copy(source_of(flux))
    copy = find_copy(source_of(flux))
    copy.path.write_bytes(b"")
    with pytest.warns(KmosWarning, match="thrown away"):
        found = read_spaxels(flux, slice(1, 5), slice(2, 9))
    assert _same(found, flux[:, 1:5, 2:9].compute())


def test_a_copy_that_goes_while_it_is_read_does_no_harm(flux, monkeypatch):
    """Another process may need the room at any time."""
    source = source_of(flux)
    build_copy(source)
    copy = find_copy(source)
    monkeypatch.setattr("napari_kmos.io.source.find_copy", lambda _: copy)
    copy.path.unlink()
    assert _same(read_spaxels(flux, slice(1, 5), slice(2, 9)), flux[:, 1:5, 2:9].compute())
    seen = np.empty((SHAPE[1], SHAPE[2], SHAPE[0]), dtype=np.float32)
    scan_spectra(flux, lambda rows, spectra: seen.__setitem__(rows, spectra))
    assert _same(np.moveaxis(seen, -1, 0), flux.compute())


def test_the_copy_of_a_changed_file_is_not_used(flux, path):
    build_copy(source_of(flux))
    with path.open("ab") as stream:
        stream.write(b"\0" * 2880)
    with pytest.raises(NotKmosError, match="changed or vanished"):
        read_spaxels(flux, slice(1, 5), slice(2, 9))
    assert find_copy(source_of(read_cube(path).flux)) is None


def test_one_identity_an_opening_and_extension(path):
    first, again = read_cube(path), read_cube(path)
    assert identity_of(source_of(first.flux)) == identity_of(source_of(again.flux))
    assert identity_of(source_of(first.flux)) != identity_of(source_of(first.noise))


def test_a_file_opened_by_another_name_has_the_same_copy(path, flux):
    build_copy(source_of(flux))
    link = path.with_name("link.fits")
    link.symlink_to(path)
    assert find_copy(source_of(read_cube(link).flux)) == find_copy(source_of(flux))


def test_arrays_are_computed_once(flux):
    source, calls = source_of(flux), []

    def compute():
        calls.append(1)
        return {"image": np.arange(6.0).reshape(2, 3)}

    for _ in range(2):
        assert _same(keep_arrays(source, "sums", compute)["image"], np.arange(6.0).reshape(2, 3))
    assert len(calls) == 1


def test_arrays_that_cannot_be_kept_are_returned_all_the_same(flux, monkeypatch):
    def full(_n_bytes):
        msg = "the disk is full"
        raise WriteError(msg)

    monkeypatch.setattr("napari_kmos.io.cache._make_room", full)
    with pytest.warns(KmosWarning, match="sums cannot be kept for the next time: the disk is full"):
        found = keep_arrays(source_of(flux), "sums", lambda: {"image": np.ones(3)})
    assert _same(found["image"], np.ones(3))
    assert find_arrays(source_of(flux), "sums") is None
