"""What is held in memory is what the file has, no more than is allowed, and never that of a file that changed."""

from __future__ import annotations

import os

import numpy as np
import pytest
from fits_files import write_combined

from napari_kmos.errors import NotKmosError
from napari_kmos.io import held, read_boxes, read_cube
from napari_kmos.io.source import hold_box, is_held
from napari_kmos.progress import Cancelled

SHAPE = (23, 9, 14)
HELD = (slice(2, 8), slice(3, 12))
INSIDE = (slice(3, 8), slice(3, 7))


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(held, "_held", type(held._held)())
    data = np.random.default_rng(4).normal(5, 2, SHAPE).astype(np.float32)
    return write_combined(tmp_path / "cube.fits", data, noise=np.abs(data))


def test_held_boxes_are_those_of_the_file_and_cannot_be_changed(path):
    flux = read_cube(path).flux
    (expected,) = read_boxes(flux, [INSIDE])
    hold_box(flux, HELD)
    assert is_held(flux, INSIDE)
    assert not is_held(flux, (slice(1, 8), slice(3, 7)))
    assert not is_held(read_cube(path).noise, INSIDE)
    found, other = read_boxes(flux, [INSIDE, HELD])
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(other, flux[:, *HELD].compute())
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0, 0] = 1


def test_the_oldest_is_let_go_and_what_is_too_large_is_not_held(path, monkeypatch):
    cube = read_cube(path)
    one = 4 * SHAPE[0] * 6 * 9
    for name in ("held.HELD_BYTES", "source.HELD_BYTES"):
        monkeypatch.setattr(f"napari_kmos.io.{name}", 2 * one + 1)
    hold_box(cube.flux, HELD)
    hold_box(cube.noise, HELD)
    read_boxes(cube.flux, [INSIDE])  # it was asked for last
    hold_box(cube.flux, (slice(0, 6), slice(0, 9)))
    assert is_held(cube.flux, INSIDE)
    assert not is_held(cube.noise, INSIDE)
    hold_box(cube.noise, (slice(0, 9), slice(0, 14)))
    assert not is_held(cube.noise, INSIDE)


def test_a_file_that_changed_is_told_whatever_is_held(path):
    flux = read_cube(path).flux
    hold_box(flux, HELD)
    os.utime(path, ns=(1, 1))
    with pytest.raises(NotKmosError, match=r"cube\.fits: changed or vanished"):
        read_boxes(flux, [INSIDE])


def test_a_reading_ahead_can_be_given_up_and_arrays_in_memory_are_left_alone(path):
    def stop(done: int, total: int, text: str) -> None:
        raise Cancelled

    flux = read_cube(path).flux
    with pytest.raises(Cancelled):
        hold_box(flux, HELD, progress=stop)
    assert not is_held(flux, INSIDE)
    there = np.zeros(SHAPE, dtype=np.float32)
    hold_box(there, HELD)
    assert is_held(there, INSIDE)
