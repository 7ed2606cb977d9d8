"""Sky subtraction on files: which sky, which names, what is written beside."""

from __future__ import annotations

import dataclasses
import json
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from factories import make_exposure
from sky_pairs import make_pair

from napari_kmos.errors import GeometryError, KmosError, KmosWarning, SkyError, WriteError
from napari_kmos.io import read_exposure, read_json, read_table, write_cube, write_exposure, write_sky_mask
from napari_kmos.progress import Cancelled
from napari_kmos.recipes.sky_tweak import sky_tweak
from napari_kmos.sky import SkyParameters, subtract_sky

MJD = 59000.0


@pytest.fixture(scope="module")
def pair():
    """Cubes of an object and its sky."""
    return make_pair(groups={"low": 0.95}, shift=0.1, sigma=2.0)


@pytest.fixture
def night(pair, tmp_path):
    """A folder with an object and two skies, the second nearer in time, and a function that writes more."""

    def write(name, cube, *, ifus=(3, 5), mjd=MJD, band="K", **changes):
        exposure = make_exposure(ifus=ifus, band=band, mjd=mjd)
        arms = tuple(
            dataclasses.replace(arm, cube=dataclasses.replace(cube, ifu=arm.number, name=arm.name, **changes))
            if arm.number in ifus
            else arm
            for arm in exposure.arms
        )
        header = exposure.header.copy()
        header["DATE-OBS"] = Time(mjd, format="mjd").isot
        exposure = dataclasses.replace(exposure, arms=arms, header=header)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        return write_exposure(exposure, tmp_path / name)

    doubled = dataclasses.replace(pair.sky, flux=2 * np.asarray(pair.sky.flux))
    return {
        "write": write,
        "object": write("object.fits", pair.target),
        "far": write("far.fits", doubled, mjd=MJD + 1),
        "sky": write("sky.fits", pair.sky, mjd=MJD + 0.01),
        "out": tmp_path / "out",
    }


def test_product_has_the_layout_of_the_input_without_the_sky(night, pair):
    outcome = sky_tweak([night["object"]], [night["sky"]], night["out"])

    assert [path.name for path in outcome.products] == ["object_SKY_TWEAK.fits"]
    result = subtract_sky(pair.target, pair.sky).cube
    with fits.open(outcome.products[0], checksum=True) as hdus, fits.open(night["object"]) as before:
        assert [hdu.name for hdu in hdus] == [hdu.name for hdu in before]
        assert hdus["IFU.5.DATA"].data == pytest.approx(result.flux, abs=1e-4)
        assert hdus["IFU.3.NOISE"].data == pytest.approx(result.noise, rel=1e-4)
        assert hdus[0].header["ESO PRO CATG"] == "SKY_TWEAK"
        assert "sky-tweak: object.fits, sky.fits; method=levels" in str(hdus[0].header["HISTORY"])
    exposure = read_exposure(outcome.products[0])
    assert [cube.name for cube in exposure.cubes] == ["star3", "star5"]


def test_factors_and_residuals_are_in_header_record_table_and_outcome(night, pair):
    outcome = sky_tweak([night["object"]], [night["sky"]], night["out"])

    expected = {band.name: band for band in subtract_sky(pair.target, pair.sky).bands}["9-7"]
    header = fits.getheader(outcome.products[0])
    record = read_json(night["out"] / "object_SKY_TWEAK.json")
    for numbers, start in ((header, "ESO QC "), (record["measured"], "")):
        assert numbers[f"{start}SKY IFU5 9-7 FACTOR"] == pytest.approx(expected.factor, rel=1e-4)
        assert numbers[f"{start}SKY IFU5 9-7 NPIX"] == expected.n_line_pixels
        assert numbers[f"{start}SKY IFU5 9-7 RMS BEFORE"] == pytest.approx(expected.rms_before, rel=1e-4)
        assert numbers[f"{start}SKY IFU5 9-7 RMS AFTER"] == pytest.approx(expected.rms_after, rel=1e-4)
        assert numbers[f"{start}SKY IFU5 SHIFT"] == pytest.approx(0.1, abs=0.01)
    assert [item["file"].rpartition("/")[2] for item in record["inputs"]] == ["object.fits", "sky.fits"]
    table = read_table(night["out"] / "object_SKY_TWEAK_bands.ecsv")
    assert table[(table["ifu"] == 5) & (table["band"] == "9-7")]["factor"][0] == pytest.approx(
        expected.factor, rel=1e-4
    )
    told = outcome.measured["object_SKY_TWEAK.fits"]
    assert told["sky"] == "sky.fits"
    assert [band["name"] for band in told["ifus"]["5"]["bands"]] == ["7-5", "8-6", "9-7", "final bit"]
    json.dumps(told)


