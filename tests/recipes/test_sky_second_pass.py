"""The second pass on files: products, what they say of it, and what cannot have one."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from astropy.io import fits
from factories import make_exposure
from leftover_sky import leftover_exposure

from napari_kmos.errors import KmosWarning, SkyError, WriteError
from napari_kmos.io import read_exposure, read_json, read_table, write_cube, write_exposure
from napari_kmos.progress import Cancelled
from napari_kmos.recipes import sky_second_pass as recipe
from napari_kmos.recipes.sky_second_pass import sky_second_pass

GAINS = {1: 1.0, 2: 1.0, 3: 0.7, 9: 1.1}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """An exposure of four IFUs, the first full of stars, the last alone on its detector."""
    exposure = leftover_exposure(GAINS, crowded=(1,))
    return write_exposure(exposure, tmp_path_factory.mktemp("second_pass") / "object.fits")


@pytest.fixture(scope="module")
def done(file):
    """The recipe's outcome."""
    return sky_second_pass([file], file.parent / "out")


def test_product_has_the_layout_of_the_input_and_less_on_the_lines(file, done):
    assert [path.name for path in done.products] == ["object_SECOND_PASS.fits"]
    assert [path.name for path in done.extras] == [
        "object_residuals.ecsv", "object_residuals.png", "object_SECOND_PASS.json",
    ]  # fmt: skip
    with fits.open(done.products[0], checksum=True) as hdus, fits.open(file) as before:
        assert [hdu.name for hdu in hdus] == [hdu.name for hdu in before]
        assert hdus[0].header["ESO PRO CATG"] == "SECOND_PASS"
        assert "sky-second-pass: object.fits" in str(hdus[0].header["HISTORY"])
        for ifu in GAINS:
            assert np.std(hdus[f"IFU.{ifu}.DATA"].data) < np.std(before[f"IFU.{ifu}.DATA"].data)
            assert np.all(hdus[f"IFU.{ifu}.NOISE"].data >= before[f"IFU.{ifu}.NOISE"].data)
    assert (done.extras[1]).read_bytes().startswith(b"\x89PNG")


def test_header_record_table_and_outcome_tell_the_same(done):
    header, record = fits.getheader(done.products[0]), read_json(done.extras[2])
    told = done.measured["object_SECOND_PASS.fits"]
    table = read_table(done.extras[0])
    assert header["ESO QC SECOND EMPTIER"] == record["measured"]["SECOND EMPTIER"] == "2,3,9"
    assert told["emptier"] == [2, 3, 9]
    assert header["ESO QC SECOND IFU3 FROM"] == "2"
    assert told["ifus"]["3"]["from"] == [2]
    assert (told["ifus"]["3"]["same_detector"], told["ifus"]["9"]["same_detector"]) == (True, False)
    amplitude = told["ifus"]["3"]["amplitudes"]["9-7 low"]["amplitude"]
    assert amplitude == pytest.approx(0.7, rel=0.05)
    (row,) = table[(table["ifu"] == 3) & (table["group"] == "9-7 low")]
    assert row["amplitude"] == pytest.approx(amplitude, rel=1e-3)
    assert row["from"] == "2"
    assert row["mean_after"] < 0.3 * row["mean"]
    assert header["ESO QC SECOND IFU3 9-7 LOW AMPL"] == pytest.approx(amplitude, rel=1e-3)
    assert header["ESO QC SECOND IFU3 AFTER"] == pytest.approx(told["ifus"]["3"]["after"], rel=1e-3)
    assert record["inputs"][0]["file"].endswith("object.fits")
    json.dumps(told)


def test_ifus_can_be_given(file, tmp_path):
    outcome = sky_second_pass([file], tmp_path, sources=(1, 9))
    (told,) = outcome.measured.values()
    assert told["emptier"] == [1, 9]
    assert {ifu: one["from"] for ifu, one in told["ifus"].items()} == {"1": [9], "2": [1], "3": [1], "9": [1]}
    with pytest.raises(SkyError, match=r"no data for IFU 7 \(--from\); IFUs with data: 1, 2, 3, 9"):
        sky_second_pass([file], tmp_path / "other", sources=(7,))
    assert not (tmp_path / "other").exists()


def test_an_ifu_alone_stays_and_it_is_said(file, tmp_path):
    with pytest.warns(KmosWarning, match=r"object.fits: no other IFU .* for IFU 2 star2; as before"):
        outcome = sky_second_pass([file], tmp_path, sources=(2,))
    before, after = read_exposure(file), read_exposure(outcome.products[0])
    assert np.array_equal(*(np.asarray(each.cube(2).flux) for each in (before, after)))
    assert not np.array_equal(*(np.asarray(each.cube(3).flux) for each in (before, after)))


