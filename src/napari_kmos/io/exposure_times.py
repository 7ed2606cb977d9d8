"""When the exposures of a file were taken: of a combined cube the header tells each of them.

ESO's MJD-OBS and DATE-OBS stay those of the first exposure; MJD-END is the end of the last. The middle and the length
of each, and the mean of the middles by the lengths, are numbers of our own step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from napari_kmos import instrument
from napari_kmos.io._cards import set_card
from napari_kmos.times import ExposureTime, mean_mjd

if TYPE_CHECKING:
    from astropy.io import fits

    from napari_kmos.exposure import Exposure

_DAY_S = 86400
#: Middles of one exposure, written by different hands, agree to this.
_SAME_S = 0.5


def read_exposure_times(header: fits.Header) -> tuple[ExposureTime, ...]:
    """Return the exposures that the header of a combined cube, or of a spectrum from one, tells; else none."""
    found: list[ExposureTime] = []
    while isinstance(middle := header.get(instrument.key_exposure_time(len(found) + 1, "MJD")), int | float):
        seconds = header.get(instrument.key_exposure_time(len(found) + 1, "EXPTIME"))
        found.append(ExposureTime(float(middle), float(seconds or 0)))
    return tuple(found)


def n_combined(header: fits.Header) -> int:
    """Return of how many exposures a header says that its cube is combined; 1 if it does not say so."""
    category = str(header.get(instrument.KEY_CATEGORY, instrument.CATEGORY_COMBINED))
    if instrument.CATEGORY_COMBINED not in category:
        return 1  # ESO counts the raw frames of single exposures by the same keyword
    counts = [header.get(key) for key in (instrument.KEY_N_EXPOSURES, instrument.KEY_N_COMBINED)]
    return max([1, *(count for count in counts if isinstance(count, int))])


def times_of(exposures: Iterable[Exposure]) -> tuple[ExposureTime, ...]:
    """Return when each of the exposures of which files are made was taken, each once, in the order of time.

    None at all if one of the files does not tell.
    """
    found: dict[int, ExposureTime] = {}
    for exposure in exposures:
        times = read_exposure_times(exposure.header)
        if not times and exposure.date is not None and n_combined(exposure.header) == 1:
            seconds = max((cube.exptime or 0.0 for cube in exposure.cubes), default=0.0)
            times = (ExposureTime(float(exposure.date.mjd) + 0.5 * seconds / _DAY_S, seconds),)
        if not times:
            return ()
        found |= {round(one.middle_mjd * _DAY_S / _SAME_S): one for one in times}
    return tuple(sorted(found.values()))


def with_exposure_times(header: fits.Header, times: Sequence[ExposureTime]) -> fits.Header:
    """Return a primary header that tells of these exposures, and of no others."""
    kept = header.copy()
    for number in range(1, len(read_exposure_times(kept)) + 1):
        for what in ("MJD", "EXPTIME"):
            kept.remove(instrument.key_exposure_time(number, what))
    for key in (instrument.KEY_MJD_END, instrument.KEY_MJD_MEAN):
        kept.remove(key, ignore_missing=True)
    for key, value, comment in time_cards(times):
        set_card(kept, key, value, comment)
    return kept


def time_cards(times: Sequence[ExposureTime]) -> list[tuple[str, Any, str]]:
    """Return the cards that tell of exposures."""
    if not times:
        return []
    end = max(one.middle_mjd + 0.5 * one.seconds / _DAY_S for one in times)
    cards: list[tuple[str, Any, str]] = [
        (instrument.KEY_MJD_END, round(end, 8), "end of the last exposure"),
        (instrument.KEY_MJD_MEAN, round(mean_mjd(times) or 0.0, 8), "mean of middles by EXPTIME"),
    ]
    for number, one in enumerate(times, start=1):
        cards.append((instrument.key_exposure_time(number, "MJD"), round(one.middle_mjd, 8), "middle of exposure, UTC"))
        cards.append((instrument.key_exposure_time(number, "EXPTIME"), round(one.seconds, 4), "[s]"))
    return cards
