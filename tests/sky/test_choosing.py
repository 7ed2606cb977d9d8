"""Which of several skies an exposure takes."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from astropy.time import Time
from factories import make_exposure
from sky_pairs import make_pair

from napari_kmos.errors import GeometryError, KmosError, KmosWarning, SkyError
from napari_kmos.progress import Cancelled
from napari_kmos.sky import SkyChoice, SkyParameters, SkySource, choose_best, n_trials, sky_options
from napari_kmos.sky.cleaning import SkyCleaner

MJD = 59000.0
MINUTE = 1 / 1440


def _exposure(minutes=0.0, *, name="sky", ifus=(3, 5), band="K", exptime=100.0, **cube):
    exposure = make_exposure(ifus=ifus, exptime=exptime, **cube)
    date = None if minutes is None else Time(MJD + minutes * MINUTE, format="mjd")
    return dataclasses.replace(exposure, band=band, date=date, object_name=name)


def _options(pick, times, *, parameters=None, at=0.0, **sky):
    target = _exposure(at, name="object")
    sources = [SkySource(_exposure(time, name=f"sky {time:+g}", **sky)) for time in times]
    return sky_options(target, target.cubes, sources, pick, parameters or SkyParameters())


def test_nearest_is_told_with_its_distance():
    (choice,) = _options("nearest", (-30, 12, 200))
    assert (choice.label, choice.weights, choice.shortfall) == ("sky +12", (1.0,), "")
    assert choice.reason == "nearest in time of 3 skies (12 min after)"
    (only,) = _options("nearest", (-300,))
    assert only.reason == "the only sky"


def test_skies_before_and_after_are_weighted_by_time():
    (choice,) = _options("interpolate", (-90, -12, 6, 30))
    assert choice.label == "sky -12 and sky +6"
    assert choice.weights == pytest.approx((1 / 3, 2 / 3), abs=1e-6)
    assert "sky -12 (12 min before, weight 0.33) and sky +6 (6 min after, weight 0.67)" in choice.reason
    assert not choice.shortfall


def test_times_are_those_of_the_middle_of_an_exposure():
    # A sky of 100 s that begins with an object of 1300 s has its middle 10 min before the object's.
    target = _exposure(0.0, name="object", exptime=1300.0)
    sources = [SkySource(_exposure(minutes, seed=2)) for minutes in (0.0, 15.0)]
    (choice,) = sky_options(target, target.cubes, sources, "interpolate", SkyParameters())
    assert choice.weights == pytest.approx((1 / 3, 2 / 3), abs=1e-4)


@pytest.mark.parametrize(
    ("times", "why"),
    [
        ((5, 30), "all 2 skies are after it"),
        ((-5, -30), "all 2 skies are before it"),
        ((-5,), "there is one sky"),
        ((-5, 600), "the skies before and after it are 10.1 h apart, more than 3"),
    ],
)
def test_where_nothing_can_be_interpolated_the_nearest_is_taken_and_why(times, why):
    (choice,) = _options("interpolate", times)
    assert choice.label == f"sky {times[0]:+d}"
    assert choice.shortfall.endswith(why)


def test_a_longer_time_is_bridged_if_wanted():
    (choice,) = _options("interpolate", (-5, 600), parameters=SkyParameters(pick_hours=12))
    assert choice.weights == pytest.approx((600 / 605, 5 / 605), abs=1e-4)


def test_best_tries_the_nearest_that_fit():
    parameters = SkyParameters(pick_skies=3)
    options = _options("best", (-90, 12, 6, 30), parameters=parameters)
    assert [option.label for option in options] == ["sky +6", "sky +12", "sky +30"]
    target = _exposure(name="object")
    assert n_trials(options, target.cubes, parameters) == 6
    assert n_trials(options[:1], target.cubes, parameters) == 0
    lacking = [SkySource(_exposure(6, ifus=(20,))), SkySource(_exposure(12, shape=(40, 9, 9)))]
    fit = SkySource(_exposure(60))
    (left,) = sky_options(target, target.cubes, [*lacking, fit], "best", SkyParameters())
    assert left.sources == (fit,)
    with pytest.raises(SkyError, match="no sky in IFU 3 or another IFU of its detector"):
        sky_options(target, target.cubes, lacking, "best", SkyParameters())


def test_what_cannot_be_chosen_is_told():
    with pytest.raises(SkyError, match="pick 'latest' is not known; choose one of nearest, best, interpolate"):
        _options("latest", (1, 2))
    with pytest.raises(SkyError, match="no date, so that the nearest of 2 skies cannot be chosen"):
        sky_options(_exposure(None), (), [SkySource(_exposure(k)) for k in (1, 2)], "interpolate", SkyParameters())
    with pytest.raises(SkyError, match=r"pick_skies is 0; expected 1 or more"):
        SkyParameters(pick_skies=0)
    with pytest.raises(SkyError, match=r"pick_hours is 0; expected more than 0"):
        SkyParameters(pick_hours=0)


def test_an_ifu_that_one_of_two_skies_lacks_takes_the_other():
    sources = SkySource(_exposure(-5, name="both")), SkySource(_exposure(5, name="one", ifus=(5,)))
    choice = SkyChoice(sources=sources, weights=(0.3, 0.7))
    target = _exposure(name="object")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ((alone, weight),) = choice.skies_for(target.cube(3))
        both = choice.skies_for(target.cube(5))
    assert (alone, weight) == (sources[0].exposure.cube(3), 1.0)
    assert [share for _, share in both] == pytest.approx([0.3, 0.7])
    lacking = SkyChoice(sources=tuple(SkySource(_exposure(k, ifus=(2,))) for k in (-5, 5)), weights=(0.3, 0.7))
    with pytest.warns(KmosWarning, match="the sky of IFU 2 is used") as warned:
        assert len(lacking.skies_for(target.cube(3))) == 2
    assert len(warned) == 2


# --- with light in the cubes -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair():
    """Object and sky of one IFU."""
    return make_pair(sigma=2.0)


def _of_cubes(cubes, minutes, name):
    exposure = _exposure(minutes, name=name, ifus=tuple(range(1, 1 + len(cubes))))
    arms = tuple(
        dataclasses.replace(arm, cube=dataclasses.replace(cubes[arm.number - 1], ifu=arm.number))
        if arm.number <= len(cubes)
        else arm
        for arm in exposure.arms
    )
    return dataclasses.replace(exposure, arms=arms)


def _scaled(cube, factor):
    return dataclasses.replace(cube, flux=np.asarray(cube.flux) * np.float32(factor))


def test_the_sky_that_leaves_least_is_chosen_and_all_numbers_are_told(pair):
    target = _of_cubes([pair.target] * 4, 0, "object")
    skies = [_of_cubes([_scaled(pair.sky, factor)] * 4, time, name) for time, factor, name in (
        (5, 1.3, "brighter"), (-9, 1.03, "alike"), (50, 0.5, "dim"))]  # fmt: skip
    parameters = SkyParameters(pick_ifus=2)
    options = sky_options(target, target.cubes, [SkySource(sky) for sky in skies], "best", parameters)
    told = []
    choice = choose_best(
        options, target.cubes, method="plain", parameters=parameters, progress=lambda *said: told.append(said)
    )
    assert choice.label == "alike"
    assert [name for name, _ in choice.tried] == ["brighter", "alike", "dim"]
    left = dict(choice.tried)
    assert left["alike"] < 0.5 * min(left["brighter"], left["dim"])
    assert f"leaves least of 3 skies: {left['alike']:.4g} on the line pixels of 2 of 4 IFUs" in choice.reason
    assert choice.reason.endswith("number 2 in time of 3 skies (9 min before)")
    assert [done for done, _, _ in told] == list(range(6))
    assert told[0][2] == "trying sky brighter on IFU 1 target"
    assert choose_best(options[:1], target.cubes) is options[0]

    def stop(*_):
        raise Cancelled

    with pytest.raises(Cancelled):
        choose_best(options, target.cubes, method="plain", progress=stop)


def test_where_nothing_is_measured_the_nearest_is_taken(pair):
    target = _of_cubes([_scaled(pair.target, np.nan)], 0, "object")
    options = [SkyChoice(sources=(SkySource(_of_cubes([pair.sky], k, f"{k}")),)) for k in (1, 2)]
    assert choose_best(options, target.cubes) is options[0]


def test_trials_give_errors_but_no_warnings(pair):
    target = _of_cubes([pair.target], 0, "object")
    other = dataclasses.replace(pair.sky, wavelength=pair.sky.wavelength * 1.01)
    options = [SkyChoice(sources=(SkySource(_of_cubes([sky], 1, "sky")),)) for sky in (pair.sky, other)]
    with pytest.raises(GeometryError, match="covers"):
        choose_best(options, target.cubes)
    lines = make_pair(sigma=2.0, without=("7-5", "8-6", "9-7", "final bit"))
    faint = [SkyChoice(sources=(SkySource(_of_cubes([lines.sky], k, f"{k}.fits")),)) for k in (1, 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose_best(faint, _of_cubes([lines.target], 0, "object").cubes, method="davies")


def test_warnings_that_name_the_chosen_sky_are_given(pair):
    target = _of_cubes([pair.target] * 2, 0, "object")
    skies = [_of_cubes([_scaled(pair.sky, factor)], 1, name) for factor, name in ((1.0, "alike"), (0.5, "dim"))]
    options = [SkyChoice(sources=(SkySource(sky),)) for sky in skies]
    with pytest.warns(KmosWarning) as warned:
        assert choose_best(options, target.cubes, method="plain").label == "alike"
    assert [str(one.message) for one in warned] == [
        "IFU 2 target: alike has no data in this IFU; the sky of IFU 1 is used"
    ]


def test_only_ifus_with_stars_are_cleaned(pair):
    y, x = np.indices(pair.sky.shape[1:])
    star = (200 * np.exp(-((y - 6) ** 2 + (x - 3) ** 2) / 2)).astype(np.float32)
    starry = dataclasses.replace(pair.sky, flux=np.asarray(pair.sky.flux) + star)
    sky = _of_cubes([pair.sky, starry], 0, "sky")
    source = SkySource(sky, SkyCleaner(sky))
    target = _of_cubes([pair.target] * 2, 5, "object")
    assert source.sky_for(target.cube(1)) is sky.cube(1)
    cleaned = source.sky_for(target.cube(2))
    assert set(source.n_masked) == {2}
    assert source.n_masked[2] >= 9
    # The star's peak is 200; what is left of it must be a small part.
    assert np.nanmedian(np.asarray(cleaned.flux)[:, 6, 3] - np.asarray(pair.sky.flux)[:, 6, 3]) < 4
    assert SkySource(sky).sky_for(target.cube(2)) is sky.cube(2)
    assert SkySource(sky).n_masked == {}


def test_errors_of_the_family_are_raised_where_there_is_no_sky():
    with pytest.raises(KmosError, match="no sky in IFU 3"):
        SkyChoice(sources=(SkySource(_exposure(ifus=(20,))),)).skies_for(_exposure().cube(3))
