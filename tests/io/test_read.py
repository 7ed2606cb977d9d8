"""Every layout of KMOS products is read as it is meant, lazily; what cannot be used is refused in one line."""

from __future__ import annotations

import gzip
import os
import pickle
import shutil
from pathlib import Path

import factories
import fits_files as files
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits

from napari_kmos.errors import GeometryError, KmosError, KmosWarning, NotKmosError
from napari_kmos.io import read_cube, read_exposure, read_images
from napari_kmos.io._arms import deg_to_sexagesimal, sexagesimal_to_deg


@pytest.mark.parametrize("noise", [True, False], ids=["48 extensions", "24 extensions"])
def test_exposure_has_24_arms_and_cubes_only_where_there_are_data(tmp_path: Path, noise: bool) -> None:
    """Extensions are found by name, so that both layouts give the same arms."""
    exposure = read_exposure(files.write_exposure(tmp_path / "sci.fits", noise=noise))

    assert [arm.number for arm in exposure.arms] == list(range(1, 25))
    assert [cube.ifu for cube in exposure.cubes] == [3, 22]
    assert exposure.kind == "exposure"
    assert exposure.band == "K"
    assert exposure.arms[3].role == "off"
    assert exposure.arms[3].not_used == "NotInPAF/Locked"
    cube = exposure.cube(22)
    assert (cube.name, cube.label) == ("star22", "IFU 22 star22")
    np.testing.assert_array_equal(cube.flux.compute(), files.values(22))
    assert (cube.noise is None) is not noise


def test_opening_reads_headers_only(tmp_path: Path) -> None:
    """The pixels are not touched before they are computed: they may be replaced by what looks like the same file."""
    path = files.write_exposure(tmp_path / "sci.fits")
    before = path.stat()
    cube = read_exposure(path).cube(3)
    assert cube.is_lazy
    with fits.open(path, mode="update") as hdus:
        hdus["IFU.3.DATA"].data[:] = 7.0
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert np.all(cube.flux[2].compute() == 7.0)
    assert cube.flux.dtype.isnative


def test_a_window_of_a_lazy_cube_equals_the_window_of_the_computed_one(tmp_path: Path) -> None:
    """Integers, slices and lists as indices all see the same spaxels and the same no-data."""
    data = files.values(1)
    data[:, :, 0] = 0
    data[4] = 0
    data[3, 1, 3] = 0  # a value, not missing data: also where nothing else of its plane is read
    flux = read_cube(files.write_combined(tmp_path / "c.fits", data)).flux
    whole = flux.compute()

    for key in [np.s_[3], np.s_[2:6, 1, 3], np.s_[:, 1:3, :2], np.s_[4:6, :, 0], np.s_[[1, 4, 5], 2]]:
        np.testing.assert_array_equal(flux[key].compute(), whole[key])


def test_lazy_cubes_travel_to_other_processes(tmp_path: Path) -> None:
    """A pickled cube reads the same file."""
    flux = read_cube(files.write_combined(tmp_path / "c.fits", files.values(1))).flux

    np.testing.assert_array_equal(pickle.loads(pickle.dumps(flux)).compute(), files.values(1))


def test_zeros_of_the_pipeline_are_no_data(tmp_path: Path) -> None:
    """Planes of zeros (also beside NaN columns), spaxels of zeros, and noise of zero become NaN; one zero stays."""
    data = files.values(2)
    data[:2] = 0
    data[:, :, -1] = np.nan
    data[:, 4] = 0
    data[5, 2, 2] = 0
    noise = np.full_like(data, 2.0)
    noise[6, 1, 1] = 0
    cube = read_cube(files.write_combined(tmp_path / "c.fits", data, noise=noise))
    flux = cube.flux.compute()

    assert np.isnan(flux[:2]).all()
    assert np.isnan(flux[:, 4]).all()
    assert np.isnan(flux[:, :, -1]).all()
    assert flux[5, 2, 2] == 0
    assert np.isfinite(flux[2:, :4, :-1]).all()
    assert np.isnan(cube.noise.compute()[6, 1, 1])


