"""No command on a mosaic needs more than 1 GiB in all: each runs in a process that may have no more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from large_files import FULL, linux_only, run_limited, write_sparse_mosaic

from napari_kmos import read_cube
from napari_kmos.io import read_images, read_spectrum
from napari_kmos.io.source import read_planes
from napari_kmos.spatial.wcs import pixel_to_sky

pytestmark = linux_only

#: A spaxel that has data in every plane: in the strip in the middle.
MIDDLE = (FULL[1] // 2 + 4, FULL[2] // 2)
#: Steps that take minutes for a whole mosaic run on so many planes. They would fail as they would on all if they held
#: even one extension whole: it is more than they leave of the limit.
MANY = 320
#: What Python code that is run begins with.
READ = """import sys
from napari_kmos import read_cube
from napari_kmos.io.source import read_planes
cube = read_cube(sys.argv[1])
"""


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mosaic of full size."""
    return write_sparse_mosaic(tmp_path_factory.mktemp("full") / "mosaic.fits")


@pytest.fixture(scope="module")
def two_mosaics(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two of the same sky, of fewer planes."""
    folder = tmp_path_factory.mktemp("two")
    first, second = (write_sparse_mosaic(folder / name, planes=MANY, strip=0) for name in ("1.fits", "2.fits"))
    return first, second


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """Folder for products; some are large, and pytest keeps its folders."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def run(command: str, *words: object) -> dict:
    """Run a command in 1 GiB and return its products and what it measured."""
    done = run_limited(["-m", "napari_kmos", command, *words, "--json", "-q"])
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    return {"products": printed["products"], **printed["measured"]}


def python(code: str, *words: object) -> list[float]:
    """Run code in 1 GiB and return the numbers it printed."""
    done = run_limited(["-c", code, *words])
    assert done.returncode == 0, done.stderr
    return [float(word) for word in done.stdout.split()]


def test_the_limit_holds(mosaic: Path):
    done = run_limited(["-c", f"{READ}read_planes(cube.flux, slice(None))", mosaic])
    assert done.returncode != 0
    assert "MemoryError" in done.stderr


def test_info(mosaic: Path):
    (facts,) = run("info", mosaic)["files"]
    assert (facts["kind"], facts["cubes"][0]["planes"]) == ("mosaic", FULL[0])


def test_extract(mosaic: Path, out: Path):
    wcs = read_cube(mosaic).wcs
    places = [pixel_to_sky(wcs, y, x) for y, x in (MIDDLE, (120, 200), (300, 500))]
    stars = out / "stars.reg"
    stars.write_text("".join(f'icrs;circle({float(ra)},{float(dec)},0.25")\n' for ra, dec in places))
    # Outside a strip there is data in every 64th plane; a fit needs more of a star than its strip has.
    for method, least in (("aperture", FULL[0] / 2), ("psf", FULL[0] / 70)):
        words = ("--method", method, "--min-coverage", "0.5")
        found = run("extract", mosaic, "--apertures", stars, "-o", out / method, *words)
        spectrum = read_spectrum(found["products"][0])
        assert np.isfinite(spectrum.flux).sum() > least


def test_align(two_mosaics: tuple[Path, Path], out: Path):
    found = run("align", *two_mosaics, "-o", out / "offsets.ecsv", "--candidates", 1)
    assert abs(found["offsets"][1]["dra_arcsec"]) < 0.01  # a tenth of a spaxel; they are equal


def test_combine(two_mosaics: tuple[Path, Path], out: Path):
    found = run("combine", "--mosaic", *two_mosaics, "-o", out)
    combined, one = (np.asarray(read_cube(path).flux[64]) for path in (found["products"][0], two_mosaics[0]))
    np.testing.assert_allclose(combined, one, rtol=1e-5, atol=1e-5)  # float32; the mean of two equal ones


def test_map(mosaic: Path, out: Path):
    windows = ("--line", "2.1-2.2", "--continuum", "2.05-2.09,2.21-2.25")
    found = run("map", mosaic, "-o", out, *windows, "--min-coverage", "0.01")
    image = read_images(found["products"][0])[0].data
    assert np.isfinite(image).mean() > 0.9  # but for the corners


def test_crop_in_wavelength(mosaic: Path, out: Path):
    run("crop", mosaic, "-o", out / "part.fits", "--wave", "2.12-2.20")  # more than 1 GiB of it
    part, whole = read_cube(out / "part.fits"), read_cube(mosaic)
    first = int(np.searchsorted(whole.wavelength_um, part.wavelength_um[0] - 1e-6))
    np.testing.assert_array_equal(
        read_planes(part.flux, slice(100, 101)), read_planes(whole.flux, slice(first + 100, first + 101))
    )


def test_crop_on_the_sky(mosaic: Path, out: Path):
    ra, dec = (float(value) for value in pixel_to_sky(read_cube(mosaic).wcs, *MIDDLE))
    run("crop", mosaic, "-o", out / "part.fits", "--box", f"{ra},{dec},4,4")
    part = read_cube(out / "part.fits")
    assert part.shape[0] == FULL[0]
    assert np.isfinite(read_planes(part.flux, slice(1000, 1001))).any()


def test_splice(two_mosaics: tuple[Path, Path], out: Path):
    wave = read_cube(two_mosaics[0]).wavelength_um
    words = ("--edges", f"{wave[MANY // 2]:.6f}", "--fade", 8, "--level", "--level-planes", MANY)  # every 64th has data
    found = run("splice", *two_mosaics, "-o", out / "joined.fits", *words)
    joined, one = read_cube(found["products"][0]), read_cube(two_mosaics[0])
    for plane in (slice(64, 65), slice(MANY // 2, MANY // 2 + 1), slice(256, 257)):
        np.testing.assert_allclose(read_planes(joined.flux, plane), read_planes(one.flux, plane), rtol=3e-7)  # equal


def test_white_light(mosaic: Path):
    """What every panel and `combine` begin with, on all planes."""
    code = "from napari_kmos.summary import preview_white_light, white_light\nimport numpy as np\n"
    code += "for make in (preview_white_light, white_light): print(np.isfinite(make(cube).data).mean())"
    assert min(python(READ + code, mosaic)) > 0.9  # but for the corners


def test_index(two_mosaics: tuple[Path, Path], cache_folder: Path):
    """The copies of a whole mosaic are 6.4 GiB on the disk: too much for a test."""
    code = "from napari_kmos.summary import index, is_indexed\nindex(cube)\nprint(float(is_indexed(cube)))"
    assert python(READ + code, two_mosaics[0]) == [1.0]
    shutil.rmtree(cache_folder)
