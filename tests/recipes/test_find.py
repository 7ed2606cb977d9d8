"""From cubes to one list of stars: what is linked, what keeps its id, what is told."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from factories import make_cube, make_wcs
from numpy.testing import assert_allclose

from napari_kmos.aperture import Aperture
from napari_kmos.cli.main import main
from napari_kmos.errors import KmosError, WriteError
from napari_kmos.io import read_apertures, read_table, write_apertures, write_cube
from napari_kmos.recipes.find import ListedStar, find, link
from napari_kmos.spatial.wcs import pixel_to_sky, shift_wcs, sky_to_pixel
from napari_kmos.stars import FindParameters, FoundStar

if TYPE_CHECKING:
    from napari_kmos.cube import Cube

SHAPE = 40, 25, 28
STARS = ((6.0, 8.0, 4000.0), (17.3, 20.4, 9000.0), (18.0, 6.5, 2000.0))
HOW = FindParameters(fwhm_arcsec=0.6)


def star_cube(*, stars: tuple[tuple[float, float, float], ...] = STARS, **facts: object) -> Cube:
    cube = make_cube(shape=SHAPE, stars=stars, background=40.0, **facts)
    sigma = 2.0
    flux = np.array(cube.flux) + np.random.default_rng(6).normal(0, sigma, SHAPE)
    return dataclasses.replace(cube, flux=flux.astype(np.float32), noise=np.full(SHAPE, sigma, dtype=np.float32))


def places_of(rows: tuple[Aperture, ...]) -> list[tuple[float, float]]:
    return [sky_to_pixel(make_wcs(), row.ra, row.dec) for row in rows if row.kind == "star"]


@pytest.mark.parametrize("has_noise", [True, False])
def test_stars_of_a_cube_become_apertures_the_brightest_first(tmp_path: Path, has_noise: bool):
    cube = star_cube()
    flux = np.array(cube.flux)
    flux[:, :, 24:] = np.nan
    flux[7] = np.nan
    cube = dataclasses.replace(cube, flux=flux, noise=cube.noise if has_noise else None)
    path = write_cube(cube, tmp_path / "cube.fits")

    outcome = find([path], tmp_path / "stars.ecsv", parameters=HOW)

    rows = read_apertures(outcome.products[0])
    assert [row.id for row in rows] == ["1", "2", "3"]
    assert_allclose(places_of(rows), [STARS[number][:2] for number in (1, 0, 2)], atol=0.12)
    assert outcome.measured == {"n_stars": 3, "n_new": 3, "new": ["1", "2", "3"], "missed": []}
    table = read_table(outcome.products[0])
    assert table.colnames == ["id", "kind", "ra", "dec", "radius_arcsec", "sigma", "n_cubes", "cubes"]
    assert np.all(table["sigma"] > 10)
    record = json.loads(outcome.extras[0].read_text())
    assert (record["step"], record["parameters"]["fwhm_arcsec"]) == ("find", 0.6)


def test_a_star_of_several_cubes_is_one_and_known_ones_keep_their_ids(tmp_path: Path):
    first = star_cube(ifu=3)
    moved = shift_wcs(first.wcs, 0.9, -0.5)
    # The same sky seen by a cube that points elsewhere, without the last star and with another.
    other = pixel_to_sky(moved, 15.0, 15.0)
    seen = [(*sky_to_pixel(moved, *pixel_to_sky(first.wcs, y, x)), flux) for y, x, flux in STARS[:2]]
    second = dataclasses.replace(star_cube(stars=(*seen, (15.0, 15.0, 6000.0)), ifu=3), wcs=moved)
    paths = [write_cube(first, tmp_path / "a.fits"), write_cube(second, tmp_path / "b.fits")]
    ra, dec = pixel_to_sky(first.wcs, 6.2, 8.3)
    known = [
        Aperture(id="IRS 7", ra=ra, dec=dec, radius_arcsec=0.33, sky_side="up", extra={"mag": 9.5}),
        Aperture(id="1", ra=ra, dec=dec + 1 / 3600, radius_arcsec=0.3, extra={"mag": 12.0}),
        Aperture(id="s1", kind="sky", ra=ra, dec=dec, radius_arcsec=0.3, extra={"mag": None}),
    ]
    before = write_apertures(known, tmp_path / "before.ecsv")

    outcome = find(paths, tmp_path / "stars.ecsv", parameters=HOW, known=before)

    rows = read_apertures(outcome.products[0])
    assert [row.id for row in rows] == ["IRS 7", "1", "2", "3", "4", "s1"]
    assert (rows[0].ra, rows[0].radius_arcsec, rows[0].sky_side, rows[0].extra["mag"]) == (ra, 0.33, "up", 9.5)
    assert [row.extra["n_cubes"] for row in rows[:5]] == [2, 0, 2, 1, 1]
    assert_allclose((rows[3].ra, rows[3].dec), other, atol=0.02 / 3600)
    assert outcome.measured["missed"] == ["1"]
    assert outcome.measured["new"] == ["2", "3", "4"]

    again = find(paths[::-1], tmp_path / "again.ecsv", parameters=HOW, known=outcome.products[0])
    assert [(row.id, row.ra, row.dec) for row in read_apertures(again.products[0])] == [
        (row.id, row.ra, row.dec) for row in rows
    ]
    assert again.measured["n_new"] == 0


def test_no_two_stars_of_one_cube_become_one():
    stars = [ListedStar(Aperture(id="a", ra=10.0, dec=0.0, radius_arcsec=0.4), is_known=True)]
    found = [FoundStar(10.0 + 0.1 / 3600, 0.0, 30.0), FoundStar(10.0, 0.0, 20.0), FoundStar(359.99999, 0.0, 5.0)]

    link(stars, found, "cube", link_arcsec=0.3, radius_arcsec=0.4)
    link(stars, [FoundStar(0.00001, 0.0, 8.0)], "other", link_arcsec=0.3, radius_arcsec=0.4)

    assert [(star.aperture.ra, star.sigma, len(star.cubes)) for star in stars] == [
        (10.0, 30.0, 1), (10.0, 20.0, 1), (0.00001, 8.0, 2),
    ]  # fmt: skip


def test_a_band_and_regions(tmp_path: Path):
    cube = star_cube()
    flux = np.array(cube.flux)
    flux[:30] = 40.0 + np.random.default_rng(1).normal(0, 2, (30, *SHAPE[1:]))  # the stars shine in the red alone
    path = write_cube(dataclasses.replace(cube, flux=flux), tmp_path / "cube.fits")
    red = float(cube.wavelength_um[30]) - 1e-6, float(cube.wavelength_um[-1])

    with pytest.raises(KmosError, match="no star in 1 cube stands out by 10 sigma; lower --threshold"):
        find([path], tmp_path / "none.reg", parameters=HOW)
    words = ["find", str(path), "-o", str(tmp_path / "stars.reg"), "--wave", f"{red[0]:.6f}-{red[1]:.6f}", "-q"]
    assert main([*words, "--fwhm-arcsec", "0.6"]) == 0

    assert_allclose(
        sorted(places_of(read_apertures(tmp_path / "stars.reg"))), sorted(star[:2] for star in STARS), atol=0.1
    )


def test_command_tells_and_refuses_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = write_cube(star_cube(), tmp_path / "cube.fits")
    out = tmp_path / "stars.ecsv"

    assert main(["find", str(path), "-o", str(out), "--fwhm-arcsec", "0.6", "-q"]) == 0
    assert capsys.readouterr().out == f"{out}\n3 stars, 3 of them new\n"
    for words, message in (
        ([], "exists already"),
        (["--overwrite", "--threshold", "0"], "threshold is 0.0; expected a positive number"),
        (["--overwrite", "--edge-arcsec", "-1"], "edge_arcsec is -1.0; expected zero or more"),
    ):
        assert main(["find", str(path), "-o", str(out), "-q", *words]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(KmosError, match=r"stars are written as an ECSV table \(.ecsv\) or a ds9 region file"):
        find([path], tmp_path / "stars.txt")
    with pytest.raises(WriteError, match="exists already"):
        find([path], out)