def test_every_extra_is_beside_the_product(night):
    outcome = sky_tweak([night["object"]], [night["sky"]], night["out"], method="plain")
    endings = [".json", "_bands.ecsv", "_IFU3.png", "_IFU5.png"]
    assert [path.name for path in outcome.extras] == [f"object_SKY_TWEAK{ending}" for ending in endings]
    assert sorted(night["out"].iterdir()) == sorted((*outcome.products, *outcome.extras))
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in outcome.extras[2:])


def test_each_object_takes_the_sky_nearest_in_time(night, pair):
    late = night["write"]("late.fits", pair.target, mjd=MJD + 0.9)
    skies = [night["far"], night["sky"]]
    outcome = sky_tweak([night["object"], late], skies, night["out"], method="plain")
    assert [told["sky"] for told in outcome.measured.values()] == ["sky.fits", "far.fits"]
    assert [path.name for path in outcome.products] == ["object_SKY_TWEAK.fits", "late_SKY_TWEAK.fits"]


def test_which_sky_was_taken_and_why_is_told(night):
    outcome = sky_tweak([night["object"]], [night["far"], night["sky"]], night["out"], method="plain", figures=False)
    told = outcome.measured["object_SKY_TWEAK.fits"]
    assert told["why"] == "nearest in time of 2 skies (14 min after)"
    assert told["skies"] == [{"file": "sky.fits", "weight": 1.0, "spaxels_with_stars": {}}]
    header = fits.getheader(outcome.products[0])
    assert header["ESO QC SKY REASON"] == told["why"]
    assert (header["ESO QC SKY1 NAME"], header["ESO QC SKY1 WEIGHT"]) == ("sky.fits", 1.0)


def test_the_best_sky_is_taken_and_all_that_were_tried_are_told(night, pair):
    near = night["write"]("near.fits", dataclasses.replace(pair.sky, flux=1.5 * np.asarray(pair.sky.flux)), mjd=MJD)
    skies = [near, night["far"], night["sky"], night["object"]]
    told = []
    outcome = sky_tweak(
        [night["object"]], skies, night["out"], method="plain", pick="best", figures=False,
        progress=lambda *said: told.append(said),
    )  # fmt: skip
    measured = outcome.measured["object_SKY_TWEAK.fits"]
    assert measured["sky"] == "sky.fits"
    assert [one["file"] for one in measured["tried"]] == ["near.fits", "sky.fits", "far.fits"]
    header, record = fits.getheader(outcome.products[0]), read_json(night["out"] / "object_SKY_TWEAK.json")
    assert header["ESO QC SKY TRIED2 NAME"] == "sky.fits"
    assert header["ESO QC SKY TRIED2 RMS"] == pytest.approx(measured["tried"][1]["rms_after"], rel=1e-5)
    assert "leaves least of 3 skies" in record["measured"]["SKY REASON"]
    assert record["parameters"]["pick"] == "best"
    assert [done for done, _, _ in told] == list(range(6 + 4))
    assert {total for _, total, _ in told} == {6 + 3}
    assert told[0][2] == "object.fits: trying sky near.fits on IFU 3 star3"


def test_two_skies_are_interpolated(night, pair):
    before = night["write"]("before.fits", pair.sky, mjd=MJD - 0.03)
    outcome = sky_tweak([night["object"]], [before, night["sky"]], night["out"], method="plain", pick="interpolate")
    measured = outcome.measured["object_SKY_TWEAK.fits"]
    assert [(one["file"], round(one["weight"], 4)) for one in measured["skies"]] == [
        ("before.fits", 0.25), ("sky.fits", 0.75)]  # fmt: skip
    assert measured["sky"] == "before.fits and sky.fits"
    product = read_exposure(outcome.products[0]).cube(3)
    alone = subtract_sky(pair.target, pair.sky, method="plain").cube
    assert product.flux == pytest.approx(np.asarray(alone.flux), abs=1e-3)
    own, sky = (float(np.nanmean(np.asarray(cube.noise) ** 2)) for cube in (pair.target, pair.sky))
    expected = np.sqrt(own + (0.25**2 + 0.75**2) * sky)
    assert float(np.nanmean(product.noise)) == pytest.approx(expected, rel=1e-3)
    record = read_json(night["out"] / "object_SKY_TWEAK.json")
    names = [one["file"].rpartition("/")[2] for one in record["inputs"]]
    assert names == ["object.fits", "before.fits", "sky.fits"]
    assert record["measured"]["SKY2 WEIGHT"] == pytest.approx(0.75, abs=1e-4)
    assert len(outcome.extras) == 4


