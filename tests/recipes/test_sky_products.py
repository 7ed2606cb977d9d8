"""What a sky subtraction leaves beside the cube: levels, errors and notes in header, tables and outcome."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from astropy.io import fits
from factories import make_exposure
from sky_pairs import N_PLANES, make_pair

from napari_kmos.errors import KmosWarning
from napari_kmos.io import read_json, read_table, write_exposure
from napari_kmos.recipes.sky_tweak import sky_tweak
from napari_kmos.sky import SkyParameters, subtract_sky


def write_files(folder, pair, ifu=5):
    """Write object and sky of one IFU and return their paths."""
    exposure = make_exposure(ifus=(ifu,))
    paths = []
    for name, cube in (("object", pair.target), ("sky", pair.sky)):
        own = dataclasses.replace(cube, ifu=ifu)
        arms = tuple(dataclasses.replace(arm, cube=own) if arm.number == ifu else arm for arm in exposure.arms)
        paths.append(write_exposure(dataclasses.replace(exposure, arms=arms), folder / f"{name}.fits"))
    return paths


def test_levels_and_errors_are_in_tables_header_and_outcome(tmp_path):
    pair = make_pair(shift=0.1, sigma=2.0)
    target, sky = write_files(tmp_path, pair)
    outcome = sky_tweak([target], [sky], tmp_path / "out", figures=False)

    expected = subtract_sky(pair.target, pair.sky)
    band = {band.name: band for band in expected.bands}["9-7"]
    header = fits.getheader(outcome.products[0])
    assert header["ESO QC SKY IFU5 9-7 ERROR"] == pytest.approx(band.error, rel=1e-3)
    assert header["ESO QC SKY IFU5 9-7 OVER NOISE"] == pytest.approx(band.residual_over_noise, rel=1e-2)
    assert header["ESO QC SKY IFU5 OVER NOISE"] == pytest.approx(expected.residual_over_noise, rel=1e-2)
    assert "ESO QC SKY IFU5 NOTE" not in header
    assert outcome.extras[2].name == "object_SKY_TWEAK_levels.ecsv"
    levels = read_table(outcome.extras[2])
    assert set(levels["ifu"]) == {5}
    assert levels["factor"].tolist() == pytest.approx([level.factor for level in expected.levels], rel=1e-3)
    told = outcome.measured["object_SKY_TWEAK.fits"]["ifus"]["5"]
    assert told["method"] == "levels"
    assert told["residual_over_noise"] == pytest.approx(expected.residual_over_noise, rel=1e-2)
    json.dumps(told)


def test_header_record_and_outcome_say_why_davies_stands_in(tmp_path):
    target, sky = write_files(tmp_path, make_pair(without=("7-5", "8-6", "9-7", "final bit"), sigma=2.0))
    with pytest.warns(KmosWarning):
        outcome = sky_tweak([target], [sky], tmp_path / "out", figures=False)

    note = "davies instead of levels: the sky has 0 line pixels"
    assert read_json(outcome.extras[0])["measured"]["SKY IFU5 NOTE"] == note
    assert fits.getheader(outcome.products[0])["ESO QC SKY IFU5 NOTE"].startswith("davies instead of levels: ")
    told = outcome.measured["object_SKY_TWEAK.fits"]["ifus"]["5"]
    assert (told["method"], told["note"]) == ("davies", note)
    assert not any(path.name.endswith("_levels.ecsv") for path in outcome.extras)


def test_lines_beside_those_of_the_model_are_told_and_mended_by_a_stretch(tmp_path):
    curve = 0.3 * np.linspace(-1, 1, N_PLANES) ** 2
    target, sky = write_files(tmp_path, make_pair(shift=curve, sigma=2.0))
    with pytest.warns(KmosWarning, match=r"IFU 5 star5: lines lie .* set stretch \(--stretch\)") as warned:
        outcome = sky_tweak([target], [sky], tmp_path / "out", method="davies", figures=False)
    assert len(warned) == 1
    table = read_table(outcome.extras[1])
    told = outcome.measured["object_SKY_TWEAK.fits"]["ifus"]["5"]
    for row, band in zip(table, told["bands"], strict=True):
        assert (row["misfit_pix"], row["misfit_share"]) == pytest.approx(
            (band["misfit_pix"], band["misfit_share"]), rel=1e-4, nan_ok=True
        )
    worst = max((row for row in table if np.isfinite(row["misfit_pix"])), key=lambda row: abs(row["misfit_pix"]))
    header = fits.getheader(outcome.products[0])
    for what in ("misfit_pix", "misfit_error_pix"):
        keyword = f"ESO QC SKY IFU5 {worst['band']} {what.removesuffix('_pix').replace('_', ' ')}".upper()
        assert header[keyword] == pytest.approx(worst[what], rel=1e-4)

    mended = sky_tweak(
        [target], [sky], tmp_path / "mended", method="davies", figures=False, parameters=SkyParameters(stretch=True)
    )
    header = fits.getheader(mended.products[0])
    assert header["ESO QC SKY IFU5 SHIFT LEAST"] == pytest.approx(0.0, abs=0.02)
    assert header["ESO QC SKY IFU5 SHIFT MOST"] == pytest.approx(0.3, abs=0.02)
    assert mended.measured["object_SKY_TWEAK.fits"]["ifus"]["5"]["shift_range_pix"][1] == pytest.approx(0.3, abs=0.02)
