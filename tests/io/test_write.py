"""Products are written in the pipeline's layout, whole or not at all, and come back as they were."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

import dask.array as da
import fits_files as files
import numpy as np
import pytest
from astropy.io import fits
from factories import make_cube
from hypothesis import given
from hypothesis import strategies as st

from napari_kmos.cube import Image
from napari_kmos.errors import GeometryError, WriteError
from napari_kmos.io import read_cube, read_exposure, read_images, safe_name, write_cube, write_exposure, write_image
from napari_kmos.io._checksum import encode, ones_complement_sum
from napari_kmos.io.atomic import atomic_path, check_free, output_dir
from napari_kmos.io.history import read_history
from napari_kmos.progress import Cancelled
from napari_kmos.provenance import Step

if TYPE_CHECKING:
    from napari_kmos.exposure import Exposure

STEP = Step(
    name="sky-tweak",
    inputs=(Path("night/object.fits"),),
    parameters={"method": "davies", "tbsub": False, "stretch_degree": 8},
    defaults={"tbsub": True, "stretch_degree": 8},
    measured={"SKY IFU3 FACTOR": 1.25, "SKY REASON": "nearest: 6 min after µ " + 20 * "long "},
)


def _same(first: Exposure, second: Exposure) -> None:
    for field in ("kind", "band", "object_name", "ob_name", "template", "dither_arcsec", "rotation_deg"):
        assert getattr(first, field) == getattr(second, field), field
    for one, two in zip(first.arms, second.arms, strict=True):
        for field in ("number", "name", "role", "not_used", "original", "ra", "dec"):
            assert getattr(one, field) == getattr(two, field), field
        assert (one.cube is None) == (two.cube is None)
        if one.cube is None or two.cube is None:
            continue
        np.testing.assert_array_equal(np.asarray(one.cube.flux), np.asarray(two.cube.flux))
        np.testing.assert_allclose(one.cube.wavelength_um, two.cube.wavelength_um, rtol=1e-12)
        # Headers hold 15 digits.
        assert one.cube.wcs.wcs.compare(two.cube.wcs.wcs, tolerance=1e-13)
        assert (one.cube.unit, one.cube.exptime, one.cube.medium) == (two.cube.unit, two.cube.exptime, two.cube.medium)


@pytest.mark.parametrize("noise", [True, False], ids=["48 extensions", "24 extensions"])
def test_an_exposure_comes_back_as_it_was(tmp_path: Path, noise: bool) -> None:
    """Layout, arms, axes, unit and pixels; checksums hold."""
    cards = {"HIERARCH ESO QC CUBE_UNIT": "ADU/sec", "CD1_2": 1e-6, "CD2_1": 1e-6}
    first = read_exposure(files.write_exposure(tmp_path / "sci.fits", noise=noise, **cards))
    path = write_exposure(first, tmp_path / "out.fits", step=STEP)

    _same(first, read_exposure(path))
    with fits.open(path, checksum=True) as hdus:
        assert len(hdus) == (49 if noise else 25)
        assert [hdu.name for hdu in hdus[1:3]] == (
            ["IFU.1.DATA", "IFU.1.NOISE"] if noise else ["IFU.1.DATA", "IFU.2.DATA"]
        )
        assert hdus["IFU.4.DATA"].header["NAXIS"] == 0
        hdus.verify("exception")


def test_an_exposure_made_in_memory_comes_back_as_it_was(tmp_path: Path, make_exposure) -> None:
    """Also where the band, the targets and the unit never stood in a file."""
    exposure = make_exposure()
    path = write_exposure(exposure, tmp_path / "out.fits")

    _same(dataclasses.replace(exposure, path=path), read_exposure(path))


def test_the_header_says_what_was_done(tmp_path: Path) -> None:
    """A recipe block after the pipeline's own, a HISTORY line, the measured values, and all old cards."""
    source = files.write_exposure(tmp_path / "sci.fits")
    with fits.open(source, mode="update") as hdus:
        hdus[0].header["HIERARCH ESO PRO REC1 ID"] = "kmos_sci_red"
    path = write_exposure(read_exposure(source), tmp_path / "out.fits", step=STEP, category="SKY_TWEAK")
    header = fits.getheader(path)

    assert header["ESO PRO REC1 ID"] == "kmos_sci_red"
    assert header["ESO PRO REC2 ID"] == "napari-kmos sky-tweak"
    assert header["ESO PRO REC2 RAW1 NAME"] == "object.fits"
    assert (header["ESO PRO REC2 PARAM2 NAME"], header["ESO PRO REC2 PARAM2 VALUE"]) == ("tbsub", "false")
    assert header.comments["ESO PRO REC2 PARAM2 VALUE"] == "Default: true"
    assert header["ESO QC SKY IFU3 FACTOR"] == 1.25
    assert header["ESO QC SKY REASON"].startswith("nearest: 6 min after ? long")
    assert header["ESO QC SKY REASON"].endswith("...")
    assert header["ESO PRO CATG"] == "SKY_TWEAK"
    assert header["ESO OBS NAME"] == "GC_OB1"
    assert "sky-tweak: object.fits; method=davies" in str(header["HISTORY"])