def test_what_cannot_be_interpolated_takes_the_nearest_with_a_warning(night):
    with pytest.warns(KmosWarning, match=r"object.fits: nothing to interpolate between: all 2 skies are after it; the"):
        outcome = sky_tweak(
            [night["object"]], [night["far"], night["sky"]], night["out"], method="plain", pick="interpolate", ifu=5,
        )  # fmt: skip
    assert outcome.measured["object_SKY_TWEAK.fits"]["sky"] == "sky.fits"


def test_figures_can_be_left_out(night):
    outcome = sky_tweak([night["object"]], [night["sky"]], night["out"], method="plain", figures=False)
    assert [path.suffix for path in outcome.extras] == [".json", ".ecsv"]
    assert sorted(night["out"].iterdir()) == sorted((*outcome.products, *outcome.extras))


@pytest.fixture
def starry(night, pair):
    """A sky exposure with a star, and where it is."""
    y, x = np.indices(pair.sky.shape[1:])
    star = np.exp(-((y - 6) ** 2 + (x - 3) ** 2)).astype(np.float32)
    flux = np.asarray(pair.sky.flux) + 10 * star
    return night["write"]("starry.fits", dataclasses.replace(pair.sky, flux=flux), mjd=MJD + 0.01), star > 0.01


def test_stars_of_the_sky_leave_no_holes(night, starry):
    path, where = starry
    kept = sky_tweak([night["object"]], [path], night["out"], method="plain", sky_stars="keep", ifu=5)
    holes = np.nanmedian(np.asarray(read_exposure(kept.products[0]).cube(5).flux), axis=0)
    outcome = sky_tweak([night["object"]], [path], night["out"], method="plain", ifu=5, overwrite=True)
    left = np.nanmedian(np.asarray(read_exposure(outcome.products[0]).cube(5).flux), axis=0)
    assert holes[where].min() < -8
    # Noise of the median over 2048 planes is 0.1; gains of 2 % of a continuum of 5 another 0.1.
    assert np.abs(left[where]).max() < 0.6
    told = outcome.measured["object_SKY_TWEAK.fits"]["skies"][0]["spaxels_with_stars"]
    header = fits.getheader(outcome.products[0])
    assert told == {"5": header["ESO QC SKY1 IFU5 MASKED"]}
    assert 9 <= told["5"] <= 60


def test_a_mask_is_used_instead_of_looking_for_stars(night, starry, tmp_path):
    path, where = starry
    exposure = read_exposure(path)
    masks = [
        write_sky_mask({3: ~where, 5: np.ones_like(where)}, tmp_path / name, exposure=exposure)
        for name in ("mine.fits", "starry_SKY_MASK.fits")
    ]
    outcome = sky_tweak([night["object"]], [path], night["out"], method="plain", sky_masks=masks[:1], figures=False)
    told = outcome.measured["object_SKY_TWEAK.fits"]["skies"][0]["spaxels_with_stars"]
    assert told == {"3": int(where.sum())}
    record = read_json(night["out"] / "object_SKY_TWEAK.json")
    assert record["parameters"]["sky_masks"] == "mine.fits"
    assert record["inputs"][-1]["file"].endswith("mine.fits")
    skies = [night["far"], path]
    again = {"method": "plain", "figures": False, "overwrite": True}
    outcome = sky_tweak([night["object"]], skies, night["out"], sky_masks=masks[1:], **again)
    told = outcome.measured["object_SKY_TWEAK.fits"]["skies"][0]
    assert (told["file"], told["spaxels_with_stars"]) == ("starry.fits", {"3": int(where.sum())})
    with pytest.raises(
        SkyError, match=r"mine.fits: is the mask of none of the skies; expected a name like far_SKY_MASK"
    ):
        sky_tweak([night["object"]], skies, night["out"], sky_masks=masks[:1], **again)
    with pytest.raises(SkyError, match=r"mine.fits: a sky mask is given, and stars are to be kept"):
        sky_tweak([night["object"]], skies, night["out"], sky_masks=masks[:1], sky_stars="keep", **again)