@pytest.mark.parametrize(
    ("name", "cards", "ifu", "target"),
    [
        ("AGN6", {"HIERARCH ESO OCS ARM15 NAME": "AGN6"}, 15, "AGN6"),
        ("IFU_22_22_22_2_etc", {"HIERARCH ESO OCS ARM22 NAME": "zmus_z1_166"}, 22, "zmus_z1_166"),
        ("star 7", {"HIERARCH ESO PRO IFUNR": 7}, 7, "star 7"),
        ("unknown", {}, None, "unknown"),
    ],
)
def test_combined_cubes_know_their_arm_from_the_header(
    tmp_path: Path, name: str, cards: dict[str, object], ifu: int | None, target: str
) -> None:
    """The names of extensions say little; IFUNR and the one ARM named in the header say more."""
    path = files.write_combined(tmp_path / "c.fits", files.values(), name=name, noise=files.values(9), **cards)
    exposure = read_exposure(path)

    assert exposure.kind == "combined"
    assert len(exposure.arms) == 1
    assert (exposure.cube().ifu, exposure.cube().name) == (ifu, target)


def test_a_field_wider_than_an_ifu_is_a_mosaic(tmp_path: Path) -> None:
    """A mosaic belongs to no IFU, even if its header was copied from one."""
    data = files.values(3, (4, 60, 50))
    path = files.write_combined(tmp_path / "m.fits", data, name="mapping", **{"HIERARCH ESO OCS ARM1 NAME": "a"})
    exposure = read_exposure(path)

    assert exposure.kind == "mosaic"
    assert exposure.cube().ifu is None
    assert exposure.cube().name == "mapping"


def test_swapped_arms_keep_their_original_number(tmp_path: Path) -> None:
    """The rotator optimisation can give a target to another arm: the arm is where the data are."""
    primary = factories.primary_header((3,), band="H", mjd=58000.0)
    primary["HIERARCH ESO OCS ARM3 ORIGARM"] = 11
    primary["HIERARCH ESO OCS ARM3 TYPE"] = "S"
    primary["HIERARCH ESO OCS ARM3 ALPHA"] = 33206.64
    primary["HIERARCH ESO OCS ARM3 DELTA"] = -4535.0
    arm = read_exposure(files.write_exposure(tmp_path / "s.fits", ifus=(3,), primary=primary)).arms[2]

    assert (arm.number, arm.original, arm.role) == (3, 11, "sky")
    assert arm.ra == pytest.approx(15 * (3 + 32 / 60 + 6.64 / 3600))
    assert arm.dec == pytest.approx(-(45 / 60 + 35 / 3600))


@pytest.mark.parametrize("degrees", [0.0, 12.3456789, -27.759722, -0.00125, 359.99999995])
def test_sexagesimal_numbers_come_back(degrees: float) -> None:
    """A thousandth of a second is the number's own resolution."""
    assert sexagesimal_to_deg(deg_to_sexagesimal(degrees)) == pytest.approx(degrees, abs=0.0006 / 3600)


@pytest.mark.parametrize(
    ("cards", "unit"),
    [
        ({"BUNIT": "erg.s**(-1).cm**(-2).angstrom**(-1)"}, u.erg / u.s / u.cm**2 / u.AA),
        ({"BUNIT": "erg s-1 cm-2 A-1"}, u.erg / u.s / u.cm**2 / u.AA),
        ({"BUNIT": "1e-20 erg/s/cm**2/A"}, u.Unit(1e-20 * u.erg / u.s / u.cm**2 / u.AA)),
        ({"BUNIT": "1E-17 erg/s/cm^2/Ang/spaxel"}, u.Unit(1e-17 * u.erg / u.s / u.cm**2 / u.AA)),
        ({"HIERARCH ESO QC CUBE_UNIT": "ADU/sec"}, u.adu / u.s),
        ({}, None),
    ],
)
def test_unit_comes_from_bunit_or_the_pipeline_or_is_unknown(
    tmp_path: Path, cards: dict[str, object], unit: u.UnitBase | None
) -> None:
    """In every spelling that is met; per A is per Angstrom."""
    path = files.write_combined(tmp_path / "c.fits", files.values(), **cards)

    assert read_cube(path).unit == unit


def test_a_unit_that_is_not_understood_is_unknown_and_said_so(tmp_path: Path) -> None:
    """No guess is made."""
    path = files.write_combined(tmp_path / "c.fits", files.values(), BUNIT="bananas/fortnight")
    with pytest.warns(KmosWarning, match="'bananas/fortnight'.*taken as unknown"):
        assert read_cube(path).unit is None


def test_wavelength_axis_counts_from_its_reference_pixel_in_any_unit_of_length(tmp_path: Path) -> None:
    """CRPIX3 is 1-based; nanometre and metre become micron."""
    nm = {"CUNIT3": "nm", "CRVAL3": 2000.0, "CDELT3": 10.0}
    first = read_cube(files.write_combined(tmp_path / "um.fits", files.values()))
    second = read_cube(files.write_combined(tmp_path / "nm.fits", files.values(), **nm, CTYPE3="AWAV"))

    np.testing.assert_allclose(first.wavelength_um, 2.0 + 0.01 * (np.arange(12) - 1), rtol=1e-12)
    np.testing.assert_allclose(second.wavelength_um, first.wavelength_um, rtol=1e-12)
    assert (first.medium, second.medium) == ("vacuum", "air")


