"""Star masks and skies without stars as files: names, layout, and a mask that is edited and given back."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from astropy.io import fits
from factories import make_exposure, primary_header

from napari_kmos.errors import GeometryError, KmosError, SkyError, WriteError
from napari_kmos.io import read_exposure, read_json, read_sky_mask, write_exposure
from napari_kmos.progress import Cancelled
from napari_kmos.recipes.finding import find_exposures
from napari_kmos.recipes.sky_mask import sky_mask
from napari_kmos.recipes.sky_tweak import sky_tweak
from napari_kmos.simulate import SimulationParameters, simulate_night
from napari_kmos.simulate.detector import with_zeros
from napari_kmos.sky import CleaningParameters, SkyCleaner

NIGHT_IFUS = (3, 11, 19)
#: Lines as broad in planes as in real cubes, but fewer planes.
NIGHT = SimulationParameters(seed=51, ifus=3, exposures=1, epochs=1, nz=640, sky_stars=1)
#: Each IFU has a star: none is called crowded, which would warn.
PARAMETERS = CleaningParameters(least_sky=0.0)


@pytest.fixture(scope="module")
def night():
    return simulate_night(NIGHT)


@pytest.fixture
def sky(night, tmp_path):
    """The sky of the night as a file."""
    return write_exposure(with_zeros(night.skies[0]), tmp_path / "sky.fits")


def test_products_and_what_lies_beside_them(sky, tmp_path):
    outcome = sky_mask([sky], tmp_path / "out", parameters=PARAMETERS)

    assert [path.name for path in outcome.products] == ["sky_SKY_CLEAN.fits", "sky_SKY_MASK.fits"]
    assert [path.name for path in outcome.extras] == ["sky_SKY_MASK.png", "sky_SKY_CLEAN.json"]
    assert sorted((tmp_path / "out").iterdir()) == sorted((*outcome.products, *outcome.extras))
    assert outcome.extras[0].read_bytes().startswith(b"\x89PNG")
    with fits.open(outcome.products[0], checksum=True) as hdus, fits.open(sky) as before:
        assert [hdu.name for hdu in hdus] == [hdu.name for hdu in before]
        assert hdus[0].header["ESO PRO CATG"] == "SKY_CLEAN"
        assert "sky-mask: sky.fits" in str(hdus[0].header["HISTORY"])


def test_product_is_what_the_cleaner_makes(sky, tmp_path):
    outcome = sky_mask([sky], tmp_path / "out", parameters=PARAMETERS)

    exposure = read_exposure(sky)
    cleaner = SkyCleaner(exposure, parameters=PARAMETERS)
    masks = read_sky_mask(outcome.products[1], exposure=exposure)
    written = read_exposure(outcome.products[0])
    told = outcome.measured["sky_SKY_CLEAN.fits"]["ifus"]
    header, record = fits.getheader(outcome.products[0]), read_json(outcome.extras[1])
    for cube in exposure.cubes:
        cleaned = cleaner.clean(cube)
        assert np.array_equal(masks[cube.ifu], cleaner.mask(cube.ifu))
        found = written.cube(cube.ifu)
        assert np.array_equal(np.asarray(found.flux), cleaned.flux, equal_nan=True)
        assert np.array_equal(np.asarray(found.noise), cleaned.noise, equal_nan=True)
        assert told[str(cube.ifu)]["n_masked"] == cleaner.n_masked(cube.ifu) > 0
        assert header[f"ESO QC SKY IFU{cube.ifu} MASKED"] == cleaner.n_masked(cube.ifu)
        assert record["measured"][f"SKY IFU{cube.ifu} SPAXELS"] == told[str(cube.ifu)]["n_spaxels"]
    assert record["parameters"]["least_sky"] == 0.0
    assert [item["file"] for item in record["products"]] == [path.name for path in outcome.products]
    json.dumps(told)


def test_edited_mask_is_used_and_kept(sky, tmp_path):
    first = sky_mask([sky], tmp_path, parameters=PARAMETERS)
    ifu = NIGHT_IFUS[0]
    with fits.open(first.products[1], mode="update") as hdus:
        hdus[f"IFU.{ifu}.MASK"].data[:] = 1
        hdus[f"IFU.{ifu}.MASK"].data[5:8, 3:5] = 0
    edited = first.products[1].read_bytes()

    second = sky_mask([sky], tmp_path, masks=[first.products[1]], parameters=PARAMETERS, overwrite=True)

    assert second.products == first.products[:1]
    assert first.products[1].read_bytes() == edited
    assert second.measured["sky_SKY_CLEAN.fits"]["ifus"][str(ifu)]["n_masked"] == 6
    before, after = (np.asarray(read_exposure(path).cube(ifu).flux) for path in (sky, second.products[0]))
    changed = np.isfinite(before) & (before != after)
    # Bad voxels of other spaxels are replaced as well: one in ten thousand.
    share = np.count_nonzero(changed, axis=0) / np.count_nonzero(np.isfinite(before[:, 6, 6]))
    assert share[5:8, 3:5].min() == 1
    assert np.delete(share.ravel(), [y * 14 + x for y in (5, 6, 7) for x in (3, 4)]).max() < 0.1
    assert [item["file"].rpartition("/")[2] for item in read_json(second.extras[1])["inputs"]] == [
        "sky.fits", "sky_SKY_MASK.fits",
    ]  # fmt: skip


def test_one_ifu_leaves_the_others_empty(sky, tmp_path):
    outcome = sky_mask([sky], tmp_path, ifu=NIGHT_IFUS[1], parameters=PARAMETERS)
    assert [cube.ifu for cube in read_exposure(outcome.products[0]).cubes] == [NIGHT_IFUS[1]]
    assert list(read_sky_mask(outcome.products[1])) == [NIGHT_IFUS[1]]
    with pytest.raises(KmosError, match="no data for IFU 7"):
        sky_mask([sky], tmp_path / "other", ifu=7)


def test_it_serves_as_sky(night, sky, tmp_path):
    """The same as when the stars are replaced while the sky is subtracted."""
    target = write_exposure(with_zeros(night.objects[0]), tmp_path / "object.fits")
    clean = sky_mask([sky], tmp_path).products[0]
    left = [
        sky_tweak([target], [each], tmp_path / each.stem, method="plain", ifu=NIGHT_IFUS[0]).products[0]
        for each in (sky, clean)
    ]
    cubes = [np.asarray(read_exposure(path).cube(NIGHT_IFUS[0]).flux) for path in left]
    assert np.array_equal(np.isfinite(cubes[0]), np.isfinite(cubes[1]))
    assert np.nanmax(np.abs(cubes[0] - cubes[1])) < 1e-5


def test_a_plan_leaves_it_out(sky, tmp_path):
    named = sky.rename(tmp_path / "SCI_RECONSTRUCTED_sky.fits")
    sky_mask([named], tmp_path, parameters=PARAMETERS)
    roles = {found.file.name: (found.role, found.why) for found in find_exposures([tmp_path])}
    assert set(roles) == {named.name, "SCI_RECONSTRUCTED_sky_SKY_CLEAN.fits"}
    assert roles["SCI_RECONSTRUCTED_sky_SKY_CLEAN.fits"][0] == "skip"
    assert "made from a sky exposure" in roles["SCI_RECONSTRUCTED_sky_SKY_CLEAN.fits"][1]


def test_what_cannot_be_done_is_refused_before_anything_is_written(sky, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(SkyError, match="no sky exposures given"):
        sky_mask([], out)
    with pytest.raises(WriteError, match="both become sky_SKY_CLEAN"):
        sky_mask([sky, sky], out)
    (tmp_path / "existing").mkdir()
    (tmp_path / "existing" / "sky_SKY_MASK.png").write_text("mine")
    with pytest.raises(WriteError, match=r"sky_SKY_MASK\.png: exists already"):
        sky_mask([sky], tmp_path / "existing")
    small = make_exposure(ifus=NIGHT_IFUS, shape=(64, 9, 11), stars=())
    mask = sky_mask([write_exposure(small, tmp_path / "small.fits")], tmp_path / "small").products[1]
    with pytest.raises(GeometryError, match=r"mask of IFU 3 .* has shape \(9, 11\) \(y, x\), its cube \(14, 14\)"):
        sky_mask([sky], out, masks=[mask])
    assert not list(out.glob("*"))


def test_exposure_without_data_is_refused(tmp_path):
    empty = make_exposure(ifus=(3,), shape=(64, 9, 11))
    arms = tuple(dataclasses.replace(arm, cube=None) for arm in empty.arms)
    path = tmp_path / "empty.fits"
    write_exposure(dataclasses.replace(empty, arms=arms, header=primary_header((), band="K", mjd=58000.0)), path)
    with pytest.raises(KmosError, match=r"empty\.fits"):
        sky_mask([path], tmp_path / "out")


def test_sky_of_nan_is_refused(night, tmp_path):
    """The headers do not tell, and its mask would say that all of it is stars."""
    arms = tuple(
        dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, flux=np.full(arm.cube.shape, np.nan, np.float32)))
        if arm.cube is not None
        else arm
        for arm in night.skies[0].arms
    )
    path = write_exposure(dataclasses.replace(night.skies[0], arms=arms), tmp_path / "nan.fits")
    with pytest.raises(SkyError, match=r"nan.fits: no data \(all NaN\); leave this file out"):
        sky_mask([path], tmp_path / "out", parameters=PARAMETERS)
    assert not (tmp_path / "out").exists()


def test_cancelled_leaves_no_half_written_file(sky, tmp_path):
    def stop(done, total, text):
        assert done <= total
        if "filling IFU 11" in text:
            raise Cancelled

    with pytest.raises(Cancelled):
        sky_mask([sky], tmp_path / "out", parameters=PARAMETERS, progress=stop)
    assert not (tmp_path / "out").exists()