def test_one_ifu_leaves_the_others_empty(night):
    outcome = sky_tweak([night["object"]], [night["sky"]], night["out"], ifu=5, method="plain")
    exposure = read_exposure(outcome.products[0])
    assert [cube.ifu for cube in exposure.cubes] == [5]
    assert len(exposure.arms) == 24
    with pytest.raises(KmosError, match="no data for IFU 7; IFUs with data: 3, 5"):
        sky_tweak([night["object"]], [night["sky"]], night["out"], ifu=7)


def test_parameters_are_used_and_recorded(night):
    parameters = SkyParameters(rotation=False, discard_subband=True)
    outcome = sky_tweak([night["object"]], [night["sky"]], night["out"], method="davies", parameters=parameters, ifu=3)
    bands = outcome.measured["object_SKY_TWEAK.fits"]["ifus"]["3"]["bands"]
    assert not bands[-1]["fitted"]
    record = read_json(night["out"] / "object_SKY_TWEAK.json")
    assert record["parameters"]["discard_subband"] is True
    assert record["parameters"]["ifu"] == 3


def test_input_without_noise_gives_a_product_with_the_estimate_and_says_so(night, pair):
    bare = night["write"]("bare.fits", pair.target, noise=None)
    outcome = sky_tweak([bare], [night["sky"]], night["out"], method="plain")
    exposure = read_exposure(outcome.products[0])
    assert all(cube.noise_estimated for cube in exposure.cubes)
    assert len(fits.info(outcome.products[0], output=False)) == 49


def test_combined_cube_takes_a_combined_sky(night, pair, tmp_path):
    paths = [
        write_cube(dataclasses.replace(cube, ifu=None), tmp_path / f"{name}.fits")
        for name, cube in (("COMBINE_a", pair.target), ("COMBINE_sky", pair.sky))
    ]
    outcome = sky_tweak(paths[:1], paths[1:], night["out"], method="plain")
    assert [hdu[1] for hdu in fits.info(outcome.products[0], output=False)] == [
        "PRIMARY",
        "target.DATA",
        "target.NOISE",
    ]
    assert outcome.extras[-1].name == "COMBINE_a_SKY_TWEAK.png"


def test_ifu_without_data_is_left_as_it_is_with_a_warning(night, pair):
    exposure = read_exposure(night["object"])
    arms = [
        dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, flux=np.full(arm.cube.shape, np.nan, np.float32)))
        if arm.number == 3
        else arm
        for arm in exposure.arms
    ]
    empty = write_exposure(dataclasses.replace(exposure, arms=tuple(arms)), night["out"].parent / "empty.fits")
    with pytest.warns(KmosWarning, match=r"empty.fits: no data in IFU 3 star3 \(all NaN\); left as it is"):
        outcome = sky_tweak([empty], [night["sky"]], night["out"], method="plain")
    product = read_exposure(outcome.products[0])
    assert [cube.ifu for cube in product.cubes] == [3, 5]
    assert np.isnan(np.asarray(product.cube(3).flux)).all()
    with pytest.raises(SkyError, match=r"empty.fits: no data in IFU 3 star3"):
        sky_tweak([empty], [night["sky"]], night["out"], ifu=3, method="plain", overwrite=True)


def test_sky_of_another_ifu_stands_in(night, pair):
    other = night["write"]("other.fits", pair.sky, ifus=(2, 6))
    with pytest.warns(KmosWarning, match="other.fits has no data in this IFU; the sky of IFU") as warned:
        outcome = sky_tweak([night["object"]], [other], night["out"], method="plain")
    assert len(warned) == 2
    assert "IFU.2" in outcome.measured["object_SKY_TWEAK.fits"]["ifus"]["3"]["sky"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"method": "best"}, "sky method 'best' is not known; choose one of plain, davies"),
        ({"pick": "latest"}, "pick 'latest' is not known; choose one of nearest, best, interpolate"),
        ({"sky_stars": "drop"}, "sky stars 'drop' is not known; choose one of mask, keep"),
    ],
)
def test_unknown_choices_are_refused(night, options, match):
    with pytest.raises(SkyError, match=match):
        sky_tweak([night["object"]], [night["sky"]], night["out"], **options)


