"""Offsets of files: the right target in the right arm, in the table of the contract."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from dithered_files import VISITS, Visit, make_visit, stars_of, true_wcs, write_visits
from factories import DEC, RA

from napari_kmos.cli.main import main
from napari_kmos.errors import AlignmentError, KmosError, KmosWarning, WriteError
from napari_kmos.io import read_offsets, write_exposure
from napari_kmos.recipes.align import _groups, align
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.spatial.wcs import make_wcs, pixel_to_pixel


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_visits(tmp_path_factory.mktemp("night"), crowded=True)


def errors(rows, reference=0):
    """Distance of each row from the truth, in arcsec."""
    zero = np.array(VISITS[reference].error)
    return [
        np.hypot(*(np.array([row.dra_arcsec, row.ddec_arcsec]) - VISITS[row.exposure].error + zero)) for row in rows
    ]


def test_targets_are_followed_through_swapped_arms(files, tmp_path):
    outcome = align(files, tmp_path / "offsets.ecsv")
    rows = read_offsets(outcome.products[0])
    assert [(row.exposure, row.ifu) for row in rows] == [(0, 3), (0, 12), (1, 3), (1, 12), (2, 3), (2, 12)]
    assert all(row.accepted for row in rows)
    assert max(errors(rows)) < 0.02  # a tenth of a spaxel; stars without mismatch of the PSF
    assert [row.note for row in rows[:2]] == ["reference"] * 2
    assert outcome.measured["accepted"] == outcome.measured["total"] == 6


def test_exposures_of_several_bands_are_told(files, tmp_path):
    exposure = make_visit(VISITS[1], 1, crowded=True, sigma=0.1)
    exposure.header["HIERARCH ESO INS GRAT1 ID"] = "H"
    other = write_exposure(dataclasses.replace(exposure, band="H"), tmp_path / "h.fits")
    said = (
        r"exposures of several bands, H \(h\.fits\), K \(exp0\.fits\): their stars are not alike.*each band by itself"
    )
    with pytest.warns(KmosWarning, match=said):
        align([files[0], other], tmp_path / "both.ecsv", ifu=3)
    with pytest.warns(KmosWarning, match=said):
        align([files[0]], tmp_path / "one.ecsv", ifu=3, reference=other)
    align([files[0], other], tmp_path / "header.ecsv", method="header")  # nothing is compared, and no warning


def test_other_reference(files, tmp_path):
    outcome = align(files, tmp_path / "offsets.ecsv", reference=2)
    rows = read_offsets(outcome.products[0])
    assert max(errors(rows, reference=2)) < 0.02
    assert [row.exposure for row in rows if row.note == "reference"] == [2, 2]


def test_table_names_files_epochs_and_halves(files, tmp_path):
    inside, outside = files[0].with_name("offsets.ecsv"), tmp_path / "offsets.ecsv"
    rows = read_offsets(align(files, inside, method="header").products[0])
    assert [row.file for row in rows[::2]] == ["exp0.fits", "exp1.fits", "exp2.fits"]
    assert [row.epoch for row in rows[::2]] == ["2020-05-30", "2020-05-31", "2020-06-01"]  # MJD 59000.2: after midnight
    assert {row.err_arcsec for row in rows} == {0.25}
    groups = [("p105", 1), ("p105", 2), ("p107", None)]
    rows = read_offsets(align(files, outside, method="header", groups=groups).products[0])
    assert [(row.epoch, row.half) for row in rows[::2]] == groups
    assert rows[0].file == str(files[0])


def test_record_tells_files_and_parameters(files, tmp_path):
    outcome = align(files, tmp_path / "offsets.ecsv", method="header")
    record = json.loads(outcome.extras[0].read_text())
    assert (record["step"], len(record["inputs"])) == ("align", 3)
    assert record["parameters"]["method"] == "header"


def test_one_ifu_is_one_target_in_all_exposures(files, tmp_path):
    rows = read_offsets(align(files, tmp_path / "one.ecsv", ifu=3).products[0])
    assert [(row.exposure, row.ifu) for row in rows] == [(0, 3), (1, 12), (2, 3)]  # gc1, wherever it went
    with pytest.raises(KmosError, match="no data for IFU 7; IFUs with data: 3, 12"):
        align(files, tmp_path / "none.ecsv", ifu=7)


def test_arms_of_one_target_are_kept_apart(tmp_path):
    visits = [Visit(arms=((3, "gc1"), (12, "gc1"))), Visit(error=(0.1, 0.2), arms=((3, "gc1"), (12, "gc1")))]
    rows = read_offsets(align(write_visits(tmp_path, visits, crowded=True), tmp_path / "offsets.ecsv").products[0])
    assert [(row.exposure, row.ifu) for row in rows] == [(0, 3), (0, 12), (1, 3), (1, 12)]


def test_dead_ifu_of_the_reference_is_measured_against_the_next(tmp_path):
    paths = write_visits(tmp_path, crowded=True)
    dead = make_visit(VISITS[0], 0, crowded=True, sigma=0.1)
    dead.cube(3).flux[:] = np.nan
    write_exposure(dead, paths[0], overwrite=True)
    with pytest.warns(KmosWarning) as warned:
        rows = read_offsets(align(paths, tmp_path / "offsets.ecsv").products[0])
    texts = " ".join(str(one.message) for one in warned)
    assert "no data in the reference exposure; measured against exposure 1" in texts
    assert "1 of 6 offsets not accepted (exposure 0 IFU 3)" in texts
    gc1 = [row for row in rows if (row.exposure, row.ifu) in ((0, 3), (1, 12), (2, 3))]
    assert [row.accepted for row in gc1] == [False, True, True]
    assert {row.against for row in gc1} == {"exp1.fits"}
    assert all(row.note.endswith("; not tied to exp0.fits, which has no data here: against exp1.fits") for row in gc1)
    assert {row.against for row in rows if row not in gc1} == {"exp0.fits"}
    assert max(errors(gc1[1:], reference=1)) < 0.02


def test_a_file_given_twice_is_refused(files, tmp_path):
    with pytest.raises(KmosError, match="given twice"):
        align([files[0], files[1], files[0]], tmp_path / "offsets.ecsv")


def test_bad_requests(files, tmp_path):
    with pytest.raises(AlignmentError, match="reference exposure 3 does not exist: there are 3 files"):
        align(files, tmp_path / "offsets.ecsv", reference=3)
    with pytest.raises(AlignmentError, match="offset method 'magic' does not exist"):
        align(files, tmp_path / "offsets.ecsv", method="magic")
    align(files, tmp_path / "offsets.ecsv", method="header")
    with pytest.raises(WriteError, match="--overwrite"):
        align(files, tmp_path / "offsets.ecsv", method="header")


def test_command(files, tmp_path, capsys):
    out = tmp_path / "offsets.ecsv"
    assert main(["align", *map(str, files), "-o", str(out), "--json", "--passes", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["products"] == [str(out)]
    assert len(told["measured"]["offsets"]) == 6
    assert main(["align", *map(str, files), "-o", str(out), "--method", "header", "--overwrite"]) == 0
    assert "2  12       +0.000    +0.000   +- 0.250" in capsys.readouterr().out


def test_against_a_file_that_is_none_of_them(files, tmp_path):
    rows = read_offsets(align(files[1:], tmp_path / "beside.ecsv", reference=files[0]).products[0])
    assert [(row.exposure, row.ifu) for row in rows] == [(0, 3), (0, 12), (1, 3), (1, 12)]
    assert all(row.accepted for row in rows)
    assert {row.against for row in rows} == {"exp0.fits"}
    shifted = [dataclasses.replace(row, exposure=row.exposure + 1) for row in rows]
    assert max(errors(shifted)) < 0.02  # against the headers of the first exposure, which is not in the table
    record = json.loads((tmp_path / "beside.json").read_text())
    assert [Path(one["file"]).name for one in record["inputs"]] == ["exp1.fits", "exp2.fits", "exp0.fits"]


def test_a_file_among_them_is_the_exposure(files, tmp_path):
    rows = read_offsets(align(files, tmp_path / "among.ecsv", reference=files[2]).products[0])
    assert [row.exposure for row in rows if row.note == "reference"] == [2, 2]


def test_against_an_image_in_another_unit_and_with_finer_pixels(tmp_path):
    """The stars of one target alone: the other one is not on the image, and is not accepted."""
    paths = write_visits(tmp_path, crowded=True)
    scale = 0.08
    wcs = make_wcs(RA, DEC, crpix=(50.5, 48.5), scale_arcsec=scale, rotation_deg=10.0)
    places = np.array(stars_of("gc1", Visit(), crowded=True))
    y, x = pixel_to_pixel(true_wcs(Visit(), "gc1"), wcs, *places[:, :2].T)
    data = 1e-3 * np.tensordot(places[:, 2], moffat_images(y, x, (96, 100), fwhm_pix=0.5 / scale), 1) + 0.2
    image = tmp_path / "vvv.fits"
    fits.PrimaryHDU(data.astype(np.float32), wcs.to_header()).writeto(image)
    with pytest.warns(KmosWarning, match="3 of 6 offsets not accepted"):
        rows = read_offsets(align(paths, tmp_path / "offsets.ecsv", reference=image).products[0])
    seen = [row for row in rows if row.accepted]
    assert [(row.exposure, row.ifu) for row in seen] == [(0, 3), (1, 12), (2, 3)]
    miss = [
        np.hypot(row.dra_arcsec - v.error[0], row.ddec_arcsec - v.error[1]) for row, v in zip(seen, VISITS, strict=True)
    ]
    assert max(miss) < 0.06  # a third of a spaxel: other pixels, and a much sharper image
    assert all("vvv.fits" in row.note and row.note.startswith("no match: ") for row in rows if not row.accepted)


def test_a_reference_that_is_no_image(files, tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(KmosError, match=r"notes\.txt"):
        align(files, tmp_path / "offsets.ecsv", reference=tmp_path / "notes.txt")


def test_the_longest_interruption_of_an_ob_lies_between_its_halves():
    def at(minutes, ob):
        date = Time(59000.2 + minutes / 1440, format="mjd")
        return dataclasses.replace(make_visit(VISITS[0], 0, crowded=False, sigma=0.1), date=date, ob_name=ob)

    exposures = [at(0, "one"), at(6, "one"), at(18, "one"), at(60, "two"), at(63, "two")]
    night = "2020-05-30"
    assert _groups(exposures, 3.0) == [(night, 1), (night, 1), (night, 2), (night, None), (night, None)]
    assert _groups(exposures, 30.0) == [(night, None)] * 5
    assert _groups([dataclasses.replace(one, date=None) for one in exposures], 3.0) == [("", None)] * 5
