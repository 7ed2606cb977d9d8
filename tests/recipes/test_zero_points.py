"""Zero points of the wavelengths: from the sky lines, from headers or a table, and lines that they keep sharp."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.io import fits
from factories import make_exposure

from napari_kmos.cli.main import main
from napari_kmos.combine import CombineParameters
from napari_kmos.errors import KmosError, KmosWarning
from napari_kmos.instrument import BANDS
from napari_kmos.io import ZeroPointRow, read_cube, read_zero_points, write_exposure, write_zero_points
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.sky_tweak import sky_tweak
from napari_kmos.simulate.lsf import Lsf, spread_lines
from napari_kmos.spectral import sky_lines

N, SHAPE = 2048, (2048, 5, 6)
#: Planes by which the lines of each exposure lie too far.
SHIFTS = (0.45, -0.6, 0.1)
AVERAGE = CombineParameters(cmethod="average")
pytestmark = pytest.mark.filterwarnings("error::napari_kmos.errors.KmosWarning")


def sky(shift):
    lines = sky_lines("K")
    start, end = BANDS["K"].start_um, BANDS["K"].end_um
    place = (lines.wavelength_um - start) / (end - start) * N + shift
    return 100 * spread_lines(place, lines.strength / lines.strength.max(), N, lsf=Lsf(fwhm_pix=1.9))


def exposure(number, *, object_line=0.0, with_sky=True, ifus=(3, 5)):
    """Exposure whose lines are shifted; the object has a line in plane 1000, far brighter than those of the sky."""
    made = make_exposure(ifus=ifus, mjd=59000.2 + number, seed=number, shape=SHAPE, stars=(), sigma=0.1)
    shift = SHIFTS[number]
    own = object_line * np.exp(-0.5 * ((np.arange(N) - 1000 - shift) / 1.5) ** 2)
    for cube in made.cubes:
        cube.flux[:] += (with_sky * sky(shift) + own).astype(np.float32)[:, None, None]
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shifted")
    return [write_exposure(exposure(n, object_line=5000.0), folder / f"exp{n}.fits") for n in range(len(SHIFTS))]


def line_of(path):
    """Centre and width of the object's line in a product."""
    spectrum = np.nanmean(np.asarray(read_cube(path).flux), axis=(1, 2))[985:1016]
    weights = spectrum - np.median(spectrum)
    planes = np.arange(985, 1016)
    centre = np.average(planes, weights=weights)
    return centre, np.sqrt(np.average((planes - centre) ** 2, weights=weights))


def test_measured_on_the_sky_lines_and_taken_out(files, tmp_path):
    outcome = combine(files, tmp_path, each="ifu", parameters=AVERAGE, zero_points="measure")
    centre, width = line_of(outcome.products[0])
    assert centre == pytest.approx(1000, abs=0.02)
    assert width == pytest.approx(1.5, rel=0.01)
    without = line_of(combine(files, tmp_path / "no", each="ifu", parameters=AVERAGE).products[0])
    # the mean of shifted lines is as broad as their scatter adds to the width
    assert without[1] == pytest.approx(np.hypot(1.5, np.std(SHIFTS)), rel=0.01)
    assert without[0] == pytest.approx(1000 + np.mean(SHIFTS), abs=0.02)


def test_what_was_taken_out_is_told(files, tmp_path):
    outcome = combine(files, tmp_path, each="ifu", parameters=AVERAGE, zero_points="measure")
    header = fits.getheader(outcome.products[0])
    assert [header[f"ESO QC COMBINE ZERO{n}"] for n in (1, 2, 3)] == pytest.approx(SHIFTS, abs=0.01)
    assert header["ESO QC WAVE ZERO IFU3"] == 0
    told = outcome.measured["COMBINE_IFU3.fits"]["exposures"]
    assert [one["zero_pix"] for one in told] == pytest.approx(SHIFTS, abs=0.01)
    rows = read_zero_points(tmp_path / "COMBINE_IFU3_zero_points.ecsv")
    assert [(row.file, row.ifu) for row in rows] == [(f"exp{n}.fits", 3) for n in range(3)]
    # given back as a table, edited or not, it does the same
    table = write_zero_points(rows, tmp_path / "mine.ecsv")
    words = ["combine", *map(str, files), "-o", str(tmp_path / "again"), "--ifus", "3", "--zero-points", str(table)]
    assert main([*words, "--cmethod", "average"]) == 0
    np.testing.assert_allclose(line_of(tmp_path / "again/COMBINE_IFU3.fits"), line_of(outcome.products[0]), atol=1e-3)
    # combined once more, nothing is left to be taken out
    once_more = combine(outcome.products[:1], tmp_path / "more", zero_points="header")
    assert once_more.measured["COMBINE_star3.fits"]["exposures"][0]["zero_pix"] == 0