@pytest.mark.parametrize("chunks", [None, (7, 13, 15), (1, 5, 15)], ids=["numpy", "blocks", "planes"])
def test_a_cube_is_written_in_pieces_as_it_would_be_whole(tmp_path: Path, make_cube, chunks) -> None:
    """Three HDUs, big-endian float32, valid checksums, the same bytes whatever the pieces."""
    cube = make_cube(shape=(150, 13, 15))
    lazy = cube
    if chunks:
        arrays = {"flux": da.from_array(cube.flux, chunks=chunks), "noise": da.from_array(cube.noise, chunks=chunks)}
        lazy = dataclasses.replace(cube, **arrays)
    told: list[int] = []
    path = write_cube(lazy, tmp_path / "c.fits", progress=lambda done, total, text: told.append(done))

    with fits.open(path, checksum=True) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["target.DATA", "target.NOISE"]
        assert hdus[0].data is None
        np.testing.assert_array_equal(hdus[1].data, cube.flux)
        np.testing.assert_array_equal(hdus[2].data, cube.noise)
        assert hdus[1].header["CDELT1"] == pytest.approx(-0.2 / 3600)
        hdus.verify("exception")
    assert told[-1] == 150
    assert told == sorted(told)


def test_flux_and_noise_of_a_piece_are_computed_together_and_few_at_a_time(tmp_path: Path, make_cube) -> None:
    """The work that makes both is done once a piece, and no more pieces are asked for than are being written."""
    cube = make_cube(shape=(60, 13, 15))
    calls: list[int] = []

    def both(block: np.ndarray) -> np.ndarray:
        calls.append(len(block))
        return np.stack([block, block / 2])

    source = da.from_array(cube.flux, chunks=(5, 13, 15))
    meta = np.empty((0, 0, 0, 0), np.float32)
    stack = da.map_blocks(both, source, new_axis=0, chunks=((2,), *source.chunks), dtype=np.float32, meta=meta)
    calls.clear()
    seen: list[int] = []
    write_cube(
        dataclasses.replace(cube, flux=stack[0], noise=stack[1]),
        tmp_path / "c.fits",
        progress=lambda done, total, text: seen.append(len(calls)),
    )

    assert len(calls) == 12
    assert seen == [4, 8, 12]


def test_an_image_comes_back(tmp_path: Path, make_cube) -> None:
    """A collapsed image with noise, and a count that stays an integer."""
    cube = make_cube()
    image = Image(data=cube.flux[0], noise=cube.noise[0], wcs=cube.wcs, unit=cube.unit, name="a", ifu=5)
    write_image(image, tmp_path / "i.fits")
    count = Image(data=np.arange(6, dtype=np.int16).reshape(2, 3), wcs=cube.wcs, name="a")
    write_image(count, tmp_path / "n.fits")

    back = read_images(tmp_path / "i.fits")[0]
    np.testing.assert_array_equal(back.data, image.data)
    np.testing.assert_array_equal(back.noise, image.noise)
    assert (back.unit, back.ifu, back.name) == (cube.unit, 5, "a")
    assert fits.getdata(tmp_path / "n.fits", 1).dtype == np.dtype(">i2")


def test_a_count_does_not_take_the_unit_of_its_cube(tmp_path: Path, make_cube) -> None:
    """The header of the input tells the unit of a flux."""
    header = fits.Header()
    header["HIERARCH ESO QC CUBE_UNIT"] = "ADU/sec"
    count = Image(data=np.ones((2, 3), dtype=np.int16), wcs=make_cube().wcs, name="a", header=header)
    (back,) = read_images(write_image(count, tmp_path / "n.fits"))
    assert back.unit is None


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path, make_cube) -> None:
    """The message says how."""
    path = write_cube(make_cube(), tmp_path / "c.fits")
    before = path.read_bytes()
    with pytest.raises(WriteError, match=r"c\.fits: exists already.*--overwrite"):
        write_cube(make_cube(seed=5), path)

    assert path.read_bytes() == before
    write_cube(make_cube(seed=5), path, overwrite=True)
    assert path.read_bytes() != before