def _rotated(form: str) -> dict[str, object]:
    """Return a rotation by 30 degrees in one of the three forms FITS has for it."""
    scale, cos, sin = 0.2 / 3600, np.cos(np.pi / 6), np.sin(np.pi / 6)
    none = dict.fromkeys(("CD1_1", "CD1_2", "CD2_1", "CD2_2"))
    if form == "CD":
        return {"CD1_1": -scale * cos, "CD1_2": -scale * sin, "CD2_1": -scale * sin, "CD2_2": scale * cos}
    if form == "PC":
        return none | {"PC1_1": cos, "PC1_2": sin, "PC2_1": -sin, "PC2_2": cos}
    return none | {"CROTA2": -30.0}


@pytest.mark.parametrize("form", ["CD", "PC", "CROTA"])
def test_rotation_is_read_in_every_form(tmp_path: Path, form: str) -> None:
    """Held against astropy's own reading of the same header."""
    path = files.write_combined(tmp_path / "c.fits", files.values(), **_rotated(form))
    wcs = read_cube(path).wcs
    x, y = np.array([0.0, 6.0, 2.0]), np.array([0.0, 1.0, 4.0])
    from astropy.wcs import WCS

    header = files.axes(**_rotated(form))
    if form == "CD":
        for key in ("CDELT1", "CDELT2"):
            del header[key]

    for key in ("CTYPE3", "CUNIT3", "CRPIX3", "CRVAL3", "CDELT3"):
        del header[key]
    expected = WCS(header, naxis=2).wcs_pix2world(x, y, 0)
    np.testing.assert_allclose(wcs.wcs_pix2world(x, y, 0), expected, rtol=0, atol=1e-9)


def test_images_and_exposure_masks_are_read_with_their_zeros(tmp_path: Path) -> None:
    """Zero exposures is a count, not missing data."""
    mask = np.array([[0, 1, 2], [3, 0, 0]], dtype=np.int16)
    image = read_images(files.write_combined(tmp_path / "mask.fits", mask, name="A"))[0]

    np.testing.assert_array_equal(image.data, mask)
    with pytest.raises(NotKmosError, match=r"no cube in it: A\.DATA.*read_images"):
        read_exposure(tmp_path / "mask.fits")


def test_compressed_and_scaled_files_hold_the_same_values(tmp_path: Path) -> None:
    """gzip, tile compression and scaled integers, with a blank."""
    data = files.values(4)
    plain = files.write_combined(tmp_path / "c.fits", data)
    with plain.open("rb") as source, gzip.open(tmp_path / "c.fits.gz", "wb") as target:
        shutil.copyfileobj(source, target)
    tiled = fits.CompImageHDU(data, header=files.axes(), name="A.DATA", compression_type="GZIP_2", quantize_level=0)
    fits.HDUList([fits.PrimaryHDU(), tiled]).writeto(tmp_path / "c.fits.fz")
    scaled = fits.ImageHDU((data * 100).astype(np.int16), header=files.axes(), name="A.DATA")
    scaled.data[3, 2, 1] = -999
    scaled.header["BSCALE"], scaled.header["BZERO"], scaled.header["BLANK"] = 0.01, 5.0, -999
    fits.HDUList([fits.PrimaryHDU(), scaled]).writeto(tmp_path / "scaled.fits")

    with pytest.warns(KmosWarning, match=r"c\.fits\.gz: is compressed.*are unpacked into.*gunzip"):
        np.testing.assert_array_equal(read_cube(tmp_path / "c.fits.gz").flux.compute(), data)
    np.testing.assert_array_equal(read_cube(tmp_path / "c.fits.fz").flux[2:4].compute(), data[2:4])
    stored = read_cube(tmp_path / "scaled.fits").flux.compute()
    assert np.isnan(stored[3, 2, 1])
    np.testing.assert_allclose(np.delete(stored.ravel(), 3 * 35 + 15), np.delete(data.ravel(), 120) + 5, atol=0.011)


def _truncated(path: Path) -> Path:
    files.write_combined(path, files.values(), noise=files.values(1))
    path.write_bytes(path.read_bytes()[:-2880])
    return path


def _cut_between(path: Path) -> Path:
    """Return a file that ends where an extension ends: nothing in it is broken."""
    files.write_exposure(path)
    with fits.open(path) as hdus:
        fits.HDUList([hdu.copy() for hdu in hdus[:30]]).writeto(path.with_name("cut.fits"))
    return path.with_name("cut.fits")


