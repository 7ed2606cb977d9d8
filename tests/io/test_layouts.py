"""Cubes of every layout, compression and kind of axis come out alike: ascending micron, (wavelength, y, x), 1 sigma."""

from __future__ import annotations

import warnings
from pathlib import Path

import foreign_files
import numpy as np
import pytest
from astropy.io import fits

from napari_kmos.errors import KmosWarning, NotKmosError
from napari_kmos.io import read_cube, read_exposure, write_cube


@pytest.mark.parametrize("compression", ["none", "gz", "fz"])
@pytest.mark.parametrize("axis", foreign_files.AXES)
@pytest.mark.parametrize("layout", foreign_files.LAYOUTS)
def test_the_readers_matrix(tmp_path: Path, layout: str, compression: str, axis: str) -> None:
    """Planes, spectra and everything between are the truth that was written; only compression has something to say."""
    path, truth = foreign_files.write_foreign(tmp_path, layout, compression, axis)
    with warnings.catch_warnings():
        if compression != "none":
            warnings.filterwarnings("ignore", "(?s).*is compressed", KmosWarning)
        cube = read_cube(path)
        whole = [None if array is None else array.compute() for array in (cube.flux, cube.noise)]
        spectrum, planes = cube.flux[:, 1:3, 2].compute(), cube.flux[2:4].compute()

    np.testing.assert_array_equal(whole[0], truth.flux)
    np.testing.assert_array_equal(spectrum, truth.flux[:, 1:3, 2])
    np.testing.assert_array_equal(planes, truth.flux[2:4])
    assert (whole[1] is None) is (truth.noise is None)
    if truth.noise is not None:
        # A variance in float32 and its root: three roundings of 6e-8.
        np.testing.assert_allclose(whole[1], truth.noise, rtol=3e-7)
    np.testing.assert_allclose(cube.wavelength_um, truth.wavelength_um, rtol=1e-12)
    assert cube.medium == truth.medium
    assert cube.flux.dtype == np.float32
    assert cube.is_lazy
    # The reference pixel is (y, x) = (1, 2) from zero; y is north, x west.
    ra, dec = cube.wcs.wcs_pix2world([2.0, 2.0], [1.0, 2.0], 0)
    np.testing.assert_allclose(ra, foreign_files.factories.RA, atol=1e-9)
    np.testing.assert_allclose(dec - foreign_files.factories.DEC, [0, 0.2 / 3600], atol=1e-9)


def _write(tmp_path: Path, *, layout: str = "DATA STAT DQ", axis: str = "WAVE um", **changes: object) -> Path:
    """Write a cube with other cards in all its extensions; None takes a card out."""
    path, _ = foreign_files.write_foreign(tmp_path, layout, "none", axis)
    with fits.open(path, mode="update") as hdus:
        for hdu in hdus:
            for key, value in changes.items():
                if hdu.data is None or value is None:
                    hdu.header.remove(key, ignore_missing=True)
                else:
                    hdu.header[key] = value
    return path


@pytest.mark.parametrize(
    ("axis", "changes", "match"),
    [
        ("VOPT km/s", {"RESTWAV": None}, "CTYPE3 is 'VOPT', and RESTFRQ and RESTWAV are missing"),
        ("FREQ GHz", {"CUNIT3": "um"}, "CUNIT3 is 'um'; expected a unit of frequency such as Hz"),
        ("LINEAR nm", {"CUNIT3": None}, "CUNIT3 is ''; expected a unit of length such as um"),
        ("WAVE um", {"CTYPE3": "STOKES"}, "CTYPE3 is 'STOKES'; expected a spectral axis"),
        ("WAVE um", {"CTYPE3": "WAVE-TAB"}, "CTYPE3 is 'WAVE-TAB'; expected a spectral axis"),
        ("WAVE, no unit", {"CRVAL3": 5000.0}, "CUNIT3 is missing, and 4999.99 to 5000.04 um is no wavelength"),
        ("WAVE um", {"CRVAL3": -1.0}, "axis 3 runs from -1.01 to -0.96 um; expected positive"),
        ("WAVE um", {"PC3_1": 0.5}, "PC3_1 is 0.5; expected 0"),
        ("WAVE um", {"CTYPE1": None, "CTYPE2": None}, "CTYPE1 is '', CTYPE2 is '', CTYPE3 is 'WAVE'; expected world"),
        ("WAVE um", {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR"}, "CTYPE1 is 'GLON-CAR'"),
    ],
)
def test_axes_that_make_no_sense_are_refused_with_the_keyword(tmp_path: Path, axis: str, changes, match: str) -> None:
    """One line that names extension and keyword."""
    path = _write(tmp_path, layout="bare", axis=axis, **changes)
    with pytest.raises(NotKmosError, match=match) as error:
        read_cube(path)

    assert "\n" not in str(error.value)
    assert path.name in str(error.value)


def test_a_further_axis_with_elements_is_named(tmp_path: Path) -> None:
    """Four Stokes parameters are four cubes: which one is meant nobody can tell."""
    path, _ = foreign_files.write_foreign(tmp_path, "bare", "none", "four axes")
    with fits.open(path) as hdus:
        fits.PrimaryHDU(np.repeat(hdus[0].data, 2, axis=1), header=hdus[0].header).writeto(tmp_path / "two.fits")
    with pytest.raises(NotKmosError, match=r"axis 3 \(STOKES\) has 2 elements beside the spectral axis 4"):
        read_cube(tmp_path / "two.fits")


@pytest.mark.parametrize("name", ["FELO-HEL", "VELO-LSR"])
def test_velocities_with_the_names_of_aips(tmp_path: Path, name: str) -> None:
    """FELO is even in frequency: between its planes the optical velocity grows; VELO of an optical VELREF is VOPT."""
    path = _write(tmp_path, layout="bare", axis="VOPT km/s", CTYPE3=name, VELREF=1)
    wave = read_cube(path).wavelength_um
    expected = foreign_files.AXES["VOPT km/s"].wavelength_um
    if name == "FELO-HEL":
        # d(lambda) at the reference pixel is that of the velocity step, and frequencies are even.
        step = (expected[1] - expected[0]) / expected[1] ** 2
        expected = 1 / (1 / expected[1] - step * (np.arange(foreign_files.N_WAVE) - 1))

    np.testing.assert_allclose(wave, expected, rtol=1e-9)


def test_what_cannot_be_used_beside_what_can_is_warned_of(tmp_path: Path) -> None:
    """A variance of another shape, and a cube with a name that says nothing; the flux is read all the same."""
    path = _write(tmp_path)
    with fits.open(path) as hdus:
        hdus["STAT"].data = hdus["STAT"].data[1:]
        hdus.append(fits.ImageHDU(hdus["DATA"].data, header=hdus["DATA"].header, name="RESIDUAL"))
        hdus.writeto(tmp_path / "other.fits")
    with pytest.warns(KmosWarning, match=r"not used: RESIDUAL \(its name.*STAT \(has shape \(5, 4, 5\), the flux"):
        exposure = read_exposure(tmp_path / "other.fits")

    assert exposure.cube().noise is None
    assert [name for name, _ in exposure.unused] == ["RESIDUAL", "STAT"]


def test_all_reasons_are_given_where_nothing_can_be_used(tmp_path: Path) -> None:
    """Each extension with its own."""
    path = _write(tmp_path, layout="bare", CTYPE3="STOKES")
    with fits.open(path, mode="append") as hdus:
        hdus.append(fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1.0])], name="SPEC"))
        hdus.append(fits.ImageHDU(hdus[0].data, name="MODEL"))
    with pytest.raises(NotKmosError, match=r"SPEC \(a table\), PRIMARY \(CTYPE3 is .*\), MODEL \(CTYPE1 is ''"):
        read_cube(path)


