"""What is left of the sky, by line group, against what was put in."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from factories import make_cube
from leftover_sky import SHAPE, leftover, with_leftover
from scipy import ndimage

from napari_kmos.errors import SkyError
from napari_kmos.io import read_cube
from napari_kmos.sky import SecondPassParameters, measure_residual, residuals_by_group

STAR = ((3.3, 6.7, 4000.0),)


@pytest.fixture(scope="module")
def clean():
    """Noise and a star."""
    return make_cube(shape=SHAPE, stars=STAR, background=0.0)


def _row(table, group):
    (row,) = table[table["group"] == group]
    return row


def test_noise_alone_is_noise(clean):
    """Within 10 % for all groups of 20 planes or more: the scatter of 20 planes is 16 %, of 99 spaxels in them 2 %."""
    table = residuals_by_group(clean)
    known = table[table["n_planes"] >= 20]
    assert len(known) > 5
    assert known["per_spaxel"] == pytest.approx(np.ones(len(known)), abs=0.1)
    assert np.sqrt(np.average(known["mean"] ** 2, weights=known["n_planes"])) == pytest.approx(1, abs=0.1)
    assert np.max(np.abs(table["line"] / table["line_error"])[:-2]) < 4
    assert set(table["ifu"]) == {5}


def test_every_plane_with_data_has_one_group(clean):
    flux = clean.flux.copy()
    flux[:30] = flux[-20:] = np.nan
    residual = measure_residual(dataclasses.replace(clean, flux=flux))
    assert set(residual.member[30:-20]) == {group.group for group in residual.groups}
    assert set(residual.member[:30]) == set(residual.member[-20:]) == {""}
    assert sum(group.n_planes for group in residual.groups) == SHAPE[0] - 50
    assert [group.group for group in residual.groups[-2:]] == ["other", "edge"]
    assert residual.groups[-1].n_planes == 50


@pytest.mark.parametrize("height", [3.0, -2.0])
def test_too_little_is_positive_and_too_much_negative(clean, height):
    """The height of the brightest plane to 30 %: lines are expected to be broader than these, 3 instead of 2 planes."""
    row = _row(residuals_by_group(with_leftover(clean, height)), "9-7 low")
    brightest = leftover(clean)[measure_residual(clean).member == "9-7 low"].max()
    assert row["line"] / (height * brightest) == pytest.approx(1, abs=0.3)
    assert abs(row["line"]) > 8 * row["line_error"]
    assert abs(row["shift"]) < 0.3 * abs(row["line"])
    assert row["mean"] > 1.4


@pytest.mark.parametrize("shift", [0.1, -0.1])
def test_lines_that_were_moved_have_the_sign_of_their_move(clean, shift):
    lines = 100 * leftover(clean)
    moved = (ndimage.shift(lines, shift) - lines)[:, None, None]
    row = _row(residuals_by_group(dataclasses.replace(clean, flux=clean.flux + moved.astype(np.float32))), "9-7 mid")
    assert row["shift"] * np.sign(shift) > 20 * row["shift_error"]
    assert abs(row["line"]) < 0.3 * abs(row["shift"])


def test_spaxels_with_a_star_are_left_out(clean):
    residual = measure_residual(clean)
    assert not residual.starless[2:5, 5:8].any()
    assert residual.starless[:, :2].all()
    assert residual.empty_share == pytest.approx(residual.starless.mean())


def test_continuum_and_gaps_change_nothing_much(clean):
    """A slope of 10 sigma and 1 % of the voxels gone or wrong: less than a third of the error of the mean."""
    rng = np.random.default_rng(3)
    before = measure_residual(clean)
    flux = clean.flux + np.linspace(-5, 5, SHAPE[0], dtype=np.float32)[:, None, None]
    flux[rng.random(SHAPE) < 0.005] = np.nan
    after = measure_residual(dataclasses.replace(clean, flux=flux))
    assert np.sqrt(np.mean(((after.spectrum - before.spectrum) / before.error) ** 2)) < 0.33


def test_noise_is_estimated_where_there_is_none(clean):
    residual = measure_residual(dataclasses.replace(clean, noise=None))
    assert residual.residual_over_noise == pytest.approx(1, abs=0.15)


def test_cube_without_data_is_told(clean):
    empty = dataclasses.replace(clean, flux=np.full(SHAPE, np.nan, dtype=np.float32))
    with pytest.raises(SkyError, match=r"IFU 5 target: has no data \(all NaN\)"):
        measure_residual(empty)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"empty_share": 1.5}, "empty_share is 1.5"),
        ({"line_fwhm": 0.0}, "line_fwhm is 0.0"),
        ({"rotation_low": 6}, "rotation_low is 6 and rotation_mid 5"),
        ({"continuum_planes": 0}, "continuum_planes is 0"),
    ],
)
def test_parameters_that_make_no_sense_are_told(changes, match):
    with pytest.raises(SkyError, match=match):
        SecondPassParameters(**changes)


@pytest.mark.realdata
def test_real_cube_has_more_left_on_lines_than_beside(real_data):
    """A combined cube of the pipeline, sky subtracted."""
    path = real_data / "kmos_combined_yj_ifu22.fits"
    if not path.exists():
        pytest.skip(f"{path.name} is not there")
    table = residuals_by_group(read_cube(path))
    beside = _row(table, "other")["mean"]
    assert _row(table, "7-4 low")["mean"] > 1.5 * beside
    assert _row(table, "7-4 low")["line"] < -3 * _row(table, "7-4 low")["line_error"]