def _without(path: Path, extension: str) -> Path:
    files.write_exposure(path)
    with fits.open(path) as hdus:
        del hdus[extension]
        hdus.writeto(path.with_name("less.fits"))
    return path.with_name("less.fits")


def _text(path: Path) -> Path:
    path.write_text("this is no FITS file, " * 200)
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _table(path: Path) -> Path:
    fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1.0])], name="SPEC").writeto(path)
    return path


def _twice(path: Path) -> Path:
    """An exposure with the same cube two times."""
    files.write_exposure(path)
    with fits.open(path, mode="append") as hdus:
        hdus.append(hdus["IFU.3.DATA"].copy())
    return path


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda p: p, "no such file"),
        (_folder, "is a folder"),
        (_text, "not a FITS file"),
        (lambda p: (p.write_bytes(b"") and p) or p, "not a FITS file"),
        (_table, "no cube in it: SPEC"),
        (_truncated, "truncated"),
        (_cut_between, "no extension for IFU 22, which the header says was used"),
        (_twice, r"two cubes are called IFU.3.DATA; expected one of each IFU"),
        (lambda p: _without(p, "IFU.3.NOISE"), r"IFU\.3\.DATA.*NOISE extension is missing"),
        (lambda p: _without(p, "IFU.3.DATA"), r"IFU\.3\.NOISE.*no DATA extension"),
        (lambda p: files.write_combined(p, files.values(), CTYPE3="STOKES"), "CTYPE3 is 'STOKES'"),
        (lambda p: files.write_combined(p, files.values(), CDELT3=0.0), "CDELT3 is 0.0"),
        (lambda p: files.write_combined(p, files.values(), CUNIT3="kg"), "CUNIT3 is 'kg'"),
        (lambda p: files.write_combined(p, files.values(), CTYPE1="LINEAR"), "CTYPE1 is 'LINEAR'"),
        (lambda p: files.write_combined(p, files.values(), CRVAL1=None), "CRVAL1 is missing"),
        (lambda p: files.write_combined(p, files.values(), CD1_1=0.0, CD2_2=0.0), "spaxel size is zero"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(tmp_path: Path, make, match: str) -> None:
    """One line that names the file and the fault, whatever was given."""
    path = make(tmp_path / "bad.fits")
    with pytest.raises(NotKmosError, match=match) as error:
        read_exposure(path)

    assert "\n" not in str(error.value)
    assert path.name in str(error.value)


def test_noise_of_another_shape_is_refused(tmp_path: Path) -> None:
    """Both shapes are named."""
    path = files.write_combined(tmp_path / "c.fits", files.values(), noise=files.values(1, (12, 5, 6)))
    with pytest.raises(GeometryError, match=r"\(12, 5, 7\), NOISE \(12, 5, 6\)"):
        read_exposure(path)


def test_an_unknown_ifu_is_named_with_those_there_are(tmp_path: Path) -> None:
    """Also where several cubes leave a choice."""
    path = files.write_exposure(tmp_path / "sci.fits")
    with pytest.raises(KmosError, match="no data for IFU 4; IFUs with data: 3, 22"):
        read_cube(path, 4)
    with pytest.raises(KmosError, match="2 cubes where one was expected"):
        read_cube(path)


@pytest.mark.realdata
def test_the_real_cube_is_read(real_data: Path) -> None:
    """A combined cube of 2014: no unit, zeros at the ends and the borders, one column of NaN."""
    exposure = read_exposure(real_data / "kmos_combined_yj_ifu22.fits")
    cube = exposure.cube()
    flux = cube.flux.compute()

    assert (exposure.kind, exposure.band, cube.ifu, cube.name, cube.unit) == ("combined", "YJ", 22, "zmus_z1_166", None)
    assert cube.shape == (2048, 14, 15)
    assert cube.wavelength_um[0] == pytest.approx(1.0)
    assert np.isnan(flux).all(axis=(1, 2)).sum() == 147
    assert np.isfinite(flux[1000, :, 1:13]).all()


def test_relative_name_holds_in_another_folder(tmp_path, monkeypatch):
    """A lazy cube is read where it was opened: workers of a cluster stand in another folder."""
    path = files.write_exposure(tmp_path / "a.fits", ifus=(3, 22))
    monkeypatch.chdir(tmp_path)
    cube = read_cube(path.name, ifu=3)
    monkeypatch.chdir("/")
    assert np.isfinite(np.asarray(cube.flux)).any()