def test_combined_cube_has_the_table_and_it_is_said_why(file, tmp_path):
    path = write_cube(read_exposure(file).cube(2), tmp_path / "combined.fits")
    with pytest.warns(KmosWarning, match="combined cube has no emptier IFUs"):
        outcome = sky_second_pass([path], tmp_path / "out")
    assert [path.name for path in outcome.products] == ["combined_residuals.ecsv"]
    assert [path.name for path in outcome.extras] == ["combined_residuals.png", "combined_SECOND_PASS.json"]
    table = read_table(outcome.products[0])
    assert table[table["group"] == "9-7 low"]["mean"][0] > 5
    assert not np.isfinite(table["mean_after"]).any()


def test_crowded_exposure_has_the_table_and_it_is_said_why(tmp_path):
    path = write_exposure(leftover_exposure({1: 1.0, 2: 1.0}, crowded=(1, 2)), tmp_path / "full.fits")
    with pytest.warns(KmosWarning, match=r"full.fits: no IFU is mostly free of stars.* \(--from\)"):
        outcome = sky_second_pass([path], tmp_path / "out")
    assert [path.name for path in outcome.products] == ["full_residuals.ecsv"]


def test_ifu_without_data_stays_and_a_file_without_is_left_out(file, tmp_path):
    exposure = read_exposure(file)
    arms = [
        dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, flux=np.full(arm.cube.shape, np.nan, np.float32)))
        if arm.number == 3
        else arm
        for arm in exposure.arms
    ]
    path = write_exposure(dataclasses.replace(exposure, arms=tuple(arms)), tmp_path / "part.fits")
    empty = make_exposure(ifus=(3,), shape=(64, 7, 9))
    blank = dataclasses.replace(empty.cube(3), flux=np.full((64, 7, 9), np.nan, np.float32))
    arms = tuple(dataclasses.replace(arm, cube=blank) if arm.number == 3 else arm for arm in empty.arms)
    nothing = write_exposure(dataclasses.replace(empty, arms=arms), tmp_path / "nothing.fits")
    with pytest.warns(KmosWarning, match=r"nothing.fits: no data \(all NaN\); left out"):
        outcome = sky_second_pass([path, nothing], tmp_path / "out")
    assert [path.name for path in outcome.products] == ["part_SECOND_PASS.fits"]
    assert list(outcome.measured["part_SECOND_PASS.fits"]["ifus"]) == ["1", "2", "9"]
    assert np.isnan(read_exposure(outcome.products[0]).cube(3).flux).all()
    with (
        pytest.warns(KmosWarning, match="left out"),
        pytest.raises(SkyError, match=r"no data in nothing.fits \(all NaN\)"),
    ):
        sky_second_pass([nothing], tmp_path / "out2")


def test_existing_products_and_equal_names_are_errors(file, done, tmp_path):
    with pytest.raises(WriteError, match="exists"):
        sky_second_pass([file], done.products[0].parent)
    with pytest.raises(WriteError, match=r"both become object_SECOND_PASS.fits"):
        sky_second_pass([file, file], tmp_path)
    with pytest.raises(SkyError, match="no files given"):
        sky_second_pass([], tmp_path)


def test_progress_is_told_and_cancel_leaves_nothing(file, tmp_path):
    told = []
    sky_second_pass([file], tmp_path / "a", progress=lambda *part: told.append(part))
    assert [done for done, _, _ in told] == list(range(10))
    assert {total for _, total, _ in told} == {9}

    def cancel(done, total, text):
        if "writing" in text:
            raise Cancelled

    with pytest.raises(Cancelled):
        sky_second_pass([file], tmp_path / "b", progress=cancel)
    assert not (tmp_path / "b").exists()


def test_one_ifu_is_in_memory_at_a_time(file, tmp_path, monkeypatch):
    """Cubes that go into measuring and into the product are lazy."""
    seen = []

    def spy(name):
        original = getattr(recipe, name)

        def call(*args, **options):
            seen.extend(arg.is_lazy for arg in args if hasattr(arg, "is_lazy"))
            result = original(*args, **options)
            seen.extend([result.is_lazy] if hasattr(result, "is_lazy") else [])
            return result

        monkeypatch.setattr(recipe, name, call)

    for name in ("measure_residual", "fit_second_pass", "subtract_residual"):
        spy(name)
    sky_second_pass([file], tmp_path)
    assert seen == [True] * 16
