"""Files joined to a file: what it says of itself, and that nothing else is touched."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import factories
import numpy as np
import pytest
from astropy.io import fits

from napari_kmos.combine import SpliceParameters
from napari_kmos.errors import KmosError, WriteError
from napari_kmos.io import read_cube, read_exposure, write_cube, write_exposure
from napari_kmos.progress import Cancelled
from napari_kmos.recipes.splice import splice

ONE_EDGE = SpliceParameters(edges=(2.2,))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three cubes of the same name in folders of their own, as three reductions leave them."""
    cube = factories.make_cube(shape=(115, 9, 11), background=30.0)
    paths = []
    for folder, factor in (("A", np.float32(1.1)), ("B", np.float32(1)), ("C", np.float32(0.9))):
        (tmp_path / folder).mkdir()
        scaled = dataclasses.replace(cube, flux=cube.flux * factor, noise=cube.noise * factor)
        paths.append(write_cube(scaled, tmp_path / folder / "mosaic.fits", category="COMBINED_CUBE"))
    return paths


def test_header_and_record_tell_which_planes_come_from_which_file(files: list[Path], tmp_path: Path):
    outcome = splice(files, tmp_path / "new" / "joined.fits", parameters=SpliceParameters(fade=4, level=True))
    header = fits.getheader(outcome.products[0])
    assert [header[f"ESO QC SPLICE PART{n} FILE"] for n in (1, 2, 3)] == [f"{f}/mosaic.fits" for f in "ABC"]
    assert [header[f"ESO QC SPLICE PART{n} PLANES"] for n in (1, 2, 3)] == ["1-29", "26-93", "90-115"]
    assert [header[f"ESO QC SPLICE JOINT{n} FADE"] for n in (1, 2)] == ["26-29", "90-93"]
    assert header["ESO QC SPLICE PART1 UM"] == "1.925000-2.065000"
    assert header["ESO QC SPLICE PART3 LEVEL"] == pytest.approx(1 / 0.9, rel=1e-6)
    assert 0 <= header["ESO QC SPLICE PART3 LEVELERR"] < 1e-6  # equal but for the rounding of float32
    assert "mosaic.fits, mosaic.fits, mosaic.fits; fade=4 level=true" in " ".join(str(header["HISTORY"]).split())
    assert header["ESO PRO CATG"] == "COMBINED_CUBE"
    told = outcome.measured
    assert [part["planes"] for part in told["parts"]] == [[0, 29], [25, 93], [89, 115]]
    assert [joint["ratio"] for joint in told["joints"]] == pytest.approx([1.1, 1 / 0.9], rel=1e-6)
    record = json.loads(outcome.extras[0].read_text())
    assert [Path(entry["file"]).parent.name for entry in record["inputs"]] == ["A", "B", "C"]
    assert record["parameters"]["edges"] == "2.06,2.379"
    joined, middle = read_cube(outcome.products[0]), read_cube(files[1])
    for name in ("flux", "noise"):
        found, expected = (np.asarray(getattr(cube, name)) for cube in (joined, middle))
        np.testing.assert_allclose(found, expected, rtol=3e-7)  # levelled they are the same, float32 apart
    np.testing.assert_allclose(joined.wavelength_um, middle.wavelength_um, rtol=1e-12)


def test_an_ifu_of_exposures(tmp_path: Path):
    paths = [
        write_exposure(factories.make_exposure(shape=(40, 9, 11), sigma=sigma), tmp_path / f"{sigma:g}.fits")
        for sigma in (1.0, 2.0)
    ]
    outcome = splice(paths, tmp_path / "five.fits", parameters=ONE_EDGE, ifu=5)
    made = read_exposure(outcome.products[0])
    assert (made.kind, made.category, made.cube().ifu) == ("combined", "COMBINED_CUBE", 5)
    noise = np.asarray(made.cube().noise)
    stop = outcome.measured["parts"][0]["planes"][1]
    assert (np.unique(noise[:stop]), np.unique(noise[stop:])) == (1, 2)
    with pytest.raises(KmosError, match="3 cubes where one was expected"):
        splice(paths, tmp_path / "any.fits", parameters=ONE_EDGE)


def test_a_file_may_come_again_but_not_next_to_itself(files: list[Path], tmp_path: Path):
    outcome = splice([files[0], files[1], files[0]], tmp_path / "joined.fits")
    assert [part["file"] for part in outcome.measured["parts"]] == ["A/mosaic.fits", "B/mosaic.fits", "A/mosaic.fits"]
    link = tmp_path / "link.fits"
    link.symlink_to(files[0])
    with pytest.raises(KmosError, match=r"link\.fits: follows itself"):
        splice([files[0], link], tmp_path / "other.fits", parameters=ONE_EDGE)


def test_a_ratio_that_is_not_known_is_left_out_of_the_header(files: list[Path], tmp_path: Path):
    empty = read_cube(files[0])
    write_cube(dataclasses.replace(empty, flux=np.full(empty.shape, np.nan, np.float32)), tmp_path / "empty.fits")
    with pytest.warns(match="no data at"):
        outcome = splice([tmp_path / "empty.fits", files[1]], tmp_path / "joined.fits", parameters=ONE_EDGE)
    header = fits.getheader(outcome.products[0])
    assert "ESO QC SPLICE JOINT1 RATIO" not in header
    assert header["ESO QC SPLICE JOINT1 FADE"] == "none"
    assert np.isnan(outcome.measured["joints"][0]["ratio"])


def test_inputs_and_earlier_products_are_not_replaced(files: list[Path], tmp_path: Path):
    before = [path.read_bytes() for path in files]
    with pytest.raises(WriteError, match="is the input"):
        splice(files, files[2], overwrite=True)
    out = tmp_path / "joined.fits"
    shutil.copy(files[0], out)
    with pytest.raises(WriteError, match=r"joined\.fits: exists"):
        splice(files, out)
    splice(files, out, overwrite=True)
    assert [path.read_bytes() for path in files] == before


def test_cancelled_it_leaves_nothing(files: list[Path], tmp_path: Path):
    def stop(done: int, total: int, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        splice(files, tmp_path / "sub" / "joined.fits", progress=stop)
    assert not (tmp_path / "sub").exists()