def test_sky_tweak_hands_over_what_it_takes_away(files, tmp_path):
    skies = [write_exposure(exposure(2), tmp_path / "sky.fits")]
    tweaked = sky_tweak(files[:2], skies, tmp_path / "tweaked", method="plain", figures=False).products
    header = fits.getheader(tweaked[1])
    assert header["ESO QC WAVE ZERO IFU5"] == pytest.approx(SHIFTS[1], abs=0.01)
    assert 0 < header["ESO QC WAVE ZERO IFU5 ERROR"] < 0.02
    outcome = combine(tweaked, tmp_path, each="ifu", parameters=AVERAGE, zero_points="header")
    told = outcome.measured["COMBINE_IFU5.fits"]["exposures"]
    assert [one["zero_pix"] for one in told] == pytest.approx(SHIFTS[:2], abs=0.01)
    with pytest.raises(KmosError, match=r"SKY_TWEAK.*its sky has been subtracted.*--zero-points header"):
        combine(tweaked, tmp_path / "no", zero_points="measure")


def test_an_ifu_without_lines_takes_that_of_the_others(tmp_path):
    made = exposure(0)
    made.cube(5).flux[:] = np.random.default_rng(1).standard_normal(SHAPE)
    path = write_exposure(made, tmp_path / "exp.fits")
    with pytest.warns(KmosWarning, match=r"IFU\.5\.DATA.*too few sky lines.*other IFUs"):
        outcome = combine([path], tmp_path, each="ifu", zero_points="measure")
    assert outcome.measured["COMBINE_IFU5.fits"]["exposures"][0]["zero_pix"] == pytest.approx(SHIFTS[0], abs=0.01)
    alone = write_exposure(exposure(0, with_sky=False, ifus=(3,)), tmp_path / "alone.fits")
    with pytest.raises(KmosError, match="too few sky lines stand out"):
        combine([alone], tmp_path / "no", zero_points="measure")
    assert not list(tmp_path.glob("no/*"))


def test_zero_points_that_are_nowhere(files, tmp_path):
    with pytest.raises(KmosError, match=r"exp0\.fits: its header has no wavelength zero point; subtract its sky"):
        combine(files, tmp_path, zero_points="header", parameters=AVERAGE)
    with pytest.raises(KmosError, match="zero points are 'heeder'; expected none, header, measure, or a table"):
        combine(files, tmp_path, zero_points="heeder", parameters=AVERAGE)
    row = ZeroPointRow(file="exp0.fits", ifu=None, zero_pix=0.1)
    table = write_zero_points([row], tmp_path / "one.ecsv")
    assert read_zero_points(table)[0] == dataclasses.replace(row, err_pix=pytest.approx(np.nan, nan_ok=True))
    with pytest.raises(KmosError, match=r"exp1\.fits.*: no row in .*one\.ecsv; add it"):
        combine(files, tmp_path / "out", zero_points=table, parameters=AVERAGE)
    rows = [ZeroPointRow(file=f"exp{n}.fits", ifu=None, zero_pix=206.0 * (n == 1)) for n in range(len(files))]
    table = write_zero_points(rows, tmp_path / "far.ecsv")
    with pytest.raises(KmosError, match=r"exp1\.fits.*: zero_pix is 206 in .*far\.ecsv; expected planes, 205 at most"):
        combine(files, tmp_path / "out", zero_points=table, parameters=AVERAGE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file ifu\na.fits 3\n", "column zero_pix missing"),
        ("file ifu zero_pix\na.fits 3 much\n", "row 1 cannot be understood"),
        ("file ifu zero_pix\na.fits 3 nan\n", "zero_pix is nan; expected a number of planes"),
    ],
)
def test_tables_that_cannot_be_used(text, said, tmp_path):
    path = tmp_path / "zero.txt"
    path.write_text(text)
    with pytest.raises(KmosError, match=said):
        read_zero_points(path)