def test_files_that_do_not_fit_are_told_before_anything_is_written(night, pair):
    other = night["write"]("other.fits", pair.sky, band="H")
    with pytest.raises(SkyError, match=r"object.fits: band K; skies given: other.fits \(H\)"):
        sky_tweak([night["object"]], [other], night["out"])
    with pytest.raises(SkyError, match="1 objects and 0 skies given"):
        sky_tweak([night["object"]], [], night["out"])
    assert not night["out"].exists()


def test_other_grid_is_told(night, pair):
    shifted = night["write"]("shifted.fits", pair.sky, wavelength=pair.sky.wavelength * 1.01)
    with pytest.raises(GeometryError, match=r"object .*object.fits.* covers .* and sky .*shifted.fits"):
        sky_tweak([night["object"]], [shifted], night["out"])
    assert not night["out"].exists()


def test_no_sky_on_the_detector_is_an_error(night, pair):
    far = night["write"]("detector3.fits", pair.sky, ifus=(20,))
    with pytest.raises(SkyError, match="no sky in IFU 3 or another IFU of its detector; IFUs there: 20"):
        sky_tweak([night["object"]], [far], night["out"])


def test_no_sky_for_a_later_object_is_told_before_anything_is_written(night, pair):
    later = night["write"]("later.fits", pair.target, ifus=(3, 20))
    with pytest.raises(SkyError, match="no sky in IFU 20 or another IFU of its detector; IFUs there: 3, 5"):
        sky_tweak([night["object"], later], [night["sky"]], night["out"])
    assert not night["out"].exists()


def test_object_is_not_its_own_sky(night):
    with pytest.raises(SkyError, match=r"object.fits: is its own sky"):
        sky_tweak([night["object"]], [night["object"], night["far"]], night["out"])


def test_equal_names_are_an_error_before_any_work(night, pair):
    twin = night["write"]("visit2/object.fits", pair.target)
    with pytest.raises(WriteError, match=r"would both become object_SKY_TWEAK.fits"):
        sky_tweak([night["object"], twin], [night["sky"]], night["out"])
    assert not night["out"].exists()


def test_existing_product_is_kept_unless_told_otherwise(night, pair):
    second = night["write"]("second.fits", pair.target)
    night["out"].mkdir()
    (night["out"] / "second_SKY_TWEAK_IFU5.png").write_text("mine")
    with pytest.raises(WriteError, match=r"second_SKY_TWEAK_IFU5.png: exists already"):
        sky_tweak([night["object"], second], [night["sky"]], night["out"], method="plain")
    assert [path.name for path in night["out"].iterdir()] == ["second_SKY_TWEAK_IFU5.png"]
    sky_tweak([night["object"], second], [night["sky"]], night["out"], method="plain", overwrite=True)
    assert (night["out"] / "second_SKY_TWEAK_IFU5.png").read_bytes().startswith(b"\x89PNG")


def test_mosaic_is_refused(night, pair, tmp_path):
    wide = {name: np.ones((4, 9, 80), dtype=np.float32) for name in ("flux", "noise")}
    mosaic = dataclasses.replace(pair.target, wavelength=pair.target.wavelength[:4], ifu=None, **wide)
    path = write_cube(mosaic, tmp_path / "mosaic.fits")
    with pytest.raises(SkyError, match=r"mosaic.fits: is a mosaic; the sky is subtracted from exposures"):
        sky_tweak([path], [night["sky"]], night["out"])


def test_progress_is_told_and_cancelling_leaves_nothing_half_done(night):
    told = []
    sky_tweak([night["object"]], [night["sky"]], night["out"], progress=lambda *said: told.append(said), method="plain")
    assert [done for done, _, _ in told] == list(range(6))
    assert {total for _, total, _ in told} == {5}
    assert told[0][2] == "object.fits: sky of IFU 3 star3"

    def stop(done, total, text):
        if done == 2:
            raise Cancelled

    fresh = night["out"] / "fresh"
    with pytest.raises(Cancelled):
        sky_tweak([night["object"]], [night["sky"]], fresh, progress=stop, method="plain")
    assert not fresh.exists()


def test_a_good_night_gives_no_warning(night):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sky_tweak([night["object"]], [night["sky"]], night["out"], ifu=5)
