"""Rotations that headers do not tell: measured with the shifts, handed on, and used where exposures are combined."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.table import Table
from factories import DEC, RA, make_cube

from napari_kmos.align import AlignParameters
from napari_kmos.combine import CombineParameters
from napari_kmos.errors import AlignmentError
from napari_kmos.io import catalogue_of, read_cube, read_exposure, read_offsets, write_cube, write_offsets
from napari_kmos.recipes.align import align
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.import_offsets import import_offsets
from napari_kmos.recipes.offsets import offsets
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.spatial.correction import place_wcs
from napari_kmos.spatial.fields import centre_of
from napari_kmos.spatial.wcs import make_wcs, offset_arcsec, pixel_to_sky, sky_to_pixel

SHAPE = (50, 60)
#: By which the header of the second epoch is wrong: dRA, dDec in arcsec, rotation in degrees.
SHIFT, TURN = (0.13, -0.2), 0.3
REFINED = AlignParameters(refine_rotation=True)


def epoch(number, *, turn, seed=1, n_stars=20):
    """A mosaic of stars whose header is wrong in the second epoch, dithered, and seen less sharply there."""
    rng = np.random.default_rng(seed)
    right = make_wcs(RA, DEC, crpix=(12.0, 9.0), rotation_deg=25.0)
    ra, dec = pixel_to_sky(right, *(rng.uniform(0, length - 1, n_stars) for length in SHAPE))
    light = 400 + 4000 * rng.random(n_stars) ** 3
    true = place_wcs((right, SHAPE), 0.3 * number, -0.2 * number, 0.0)
    fwhm = 3.5 + 0.5 * number
    image = np.tensordot(light, moffat_images(*sky_to_pixel(true, ra, dec), SHAPE, fwhm_pix=fwhm), 1)
    flux = image + 3 * np.random.default_rng([seed, number]).standard_normal((6, *SHAPE))
    header = place_wcs((true, SHAPE), *(-number * np.array([*SHIFT, turn])))
    facts = {"flux": flux.astype(np.float32), "noise": np.full(flux.shape, 3, np.float32)}
    cube = make_cube(shape=flux.shape, stars=[], wcs=header, ifu=None, name="gc", **facts)
    return cube, catalogue_of(Table({"ra": ra, "dec": dec, "Kmag": 20 - 2.5 * np.log10(light)}), "gc")


def write_epochs(folder, **facts):
    return [write_cube(epoch(number, **facts)[0], folder / f"epoch{number}.fits") for number in (0, 1)]


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("turned")
    files = write_epochs(folder, turn=TURN)
    return files, align(files, folder / "offsets.ecsv", parameters=REFINED).products[0]


def distance(row):
    return np.hypot(row.dra_arcsec - SHIFT[0], row.ddec_arcsec - SHIFT[1])


def test_the_rotation_of_an_epoch_is_found_and_its_shift_better(turned, tmp_path):
    files, table = turned
    reference, row = read_offsets(table)
    assert (reference.rotation_deg, reference.rotation_err_deg, reference.note) == (0.0, None, "reference")
    assert row.rotation_deg == pytest.approx(TURN, abs=0.15)  # 12 stars, 0.06 deg each time
    assert 0.02 < row.rotation_err_deg < 0.1
    assert "deg by" in row.note
    assert distance(row) < 0.005  # where the noise of the images alone leads it
    plain = read_offsets(align(files, tmp_path / "plain.ecsv").products[0])[1]
    assert (plain.rotation_deg, plain.rotation_err_deg) == (0.0, None)
    assert distance(plain) > 1.5 * distance(row)


def test_against_a_file_or_a_catalogue(turned, tmp_path):
    files, _ = turned
    _, catalogue = epoch(1, turn=TURN)
    for number, reference in enumerate((files[0], catalogue)):
        method = "correlation" if reference is files[0] else "catalogue"
        found = align([files[1]], tmp_path / f"{number}.ecsv", method=method, reference=reference, parameters=REFINED)
        (row,) = read_offsets(found.products[0])
        assert row.accepted
        assert row.rotation_deg == pytest.approx(TURN, abs=0.15)
        assert distance(row) < 0.01
        assert found.measured["offsets"][0]["rotation_deg"] == row.rotation_deg


def test_what_is_not_significant_is_told_and_not_used(tmp_path):
    files = write_epochs(tmp_path, turn=0.0)
    row = read_offsets(align(files, tmp_path / "a.ecsv", parameters=REFINED).products[0])[1]
    assert (row.rotation_deg, row.rotation_err_deg) == (0.0, None)
    assert row.accepted
    assert "stars in 1 field: that of the header stays" in row.note
    with pytest.raises(AlignmentError, match="method header takes headers as they are, and no rotation is refined"):
        align(files, tmp_path / "b.ecsv", method="header", parameters=REFINED)


def test_two_stars_tell_no_rotation(tmp_path):
    files = write_epochs(tmp_path, turn=TURN, n_stars=2)
    loose = dataclasses.replace(REFINED, min_evidence=-50.0, turned_margin=0.0, margin=0.0, max_error_arcsec=1.0)
    row = read_offsets(align(files, tmp_path / "a.ecsv", parameters=loose).products[0])[1]
    assert (row.accepted, row.rotation_deg) == (True, 0.0)
    assert "rotation not measured, 2 stars in common where three or more are needed" in row.note


def test_combined_with_its_rotation_a_turned_epoch_is_sharper(tmp_path):
    files = write_epochs(tmp_path, turn=1.5)  # 0.16 arcsec at the corners
    table = align(files, tmp_path / "offsets.ecsv", parameters=REFINED).products[0]
    rows = read_offsets(table)
    assert rows[1].rotation_deg == pytest.approx(1.5, abs=0.15)
    straight = [dataclasses.replace(row, rotation_deg=0.0) for row in rows]
    truth = [dataclasses.replace(rows[0]), dataclasses.replace(rows[1], rotation_deg=1.5)]
    light = []
    for name, used in (("with", rows), ("without", straight), ("truth", truth)):
        used_table = write_offsets(used, tmp_path / f"{name}.ecsv")
        parameters = CombineParameters(method="user", cmethod="average")
        cube = read_cube(combine(files, tmp_path / name, parameters=parameters, offsets=used_table).products[0])
        light.append(np.nansum(np.asarray(cube.flux).mean(axis=0)[: SHAPE[0], : SHAPE[1]] ** 2))
    # the squared light of a star is the larger the sharper it is: 2 % over all stars, and all there is to gain
    assert light[0] > 1.02 * light[1]
    assert light[0] == pytest.approx(light[2], rel=0.002)


def test_corrected_copies_are_turned_and_read_back_the_same(turned, tmp_path):
    files, table = turned
    rows = read_offsets(table)
    copies = offsets(table, tmp_path / "out", crval=True).products
    back = read_offsets(import_offsets(copies, tmp_path / "back.ecsv", exposures=files).products[0])
    for row, same in zip(rows, back, strict=True):
        for name in ("dra_arcsec", "ddec_arcsec", "rotation_deg"):
            assert getattr(same, name) == pytest.approx(getattr(row, name), abs=2e-6)
        assert same.err_arcsec == pytest.approx(row.err_arcsec, abs=1e-5)
    assert back[0].rotation_err_deg is None
    assert back[1].rotation_err_deg == pytest.approx(rows[1].rotation_err_deg, abs=1e-5)
    before, after = (read_exposure(path).cubes[0] for path in (files[1], copies[1]))
    right = place_wcs((before.wcs, SHAPE), rows[1].dra_arcsec, rows[1].ddec_arcsec, rows[1].rotation_deg)
    y, x = np.array([0, 0, 49, 49]), np.array([0, 59, 0, 59])
    assert np.hypot(*offset_arcsec(*pixel_to_sky(right, y, x), *pixel_to_sky(after.wcs, y, x))).max() < 1e-6
    np.testing.assert_array_equal(np.asarray(before.flux), np.asarray(after.flux))
    assert np.hypot(*offset_arcsec(*centre_of((right, SHAPE)), *centre_of((after.wcs, SHAPE)))) < 1e-6


def test_shift_files_refuse_rotations(turned, tmp_path):
    said = r"the offset of epoch1.fits .* has a rotation, \+0\.\d+ deg, .* corrected copies \(--crval\)"
    with pytest.raises(AlignmentError, match=said):
        offsets(turned[1], tmp_path / "out", shifts=True)
    assert not list((tmp_path / "out").glob("*"))


def test_tables_add_up_with_their_rotations(turned, tmp_path):
    files, table = turned
    rows = read_offsets(table)
    group = dataclasses.replace(rows[1], file="", exposure=0, dra_arcsec=0.0, ddec_arcsec=0.0, rotation_deg=-1.0)
    group = dataclasses.replace(group, epoch=rows[1].epoch, ifu=None, rotation_err_deg=0.3)
    both = write_offsets([*rows, group], tmp_path / "both.ecsv")
    outcome = combine(
        files, tmp_path / "out", parameters=CombineParameters(method="user", cmethod="average"), offsets=both
    )
    told = [one.get("rotation_deg", 0.0) for one in outcome.measured[outcome.products[0].name]["exposures"]]
    assert told == pytest.approx([row.rotation_deg - 1.0 for row in rows])
