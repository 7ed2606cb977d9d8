"""Exposures of files against a catalogue: every IFU on its own, at the places of the date of the exposure."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.table import Table, vstack
from dithered_files import TARGETS, VISITS, make_visit, stars_of, true_wcs, write_visits

from napari_kmos.catalogue import CatalogueColumns
from napari_kmos.cli.main import main
from napari_kmos.errors import AlignmentError, KmosError, KmosWarning
from napari_kmos.io import read_catalogue, read_exposure, read_offsets, write_exposure
from napari_kmos.recipes.align import align
from napari_kmos.spatial.wcs import pixel_to_sky

#: Motion to the south in mas/yr, of a catalogue of 2000.
SPEED, EPOCH = -30.0, CatalogueColumns(catalogue_epoch="J2000")


def sky_of(target):
    """Stars of a target as a table, at the places where the exposures see them."""
    y, x, flux = np.transpose(stars_of(target, VISITS[0], crowded=True))
    ra, dec = pixel_to_sky(true_wcs(VISITS[0], target), y, x)
    return Table({"RAJ2000": ra, "DEJ2000": dec, "Ksmag": 20 - 2.5 * np.log10(flux)})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Exposures of 2020, and the catalogue of both targets as it was in 2000."""
    folder = tmp_path_factory.mktemp("night")
    paths = write_visits(folder, crowded=True)
    table = vstack([sky_of(target) for target in TARGETS])
    years = float(read_exposure(paths[0]).date.jyear) - 2000.0
    table["DEJ2000"] -= SPEED * years / 3.6e6
    table["pmRA"], table["pmDE"] = np.zeros(len(table)), np.full(len(table), SPEED)
    table.write(folder / "gc.csv")
    return paths


def catalogue_of(files, columns=EPOCH):
    return read_catalogue(files[0].with_name("gc.csv"), columns)


def errors(rows):
    found = np.array([(row.dra_arcsec, row.ddec_arcsec) for row in rows])
    return np.hypot(*(found - [VISITS[row.exposure].error for row in rows]).T)


def test_every_ifu_is_measured_on_its_own(files, tmp_path):
    outcome = align(files, tmp_path / "offsets.ecsv", method="catalogue", reference=catalogue_of(files))
    rows = read_offsets(outcome.products[0])
    assert [(row.exposure, row.ifu) for row in rows] == [(0, 3), (0, 12), (1, 3), (1, 12), (2, 3), (2, 12)]
    assert all(row.accepted for row in rows)
    assert {row.method for row in rows} == {"catalogue"}
    assert {row.against for row in rows} == {"gc.csv"}
    # the stars are Gaussians, the model is not: a quarter of a spaxel; without their motion all were 0.6 arcsec off
    assert max(errors(rows)) < 0.05
    record = json.loads(outcome.extras[0].read_text())
    assert record["parameters"]["reference"] == "gc"
    assert record["inputs"][-1]["file"].endswith("gc.csv")


def test_without_their_date_motions_are_not_applied(files, tmp_path):
    with pytest.warns(KmosWarning, match="does not tell the date of its positions"):
        catalogue = catalogue_of(files, CatalogueColumns())
    rows = read_offsets(
        align(files[:1], tmp_path / "o.ecsv", method="catalogue", reference=catalogue, ifu=3).products[0]
    )
    assert [row.ifu for row in rows] == [3]
    assert rows[0].ddec_arcsec - VISITS[0].error[1] == pytest.approx(0.61, abs=0.05)


def test_exposure_without_a_date(files, tmp_path):
    undated = make_visit(VISITS[0], 0, crowded=True, sigma=0.1)
    for key in ("MJD-OBS", "DATE-OBS"):
        undated.header.remove(key, ignore_missing=True)
    path = write_exposure(undated, tmp_path / "undated.fits")
    with pytest.warns(KmosWarning, match=r"undated\.fits: has no date; proper motions of gc\.csv are not applied"):
        align([path], tmp_path / "o.ecsv", method="catalogue", reference=catalogue_of(files), ifu=3)


def test_bad_requests(files, tmp_path):
    catalogue = catalogue_of(files)
    with pytest.raises(KmosError, match="no data for IFU 7; IFUs with data: 3, 12"):
        align(files, tmp_path / "o.ecsv", method="catalogue", reference=catalogue, ifu=7)
    with pytest.raises(AlignmentError, match="method correlation compares images"):
        align(files, tmp_path / "o.ecsv", reference=catalogue)
    assert list(tmp_path.iterdir()) == []


def test_command(files, tmp_path, capsys):
    words = ["align", *map(str, files), "-o", str(tmp_path / "o.ecsv"), "--ifu", "3", "--overwrite"]
    catalogue = ["--catalogue", str(files[0].with_name("gc.csv")), "--catalogue-epoch", "2000"]
    assert main([*words, *catalogue, "--json", "--magnitude", "ksmag"]) == 0
    told = json.loads(capsys.readouterr().out)["measured"]
    assert told["accepted"] == told["total"] == 3
    for wrong, expected in (
        (["--ra", "lon"], "gc.csv: has no column 'lon'; found RAJ2000, DEJ2000"),
        (["--ra", "Ksmag", "--dec", "Ksmag"], "gc.csv: none of its 120 sources lies in the fields"),
        (["--pm-ra", "speed"], "gc.csv: has no column 'speed'"),
        (["--reference", "1"], f"--catalogue {catalogue[1]} and --reference 1: only one can be right"),
    ):
        assert main([*words, *catalogue, *wrong]) == 2
        assert f"error: {expected}" in capsys.readouterr().err.splitlines()[-1]
    assert main([*words, "--method", "catalogue"]) == 2
    assert "method catalogue needs a catalogue" in capsys.readouterr().err
