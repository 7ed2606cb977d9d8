"""ds9 itself loads the regions that we write, and what it saves of them is what was written."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from factories import make_cube
from numpy.testing import assert_allclose

from napari_kmos.aperture import Aperture
from napari_kmos.io import StarMark, read_apertures, write_cube, write_regions, write_star_regions
from napari_kmos.spatial.wcs import pixel_to_sky

pytestmark = pytest.mark.program("ds9")


def through_ds9(cube: Path, regions: Path, frame: str) -> Path:
    """Return what ds9 saves of a region file that it has loaded onto a cube."""
    saved = regions.with_name("saved.reg")
    words = f"{cube} -regions load {regions} -regions system wcs -regions sky {frame}".split()
    words += f"-regions skyformat degrees -regions save {saved} -exit".split()
    prefix = [] if os.environ.get("DISPLAY") or not shutil.which("xvfb-run") else ["xvfb-run", "-a"]
    # A window that asks something would wait for ever; a session of its own ends with all that it started.
    with subprocess.Popen([*prefix, "ds9", *words], start_new_session=True) as program:
        try:
            program.wait(timeout=20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGTERM)
    return saved


def test_apertures_come_back(tmp_path: Path):
    cube = make_cube()
    places = [pixel_to_sky(cube.wcs, y, x) for y, x in ((4.0, 8.0), (9.0, 3.5), (2.0, 12.0), (5.0, 8.0), (7.0, 7.0))]
    rows = [
        Aperture(
            id="IRS {7}", ra=places[0][0], dec=places[0][1], radius_arcsec=0.5, sky_side="left",
            excluded_spaxels=tuple(places[3:]),
        ),
        Aperture(id="007", ra=places[1][0], dec=places[1][1], radius_arcsec=0.4),
        Aperture(id="dark", kind="sky", ra=places[2][0], dec=places[2][1], radius_arcsec=0.3),
    ]  # fmt: skip
    path = write_cube(cube, tmp_path / "cube.fits")

    saved = through_ds9(path, write_regions(rows, tmp_path / "stars.reg"), "fk5")

    read = read_apertures(saved)
    assert [(row.id, row.kind, row.sky_side) for row in read] == [
        ("IRS (7)", "star", "left"), ("007", "star", ""), ("dark", "sky", ""),
    ]  # fmt: skip
    # ds9 writes seven decimals of a degree, 0.4 mas, and three of an arcsecond.
    assert_allclose([(row.ra, row.dec) for row in read], places[:3], atol=1e-7)
    assert_allclose([row.radius_arcsec for row in read], [0.5, 0.4, 0.3], atol=1e-3)
    assert_allclose(read[0].excluded_spaxels, places[3:], atol=1e-7)


def test_stars_with_snr_and_class_come_back(tmp_path: Path):
    cube = make_cube()
    ra, dec = pixel_to_sky(cube.wcs, 4.0, 8.0)
    stars = [StarMark("12", ra, dec, 45.67, 0.5, "late"), StarMark("b 3", ra, dec, 3.0)]
    path = write_cube(cube, tmp_path / "cube.fits")

    saved = through_ds9(path, write_star_regions(stars, tmp_path / "stars.reg", frame="icrs"), "icrs")

    text = saved.read_text(encoding="utf-8")
    assert "text={12,SN = 45.7}" in text
    assert "color=red" in text
    assert "tag={class late}" in text
    assert [row.id for row in read_apertures(saved, radius_arcsec=0.4)] == ["12", "b 3"]