@pytest.mark.parametrize(
    ("names", "unused"),
    [
        (("", "ERROR", "ERRWEIGHT", "BADPIX"), ["ERRWEIGHT"]),  # CALIFA
        (("flux", "ivar", "mask"), ["mask"]),  # MaNGA, in small letters
        (("SCI", "VAR", "DQ"), []),  # Gemini
        (("CUBE", "UNCERTAINTY"), []),  # a name that says nothing, and nothing else is flux
    ],
)
def test_names_of_further_instruments(tmp_path: Path, names: tuple[str, ...], unused: list[str]) -> None:
    """Flux and noise are found, and weights and masks of unknown meaning are no reason to warn."""
    pixels = np.ones((foreign_files.N_WAVE, foreign_files.N_Y, foreign_files.N_X), dtype=np.int16)
    header = fits.getheader(_write(tmp_path, layout="bare"))
    hdus = [fits.PrimaryHDU(pixels * 4, header=header) if not names[0] else fits.PrimaryHDU()]
    for name in filter(None, names):
        values = pixels * {"BADPIX": 0, "DQ": 0}.get(name, 4)
        hdus.append(fits.ImageHDU(values, header=header))
        hdus[-1].header["EXTNAME"] = name
    fits.HDUList(hdus).writeto(tmp_path / "c.fits")
    exposure = read_exposure(tmp_path / "c.fits")

    sigma = {"IVAR": 0.5, "VAR": 2.0}.get(names[1].upper(), 4.0)
    np.testing.assert_array_equal(exposure.cube().flux.compute(), 4.0)
    np.testing.assert_allclose(exposure.cube().noise.compute(), sigma)
    assert [name for name, _ in exposure.unused] == unused


def test_several_cubes_of_one_name_are_paired_by_their_version(tmp_path: Path) -> None:
    """SCI and ERR twice: EXTVER says which belong together."""
    path = _write(tmp_path, layout="SCI ERR DQ")
    with fits.open(path) as hdus:
        for name, factor in (("SCI", 1), ("ERR", 10)):
            copy = fits.ImageHDU(hdus[name].data * factor, header=hdus[name].header, name=name, ver=2)
            hdus.append(copy)
        hdus.writeto(tmp_path / "two.fits")
    first, second = read_exposure(tmp_path / "two.fits").cubes

    ratio = second.noise.compute() / first.noise.compute()
    np.testing.assert_allclose(ratio[np.isfinite(ratio)], 10, rtol=1e-6)


def test_a_foreign_cube_comes_back_as_it_was_written_by_us(tmp_path: Path) -> None:
    """Keywords that say how the input was laid out would be lies in the product."""
    path, truth = foreign_files.write_foreign(tmp_path, "ESO", "none", "wavelength first")
    again = read_cube(write_cube(read_cube(path), tmp_path / "out.fits"))

    np.testing.assert_array_equal(again.flux.compute(), truth.flux)
    np.testing.assert_allclose(again.noise.compute(), truth.noise, rtol=3e-7)