def test_a_cancelled_or_failed_writing_leaves_nothing(tmp_path: Path, make_cube) -> None:
    """Neither half a file nor a temporary one, and an older file is not touched."""
    path = write_cube(make_cube(), tmp_path / "c.fits")
    before = path.read_bytes()

    def stop(done: int, total: int, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        write_cube(make_cube(seed=3), path, overwrite=True, progress=stop)
    with pytest.raises(WriteError, match="cannot be written"):
        _fill_the_disk(tmp_path / "d.fits")

    assert [p.name for p in tmp_path.iterdir()] == ["c.fits"]
    assert path.read_bytes() == before


def _fill_the_disk(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")


def test_uneven_wavelengths_cannot_be_written(tmp_path: Path, make_cube) -> None:
    """A FITS axis could not say so."""
    cube = make_cube()
    wave = cube.wavelength.copy()
    wave[5] += 0.4 * (wave[1] - wave[0])
    with pytest.raises(GeometryError, match="not evenly spaced"):
        write_cube(dataclasses.replace(cube, wavelength=wave), tmp_path / "c.fits")
    assert not list(tmp_path.iterdir())


def test_what_is_no_plain_file_is_not_replaced(tmp_path: Path) -> None:
    """A device or a pipe would be gone, for every other program too."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(WriteError, match="pipe: is no plain file; expected the name of a file to write"):
        check_free(pipe, overwrite=True)


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    """A file stands in the way."""
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="cannot write there"):
        output_dir(tmp_path / "file" / "out")
    with pytest.raises(WriteError, match="file: is a file; expected a folder"):
        output_dir(tmp_path / "file")
    with pytest.raises(WriteError, match=r"out.fits: cannot be written"), atomic_path(tmp_path / "file" / "out.fits"):
        pytest.fail("nothing can be written there")


def test_a_folder_is_made_by_the_first_product(tmp_path: Path) -> None:
    """A step that fails before it leaves none, and nothing of the check; one that is there may be used."""
    folder = tmp_path / "a" / "b"
    assert output_dir(folder) == folder
    assert not list(tmp_path.iterdir())
    with atomic_path(folder / "out.txt") as temporary:
        temporary.write_text("product")
    assert output_dir(folder) == folder
    assert [path.name for path in folder.iterdir()] == ["out.txt"]


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"inner": 2, "tbsub": False, "doubt": 0.5}, "inner=2 tbsub=false, the rest at their defaults"),
        ({"tbsub": True, "doubt": 0.5}, "all at their defaults"),
        ({"inner": 2}, "inner=2"),
    ],
)
def test_history_names_what_is_not_at_its_default(tmp_path: Path, parameters: dict[str, object], told: str) -> None:
    """People read it; the recipe block has every parameter."""
    step = Step(name="crop", parameters=parameters, defaults={"tbsub": True, "doubt": 0.5})
    source = read_exposure(files.write_exposure(tmp_path / "sci.fits"))
    header = fits.getheader(write_exposure(source, tmp_path / "out.fits", step=step))
    assert read_history(header)[-1].endswith(f"crop: ; {told}")
    assert [header[f"ESO PRO REC1 PARAM{k + 1} NAME"] for k in range(len(parameters))] == list(parameters)


def test_a_target_with_any_name_comes_back(tmp_path: Path, make_cube) -> None:
    """Names with blanks, dots and quotes stand in EXTNAME as they are."""
    for name in ("GC field.1", "it's", "a.DATA"):
        path = write_cube(make_cube(name=name, ifu=None), tmp_path / f"{safe_name(name)}.fits")
        assert read_cube(path).name == name


@given(st.text(max_size=300))
def test_safe_names_stay_in_their_folder(text: str) -> None:
    """Whatever a header holds: one plain part of a path, never hidden, never empty."""
    name = safe_name(text)

    assert Path(name).name == name
    assert name not in ("", ".", "..")
    assert not name.startswith(".")
    assert len(name) <= 120
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@given(st.binary(min_size=4, max_size=400).filter(lambda data: len(data) % 4 == 0), st.integers(0, 99))
def test_the_sum_does_not_depend_on_how_the_data_are_cut(data: bytes, where: int) -> None:
    """And the encoded complement is 16 letters or digits, as the standard asks."""
    cut = 4 * (where % (len(data) // 4 + 1))
    whole = ones_complement_sum(data)

    assert ones_complement_sum(data[cut:], ones_complement_sum(data[:cut])) == whole
    assert len(encode(whole)) == 16
    assert encode(whole).isalnum()


def test_planes_are_written_as_they_come_and_the_step_tells_what_it_found(tmp_path):
    cube = make_cube(shape=(6, 4, 5))
    both = np.stack([cube.flux, cube.noise])
    found = {"COMBINE NREJECTED": 0}

    def planes():
        for first in (0, 2, 3):
            found["COMBINE NREJECTED"] += 1
            yield first, both[:, first : {0: 2, 2: 3, 3: 6}[first]]

    empty = dataclasses.replace(cube, flux=np.zeros_like(cube.flux), noise=np.zeros_like(cube.flux))
    path = write_cube(empty, tmp_path / "a.fits", planes=planes(), step=lambda: Step(name="combine", measured=found))
    with fits.open(path, checksum=True) as hdus:
        assert hdus[0].header["ESO QC COMBINE NREJECTED"] == 3
        np.testing.assert_array_equal(hdus[1].data, cube.flux)
        np.testing.assert_array_equal(hdus[2].data, cube.noise)


def test_a_step_that_grows_while_planes_are_written_leaves_nothing(tmp_path):
    told = iter([{}, {f"N{number}": number for number in range(99)}])
    with pytest.raises(ValueError, match="there is no room for it"):
        write_cube(make_cube(), tmp_path / "a.fits", step=lambda: Step(name="combine", measured=next(told)))
    assert list(tmp_path.iterdir()) == []
