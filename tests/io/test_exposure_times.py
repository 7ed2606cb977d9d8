"""Dates of the exposures of a combined cube: written, read, put together."""

from __future__ import annotations

import dataclasses

import pytest
from astropy.io import fits
from astropy.time import Time
from factories import make_cube

from napari_kmos.exposure import Arm, Exposure
from napari_kmos.io import times_of, with_exposure_times
from napari_kmos.io.exposure_times import n_combined, read_exposure_times
from napari_kmos.times import ExposureTime, mean_mjd, shares_of

FIRST, SECOND, LATER = (
    ExposureTime(59720.25, 600.0),
    ExposureTime(59720.26, 300.0),
    ExposureTime(59902.5, 600.0),
)


def exposure(time: ExposureTime | None = None, **cards: object) -> Exposure:
    """An exposure of a time, or a cube with the cards of a combined one."""
    cube = dataclasses.replace(make_cube(), exptime=time.seconds if time else 600.0)
    date = Time(time.middle_mjd - time.seconds / 2 / 86400, format="mjd") if time else Time(59000.0, format="mjd")
    header = fits.Header([(f"HIERARCH {key}", value) for key, value in cards.items()])
    return Exposure(arms=(Arm(number=3, cube=cube),), date=date, header=header)


def combined(*times: ExposureTime) -> Exposure:
    return dataclasses.replace(exposure(), header=with_exposure_times(fits.Header(), times))


def close(found: tuple[ExposureTime, ...]) -> tuple[tuple[float, float], ...]:
    return tuple((round(one.middle_mjd, 7), one.seconds) for one in found)


def test_header_tells_each_exposure_and_their_mean():
    start = fits.Header([("MJD-OBS", 59720.246)])

    header = with_exposure_times(start, (FIRST, SECOND, LATER))

    assert read_exposure_times(header) == (FIRST, SECOND, LATER)
    assert header["MJD-OBS"] == 59720.246
    assert header["MJD-END"] == pytest.approx(59902.5 + 300 / 86400, abs=1e-8)
    mean = (600 * 59720.25 + 300 * 59720.26 + 600 * 59902.5) / 1500
    assert header["ESO QC COMBINE MJDMEAN"] == pytest.approx(mean, abs=1e-7)
    assert mean_mjd((FIRST, SECOND, LATER)) == pytest.approx(mean, abs=1e-7)
    # What is made of it tells of its own exposures only, and of none where they are not known.
    assert read_exposure_times(with_exposure_times(header, (SECOND,))) == (SECOND,)
    assert set(with_exposure_times(header, ())) == {"MJD-OBS"}
    assert len(start) == 1


def test_exposures_are_put_together_once_each_in_the_order_of_time():
    single = [exposure(one) for one in (LATER, FIRST, SECOND)]

    assert close(times_of(single)) == (FIRST, SECOND, LATER)
    assert close(times_of([combined(FIRST, LATER), exposure(SECOND), exposure(FIRST)])) == (FIRST, SECOND, LATER)


def test_where_one_file_does_not_tell_none_is_told():
    eso = exposure(**{"ESO PRO CATG": "COMBINED_CUBE", "ESO PRO DATANCOM": 4})
    undated = dataclasses.replace(exposure(FIRST), date=None)

    assert times_of([exposure(FIRST), eso]) == ()
    assert times_of([exposure(FIRST), undated]) == ()
    assert n_combined(eso.header) == 4
    # ESO counts the raw frames of a reconstruction likewise.
    assert n_combined(exposure(**{"ESO PRO CATG": "SCI_RECONSTRUCTED", "ESO PRO DATANCOM": 4}).header) == 1


def test_exposures_count_by_their_lengths_if_all_are_known():
    assert shares_of((FIRST, SECOND)) == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert shares_of((FIRST, ExposureTime(59721.0, 0.0))) == [0.5, 0.5]
    assert mean_mjd(()) is None
