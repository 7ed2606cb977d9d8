"""Compressed files are unpacked once, with a word about it, in pieces, into the cache; what need not be, is not."""

from __future__ import annotations

import bz2
import gzip
import shutil
import warnings
from pathlib import Path

import fits_files as files
import numpy as np
import pytest
from astropy.io import fits

from napari_kmos.errors import KmosWarning, NotKmosError, WriteError
from napari_kmos.io import read_cube, read_planes, read_spaxels, unpack
from napari_kmos.io.cache import cache_folder


def _packed(folder: Path, module=gzip, suffix: str = ".gz") -> tuple[Path, np.ndarray]:
    data = files.values(4)
    plain = files.write_combined(folder / "c.fits", data)
    path = plain.with_name(f"c.fits{suffix}")
    path.write_bytes(module.compress(plain.read_bytes()))
    return path, data


def _tiled(path: Path, tile: tuple[int, ...], data: np.ndarray) -> Path:
    hdu = fits.CompImageHDU(
        data, header=files.axes(), name="A.DATA", compression_type="GZIP_2", quantize_level=0, tile_shape=tile
    )
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


def _kept() -> list[Path]:
    return [path for name in ("unpacked.fits", "pixels.raw") for path in cache_folder().rglob(name)]


@pytest.mark.parametrize(("module", "suffix"), [(gzip, ".gz"), (bz2, ".bz2")])
def test_a_compressed_file_is_unpacked_once(tmp_path: Path, module, suffix: str) -> None:
    """The second opening, and every reading, is of the unpacked copy and has nothing to say."""
    path, data = _packed(tmp_path, module, suffix)
    with pytest.warns(
        KmosWarning, match=r"is compressed and cannot be read piece by piece; about \d+ MiB are unpacked"
    ):
        read_cube(path)
    again = read_cube(path)

    np.testing.assert_array_equal(read_planes(again.flux, slice(2, 4)), data[2:4])
    assert len(_kept()) == 1


def test_a_copy_that_is_gone_is_made_again(tmp_path: Path) -> None:
    """The cache may throw away what it likes, also under an open cube."""
    path, data = _packed(tmp_path)
    with pytest.warns(KmosWarning, match="is compressed"):
        cube = read_cube(path)
    for copy in _kept():
        shutil.rmtree(copy.parent)

    with pytest.warns(KmosWarning, match="is compressed"):
        np.testing.assert_array_equal(cube.flux.compute(), data)


def test_a_damaged_file_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    """A download that broke off."""
    path, _ = _packed(tmp_path)
    path.write_bytes(path.read_bytes()[:-500])
    with (
        pytest.warns(KmosWarning),
        pytest.raises(NotKmosError, match=r"c\.fits\.gz: cannot be unpacked.*copy the file"),
    ):
        read_cube(path)

    assert _kept() == []


def test_no_room_says_what_to_do(tmp_path: Path, monkeypatch) -> None:
    """The bound of the cache is smaller than the file."""
    monkeypatch.setenv("NAPARI_KMOS_CACHE_GIB", "0.000001")
    path, _ = _packed(tmp_path)
    with pytest.raises(WriteError, match=r"c\.fits\.gz: is compressed and cannot be unpacked.*unpack it yourself"):
        read_cube(path)


@pytest.mark.parametrize("n_bytes", [100, 2**32 - 1, 2**32 + 7, 3 * 2**32 + 11])
def test_the_size_of_a_gzip_file_is_known_beyond_four_gib(tmp_path: Path, monkeypatch, n_bytes: int) -> None:
    """Its last four bytes hold it modulo 4 GiB; it is no smaller than what is compressed to 60 percent."""
    path = tmp_path / "a.gz"
    path.write_bytes(b"\x1f\x8b" + (n_bytes % 2**32).to_bytes(4, "little"))
    monkeypatch.setattr(unpack, "_packed_size", lambda _: int(0.9 * n_bytes))

    assert unpack._expected_size(path) == n_bytes


@pytest.mark.parametrize("tile", [(1, 5, 7), (1, 1, 7)], ids=["planes", "rows"])
def test_planes_of_tiles_are_read_without_unpacking(tmp_path: Path, tile: tuple[int, ...]) -> None:
    """Nothing is said, nothing is kept."""
    data = files.values(4)
    cube = read_cube(_tiled(tmp_path / "c.fits.fz", tile, data))

    np.testing.assert_array_equal(read_planes(cube.flux, slice(2, 4)), data[2:4])
    np.testing.assert_array_equal(cube.flux.compute(), data)
    assert _kept() == []


@pytest.mark.parametrize("tile", [(1, 5, 7), (4, 5, 7)], ids=["planes", "blocks"])
def test_spaxels_out_of_tiles_unpack_the_extension_once(tmp_path: Path, monkeypatch, tile: tuple[int, ...]) -> None:
    """In slabs of whole tiles."""
    data = files.values(4)
    monkeypatch.setattr(unpack, "_SLAB_BYTES", 600)
    cube = read_cube(_tiled(tmp_path / "c.fits.fz", tile, data))
    with pytest.warns(KmosWarning, match="extension 1 is compressed in tiles and cannot be read spectrum by spectrum"):
        column = read_spaxels(cube.flux, slice(1, 2), slice(2, 4))

    np.testing.assert_array_equal(column, data[:, 1:2, 2:4])
    np.testing.assert_array_equal(read_spaxels(cube.flux, slice(3, 4), slice(0, 2)), data[:, 3:4, :2])
    assert len(_kept()) == 1


def test_quantised_floats_and_scaled_integers_in_tiles(tmp_path: Path) -> None:
    """What astropy decodes is what we read, NaN included."""
    data = files.values(4)
    data[3, 2, 1] = np.nan
    hdu = fits.CompImageHDU(data, header=files.axes(), name="A.DATA", compression_type="RICE_1", quantize_level=16)
    path = tmp_path / "c.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    with fits.open(path) as hdus:
        expected = hdus[1].data.copy()

    np.testing.assert_array_equal(read_cube(path).flux.compute(), expected)
    assert np.isnan(expected[3, 2, 1])


def test_a_large_file_passes_in_small_pieces(tmp_path: Path) -> None:
    """A file of 24 blocks, and the peak of memory stays below a fifth of it."""
    import tracemalloc

    path = tmp_path / "big.fits.gz"
    data = np.zeros((24, 1024, 1024), dtype=np.float32)
    with gzip.open(path, "wb", compresslevel=1) as packed:
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, header=files.axes(), name="A.DATA")]).writeto(packed)
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", KmosWarning)
        read_cube(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < data.nbytes / 5
