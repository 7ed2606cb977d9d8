"""Pieces of large files: equal however they are read, from the file as it was when it was opened, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import fits_files as files
import numpy as np
import pytest
from astropy.io import fits

from napari_kmos.errors import NotKmosError
from napari_kmos.io import _array, _pixels, read_cube, read_planes, read_spaxels, source_of
from napari_kmos.io._extensions import open_product

_PIECES = [
    np.s_[3],
    np.s_[2:5],
    np.s_[::4],
    np.s_[::-1],
    np.s_[5:1:-2, ::-1],
    np.s_[:, 1:3, 2:5],
    np.s_[:, 2],
    np.s_[..., 4:1:-1],
    np.s_[4, 2, 3],
    np.s_[3:3],
    np.s_[[7, 1, 4]],
    np.s_[2:6, [0, 3], 1:5],
]


@pytest.mark.parametrize("key", _PIECES, ids=str)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
def test_any_piece_is_that_of_the_whole(tmp_path: Path, monkeypatch, key, order: tuple[int, ...]) -> None:
    """By long runs, short ones and the memory map, in any order of axes, in the type of the file."""
    monkeypatch.setattr(_pixels, "_RUN_BYTES", 100)
    monkeypatch.setattr(_pixels, "_BLOCK", 8)
    data = files.values(1)
    path = tmp_path / "a.fits"
    fits.writeto(path, np.ascontiguousarray(data.transpose(order)))
    view = _pixels.View(tuple(order.index(axis) for axis in range(3)), is_reversed=True)
    pixels = _plain(path)
    key = key if isinstance(key, tuple) else (key,)
    if Ellipsis in key:
        key = (slice(None), slice(None), key[-1])
    piece = pixels.read((*key, *(slice(None),) * (3 - len(key))), view)

    np.testing.assert_array_equal(piece, data[::-1][key])
    assert piece.dtype == np.float32
    assert piece.dtype.isnative
    assert piece.flags.writeable


def _plain(path: Path) -> _pixels.PlainPixels:
    return open_product(path).extensions[0].pixels


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float64, np.uint8])
def test_every_type_of_pixels_becomes_float32(tmp_path: Path, dtype) -> None:
    """Whole numbers below 2^24 are exact in float32."""
    data = np.rint(files.values(2)).astype(dtype)
    cube = read_cube(files.write_combined(tmp_path / "c.fits", data))

    assert cube.flux.dtype == np.float32
    np.testing.assert_array_equal(cube.flux.compute(), data)


def _shrink(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5760])


def _change(path: Path) -> None:
    status = path.stat()
    with path.open("r+b") as stream:
        stream.write(b"SIMPLE")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))


@pytest.mark.parametrize(
    ("harm", "reason"), [(_shrink, "bytes then"), (Path.unlink, "No such file"), (_change, "written to")]
)
def test_a_file_that_is_another_than_it_was_is_refused(tmp_path: Path, harm, reason: str) -> None:
    """Planes, spaxels and lazy arrays all say so, in one line that names the file: no bus error, no old pixels."""
    path = files.write_combined(tmp_path / "c.fits", files.values())
    cube = read_cube(path)
    read_spaxels(cube.flux, slice(0, 2), slice(0, 2))  # a memory map is there
    harm(path)

    for read in (
        lambda: read_planes(cube.flux, slice(2, 4)),
        lambda: read_spaxels(cube.flux, slice(0, 2), slice(0, 2)),
        cube.flux.compute,
    ):
        with pytest.raises(NotKmosError, match=rf"c\.fits: changed or vanished .*{reason}.*open it again"):
            read()


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path: Path, monkeypatch) -> None:
    """After the check there is still the reading, which comes to an early end."""
    path = files.write_combined(tmp_path / "c.fits", files.values())
    cube = read_cube(path)
    path.write_bytes(path.read_bytes()[:5800])
    monkeypatch.setattr("napari_kmos.io._file.FitsFile.plain_path", lambda self: self.path)

    with pytest.raises(NotKmosError, match=r"changed or vanished.*ends \d+ bytes early"):
        read_planes(cube.flux, slice(0, 12))


def test_of_a_file_that_was_replaced_no_memory_map_is_kept(tmp_path: Path) -> None:
    """It would keep gigabytes of the disk from being free."""
    path = files.write_combined(tmp_path / "c.fits", files.values())
    read_spaxels(read_cube(path).flux, slice(0, 2), slice(0, 2))
    before = _pixels._maps[path]
    path.unlink()
    files.write_combined(path, 2 * files.values(), noise=files.values(1))
    again = read_spaxels(read_cube(path).flux, slice(0, 2), slice(0, 2))
    np.testing.assert_array_equal(again, 2 * files.values()[:, :2, :2])
    assert _pixels._maps[path] != before


def test_identity_tells_files_states_and_extensions_apart(tmp_path: Path) -> None:
    """The key under which what is computed from the pixels may be kept."""
    path = files.write_combined(tmp_path / "c.fits", files.values(), noise=files.values(1))
    (tmp_path / "link.fits").symlink_to(path)
    cube, linked = read_cube(path), read_cube(tmp_path / "link.fits")
    status = path.stat()

    assert source_of(cube.flux).identity == (str(path.resolve()), status.st_size, status.st_mtime_ns, 1)
    assert source_of(linked.flux).identity == source_of(cube.flux).identity
    assert source_of(cube.noise).identity[-1] == 2
    assert source_of(cube.flux).path == path


def _with_zeros() -> np.ndarray:
    data = files.values(2)
    data[:2] = 0  # planes without data
    data[:, 4] = 0  # spaxels without data
    data[5, 2, 2] = 0  # a zero among values
    return data


def test_in_a_large_file_every_zero_is_no_data(tmp_path: Path, monkeypatch) -> None:
    """A rule that needs no look at the rest: planes, spaxels and the whole agree."""
    monkeypatch.setattr(_array, "_EXACT_BYTES", 1000)
    data = _with_zeros()
    flux = read_cube(files.write_combined(tmp_path / "c.fits", data)).flux
    expected = np.where(data == 0, np.nan, data)

    np.testing.assert_array_equal(flux.compute(), expected)
    np.testing.assert_array_equal(read_planes(flux, slice(5, 6)), expected[5:6])
    np.testing.assert_array_equal(read_spaxels(flux, slice(2, 3), slice(2, 3)), expected[:, 2:3, 2:3])


def test_in_a_large_file_of_integers_zero_is_a_number(tmp_path: Path, monkeypatch) -> None:
    """No data is BLANK there; counts may well be zero."""
    monkeypatch.setattr(_array, "_EXACT_BYTES", 1000)
    data = np.rint(_with_zeros()).astype(np.int16)
    data[7, 3, 1] = -99
    flux = read_cube(files.write_combined(tmp_path / "c.fits", data, BLANK=-99)).flux.compute()

    assert np.isnan(flux[7, 3, 1])
    np.testing.assert_array_equal(np.delete(flux.ravel(), 7 * 35 + 22), np.delete(data.ravel(), 7 * 35 + 22))
