"""Where a cube is on the sky, by astropy's own reading of the same header, and after it was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import fits_files as files
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from napari_kmos.errors import KmosWarning, NotKmosError
from napari_kmos.io import read_cube, write_cube

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

    from napari_kmos.cube import Cube

_X, _Y = np.array([0.0, 6.0, 2.3]), np.array([0.0, 0.0, 4.0])


def _projected(name: str, **cards: object) -> dict[str, object]:
    return {"CTYPE1": f"RA---{name}", "CTYPE2": f"DEC--{name}", **cards}


_ARCSEC = {"CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRVAL1": 4.0, "CRVAL2": -3.0, "CDELT1": -0.2, "CDELT2": 0.2}
_ARCSEC |= {"CD1_1": -0.2, "CD2_2": 0.2}
_HEADERS = {
    "nothing said": {},
    "FK5": {"EQUINOX": 2000.0},
    "ICRS": {"RADESYS": "ICRS", "EQUINOX": 2000.0},
    "pole": {"LONPOLE": 170.0},
    "arcsec": _ARCSEC,
    "degrees": {"CUNIT1": "degrees", "CUNIT2": "DEGREES"},
    "CAR": _projected("CAR", CRVAL2=0.0),
    "CAR, poles": _projected("CAR", CRVAL2=0.0, LONPOLE=0.0, LATPOLE=90.0),
    "SIN": _projected("SIN", PV2_1=1e-3, PV2_2=2e-3),
    "ZPN": _projected("ZPN", PV2_1=1.0, PV2_3=42.0),
}


def _positions(wcs: WCS) -> SkyCoord:
    return wcs.pixel_to_world(_X, _Y).icrs


def _read(path: Path, **cards: object) -> Cube:
    return read_cube(files.write_combined(path, files.values(), **cards))


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
@pytest.mark.parametrize("cards", _HEADERS.values(), ids=_HEADERS)
def test_positions_are_those_of_astropy(tmp_path: Path, cards: dict[str, object]) -> None:
    """Read, and read again after it was written, by us and by astropy: to a ten thousandth of a spaxel."""
    cube = _read(tmp_path / "c.fits", **cards)
    told = {"CUNIT1": "deg", "CUNIT2": "deg"} if "CUNIT1" in cards and cards is not _ARCSEC else {}
    truth = _positions(WCS(files.axes(**{**cards, **told}), naxis=2))
    written = write_cube(cube, tmp_path / "w.fits")

    for wcs in (cube.wcs, read_cube(written).wcs, WCS(fits.getheader(written, 1), naxis=2)):
        assert _positions(wcs).separation(truth).arcsec.max() < 2e-5


def test_the_frame_of_the_file_is_that_of_its_extensions(tmp_path: Path) -> None:
    """The pipeline writes it into the primary header only."""
    path = files.write_combined(tmp_path / "c.fits", files.values())
    with fits.open(path, mode="update") as hdus:
        hdus[0].header.update(RADECSYS="FK5", EQUINOX=2000.0)
    assert read_cube(path).wcs.wcs.radesys == "FK5"


@pytest.mark.parametrize("cards", [{"RADESYS": "FK4", "EQUINOX": 1950.0}, {"EPOCH": 1950.0}], ids=str)
def test_positions_of_another_equinox_are_told(tmp_path: Path, cards: dict[str, object]) -> None:
    with pytest.warns(KmosWarning, match=r"FK4 of 1950, taken as they are.*ICRS"):
        cube = _read(tmp_path / "c.fits", **cards)
    assert (cube.wcs.wcs.radesys, cube.wcs.wcs.equinox) == ("FK4", 1950.0)


def test_distortion_is_told_and_left_out(tmp_path: Path) -> None:
    """Of the product, too: astropy would apply its terms to a field without it."""
    terms = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 0.01, "B_0_2": 0.01}
    with pytest.warns(KmosWarning, match=r"distortion.*SIP.*not applied"):
        cube = _read(tmp_path / "c.fits", **_projected("TAN-SIP"), **terms)
    header = fits.getheader(write_cube(cube, tmp_path / "w.fits"), 1)
    assert header["CTYPE1"] == "RA---TAN"
    assert not terms.keys() & set(header)


def test_axes_in_another_unit_than_of_angle_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotKmosError, match=r"CUNIT2 is 'mm'; expected a unit of angle"):
        _read(tmp_path / "c.fits", CUNIT2="mm")


@pytest.mark.parametrize(("unit", "factor"), [("MICRON", 1.0), ("ANGSTROM", 1e4), ("NM", 1e3), ("Micrometer", 1.0)])
def test_units_in_capitals_are_understood(tmp_path: Path, unit: str, factor: float) -> None:
    """As SINFONI and GMOS have them."""
    cube = _read(tmp_path / "c.fits", CUNIT3=unit, CRVAL3=2.0 * factor, CDELT3=0.01 * factor)
    np.testing.assert_allclose(cube.wavelength_um, 2 + 0.01 * np.arange(-1, files.N_WAVE - 1), rtol=1e-12)
