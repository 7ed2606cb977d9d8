"""Copies with other coordinates: these, and not a bit else."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import fits_files as files
import numpy as np
import pytest
from astropy.io import fits
from factories import make_cube, make_wcs

from napari_kmos.errors import WriteError
from napari_kmos.io import read_cube, read_exposure, read_history, write_cube, write_wcs_copy
from napari_kmos.progress import Cancelled
from napari_kmos.provenance import Step
from napari_kmos.spatial.wcs import offset_between, position_angle_deg

STEP = Step(name="solve-wcs", inputs=(Path("mosaic.fits"),), parameters={"rotation_deg": 0.5})
RIGHT = make_wcs(ra=266.5, dec=-29.1, rotation_deg=31.0, scale_arcsec=0.203)
#: Ways in which headers tell scale and rotation.
FORMS = {
    "CD and CDELT": {},
    "PC": {"PC1_1": -0.8, "PC1_2": 0.6, "PC2_1": 0.6, "PC2_2": 0.8, "CDELT1": 5e-5, "CDELT2": 5e-5},
    "CROTA": {"CROTA2": 12.0, "CDELT1": -5e-5, "CDELT2": 5e-5},
    "arcsec": {"CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRVAL1": 959076.0, "CRVAL2": -104148.0}
    | {"CD1_1": -0.2, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.2},
}


def _write(path: Path) -> Path:
    """Write a cube with noise, and with values that a reader takes for no data: they must stay what they are."""
    cube = make_cube(shape=(6, 11, 17))
    cube.flux[0], cube.flux[1, 2, 3], cube.flux[2, 0, 0] = 0.0, -0.0, np.inf
    cube.flux[3, 4, 5] = np.frombuffer(np.uint32(0x7FC12345).tobytes(), dtype=np.float32)[0]
    cube.noise[2, :3] = np.nan
    cube.noise[3] = -1.0
    return write_cube(cube, path)


def _change(path: Path, form: str) -> None:
    """Give the extensions of a file another form of scale and rotation."""
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        for hdu in hdus[1:]:
            if FORMS[form]:
                for key in [key for key in hdu.header if key.startswith(("CD1", "CD2", "CDELT1", "CDELT2"))]:
                    del hdu.header[key]
            hdu.header.update(FORMS[form])


def _data_bytes(path: Path) -> list[bytes]:
    """Return the data of all extensions as they are stored."""
    raw = path.read_bytes()
    with fits.open(path, disable_image_compression=True) as hdus:
        places = [hdu.fileinfo() for hdu in hdus]
    return [raw[place["datLoc"] : place["datLoc"] + place["datSpan"]] for place in places]


def _check_sums(path: Path) -> None:
    """Verify every checksum."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True, disable_image_compression=True) as hdus:
            assert all("DATASUM" in hdu.header for hdu in hdus)
            assert all(hdu.verify_checksum() == hdu.verify_datasum() == 1 for hdu in hdus)


@pytest.mark.parametrize("form", FORMS)
def test_data_and_noise_get_the_coordinates_and_keep_every_bit(tmp_path: Path, form: str) -> None:
    origin = _write(tmp_path / "mosaic.fits")
    _change(origin, form)
    cube = read_cube(origin)
    copy = write_wcs_copy(origin, tmp_path / "copy.fits", {cube.source: RIGHT}, step=STEP)
    assert _data_bytes(copy) == _data_bytes(origin)
    _check_sums(copy)
    y, x = np.indices((11, 17))[:, ::5, ::8]
    with fits.open(copy) as hdus, fits.open(origin) as before:
        assert [hdu.name for hdu in hdus] == [hdu.name for hdu in before]
        for hdu, old in zip(hdus[1:], before[1:], strict=True):
            found = fits_wcs(hdu.header)
            np.testing.assert_allclose(found.wcs_pix2world(x, y, 0), RIGHT.wcs_pix2world(x, y, 0), atol=1e-10)
            assert ("CD1_1" in hdu.header) == (form in ("CD and CDELT", "arcsec"))
            changed = {key for key in hdu.header if old.header.get(key) != hdu.header[key]}
            allowed = ("CR", "CD", "PC", "CHECKSUM", "DATASUM", "CROTA")
            assert all(key.startswith(allowed) for key in changed), changed
    assert read_history(fits.getheader(copy))[-1].startswith("napari-kmos")


def fits_wcs(header: fits.Header):
    """Return the celestial coordinates as another reader has them."""
    from astropy.wcs import WCS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the pipeline's units and of CDELT beside CD
        return WCS(header).celestial


def test_one_ifu_of_an_exposure(tmp_path: Path) -> None:
    origin = files.write_exposure(tmp_path / "sci.fits")
    before = read_exposure(origin)
    first, *others = before.cubes
    copy = write_wcs_copy(origin, tmp_path / "copy.fits", {first.source: RIGHT}, step=STEP)
    after = read_exposure(copy)
    assert _data_bytes(copy) == _data_bytes(origin)
    assert offset_between(after.cube(first.ifu).wcs, RIGHT) == pytest.approx((0.0, 0.0), abs=1e-8)
    assert position_angle_deg(after.cube(first.ifu).wcs) == pytest.approx(31.0, abs=1e-9)
    for one in others:
        assert after.cube(one.ifu).wcs.wcs.compare(one.wcs.wcs)


@pytest.mark.filterwarnings("ignore:.*unpacked:napari_kmos.errors.KmosWarning")
@pytest.mark.parametrize("how", ["tiles", "gzip", "scaled integers"])
def test_however_pixels_are_stored(tmp_path: Path, how: str) -> None:
    origin = _write(tmp_path / "mosaic.fits")
    if how == "gzip":
        packed = tmp_path / "mosaic.fits.gz"
        packed.write_bytes(gzip.compress(origin.read_bytes()))
        stored = _data_bytes(origin)
        origin = packed
    else:
        with fits.open(origin) as hdus:
            for number in (1, 2):
                data, header = hdus[number].data, hdus[number].header
                if how == "tiles":
                    hdus[number] = fits.CompImageHDU(data, header, compression_type="GZIP_1")
                else:
                    hdus[number] = fits.ImageHDU(np.arange(data.size, dtype="i2").reshape(data.shape), header)
                    hdus[number].header.update({"BSCALE": 0.5, "BZERO": 3.0, "BLANK": -1})
            hdus.writeto(origin, overwrite=True)
        stored = _data_bytes(origin)
    cube = read_cube(origin)
    copy = write_wcs_copy(origin, tmp_path / "copy.fits", {cube.source: RIGHT}, step=STEP)
    assert _data_bytes(copy) == stored
    _check_sums(copy)
    assert offset_between(read_cube(copy).wcs, RIGHT) == pytest.approx((0.0, 0.0), abs=1e-8)
    np.testing.assert_array_equal(np.asarray(read_cube(copy).flux), np.asarray(cube.flux))


def test_nothing_is_left_of_a_copy_that_was_cancelled(tmp_path: Path) -> None:
    origin = _write(tmp_path / "mosaic.fits")

    def cancel(_done: int, _total: int, _text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        write_wcs_copy(origin, tmp_path / "copy.fits", {}, step=STEP, progress=cancel)
    assert [path.name for path in tmp_path.iterdir()] == ["mosaic.fits"]
    with pytest.raises(WriteError, match="exists already"):
        write_wcs_copy(origin, origin, {}, step=STEP)
