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
    np.s_[:, 2, 3],
    np.s_[4:5, 2:3, 1:6:2],
    np.s_[3:3],
    np.s_[[7, 1, 4]],
    np.s_[2:6, [0, 3], 1:5],
]


@pytest.mark.parametrize("key", _PIECES, ids=str)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
@pytest.mark.parametrize("gap", [3, 40, 8192])
def test_any_piece_is_that_of_the_whole(tmp_path: Path, monkeypatch, key, order: tuple[int, ...], gap: int) -> None:
    """By long runs, short ones and spans with gaps, in any order of axes, in the type of the file."""
    monkeypatch.setattr(_pixels, "_RUN_BYTES", 100)
    monkeypatch.setattr(_pixels, "_GAP_BYTES", gap)
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
    read_spaxels(cube.flux, slice(0, 2), slice(0, 2))
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

    with pytest.raises(NotKmosError, match=r"changed or vanished.*ends at least \d+ bytes early"):
        read_planes(cube.flux, slice(0, 12))


@pytest.mark.parametrize("piece", [np.s_[1:2], np.s_[:, 3500, 3500], np.s_[:, 3500:3502, 5:7]], ids=str)
def test_where_nothing_is_nothing_is_touched(tmp_path: Path, monkeypatch, piece) -> None:
    """The addresses of a large file lead out of the memory of this process, and those of a file cut meanwhile, too."""
    path = tmp_path / "c.fits"
    header = fits.ImageHDU(files.values(), header=files.axes()).header
    header.update(NAXIS1=4000, NAXIS2=4000, NAXIS3=4, EXTNAME="AGN6.DATA")
    start = fits.PrimaryHDU().header.tostring() + header.tostring()
    path.write_text(start, encoding="ascii")
    os.truncate(path, len(start) + -(-4 * 4 * 4000**2 // 2880) * 2880)  # a hole: no room is taken
    flux = source_of(read_cube(path).flux)
    assert np.isnan(flux[piece]).all()
    os.truncate(path, len(start))
    monkeypatch.setattr("napari_kmos.io._file.FitsFile.plain_path", lambda self: self.path)

    with pytest.raises(NotKmosError, match=r"changed or vanished.*ends at least \d+ bytes early"):
        flux[piece]


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
