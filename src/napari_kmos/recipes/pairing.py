"""Pair objects with skies, and group exposures by epochs and halves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from napari_kmos.errors import KmosError, SkyError
from napari_kmos.instrument import detector_of
from napari_kmos.recipes.finding import CATEGORIES, Found

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Skies within this time of the nearest are as good in time; among them the one with more of the IFUs is taken.
_SAME_NIGHT_DAYS = 0.5
_SAME_EXPOSURE_DAYS = 1e-6


def drop_copies(found: Sequence[Found]) -> tuple[Found, ...]:
    """Turn the less processed of two products of one exposure into role ``"skip"``.

    Raises
    ------
    KmosError
        If two files hold the same product of the same IFU of the same exposure.
    """
    kept: list[Found] = []
    for item in found:
        twin = next((index for index, other in enumerate(kept) if _is_same(item, other)), None)
        if twin is None:
            kept.append(item)
            continue
        ranks = [_rank(item), _rank(kept[twin])]
        if ranks[0] == ranks[1]:
            msg = (
                f"{item.file} and {kept[twin].file} are the same exposure ({item.date}); "
                "name the folders of one reduction only, or remove one of the files"
            )
            raise KmosError(msg)
        better, worse = (item, kept[twin]) if ranks[0] < ranks[1] else (kept[twin], item)
        why = f"the same exposure as {better.file.name}, which is {CATEGORIES[_rank(better)]}"
        kept[twin] = better
        kept.append(replace(worse, role="skip", why=why))
    return tuple(kept)


def pair_skies(found: Sequence[Found]) -> dict[int, tuple[int, str]]:
    """Choose a sky for every object: of its band and sampling, near in time, with the same IFUs.

    Parameters
    ----------
    found : sequence of Found
        Objects and skies.

    Returns
    -------
    dict
        Index of an object to index of its sky and the reason.

    Raises
    ------
    SkyError
        If there is no sky for an object.
    """
    skies = [index for index, item in enumerate(found) if item.role == "sky"]
    return {
        index: _nearest_sky(item, {sky: found[sky] for sky in skies})
        for index, item in enumerate(found)
        if item.role == "object"
    }


def group_epochs(mjds: Sequence[float], *, gap_days: float) -> tuple[str, ...]:
    """Name the epoch of each exposure, p1, p2, ... in time: a gap of more than ``gap_days`` begins a new one.

    Examples
    --------
    >>> group_epochs([0.0, 400.0, 0.3], gap_days=30)
    ('p1', 'p2', 'p1')
    """
    epochs = [""] * len(mjds)
    number, last = 0, -math.inf
    for index in sorted(range(len(mjds)), key=lambda index: _late(mjds[index])):
        number += number == 0 or _late(mjds[index]) - last > gap_days
        last = _late(mjds[index])
        epochs[index] = f"p{number}"
    return tuple(epochs)


def split_halves(mjds: Sequence[float], skies: Sequence[float]) -> tuple[int, ...]:
    """Tell which exposures of an OB are before (1) and after (2) its sky.

    Parameters
    ----------
    mjds : sequence of float
        Times of the OB's exposures.
    skies : sequence of float
        Times of their skies; of several, the one that splits the OB most evenly counts.

    Examples
    --------
    >>> split_halves([0.0, 0.1, 0.3, 0.4], [0.2])
    (1, 1, 2, 2)
    """

    def imbalance(sky: float) -> float:
        return abs(sum(mjd < sky for mjd in mjds) - len(mjds) / 2)

    middle = min(sorted(set(skies)), key=imbalance)
    return tuple(2 if mjd > middle else 1 for mjd in mjds)


def split_at_gap(mjds: Sequence[float], exptimes: Sequence[float], *, gap_minutes: float) -> tuple[int | None, ...]:
    """Tell which exposures of a night are before (1) and after (2) its longest interruption.

    Parameters
    ----------
    mjds : sequence of float
        Starts; an exposure without one (NaN) belongs to no half.
    exptimes : sequence of float
        Lengths in seconds; where one is unknown (NaN), the shortest time from start to start is taken for it.
    gap_minutes : float
        Shortest time between the end of an exposure and the start of the next that is an interruption.

    Returns
    -------
    tuple
        None for all if nothing is that long.

    Examples
    --------
    >>> split_at_gap([0.0, 0.004, 0.05], [300, 300, 300], gap_minutes=10)
    (1, 1, 2)
    """
    order = sorted((index for index, mjd in enumerate(mjds) if math.isfinite(mjd)), key=lambda index: mjds[index])
    pairs = [(one, other) for one, other in pairwise(order) if mjds[other] > mjds[one]]
    steps = [86400 * (mjds[other] - mjds[one]) for one, other in pairs]
    lengths = [exptimes[one] if math.isfinite(exptimes[one]) else min(steps) for one, _ in pairs]
    gaps = [step - length for step, length in zip(steps, lengths, strict=True)]
    if max(gaps, default=0.0) < max(60 * gap_minutes, 1e-3):
        return (None,) * len(mjds)
    second = mjds[pairs[gaps.index(max(gaps))][1]]
    return tuple(None if not math.isfinite(mjd) else 1 + (mjd >= second) for mjd in mjds)


def _nearest_sky(item: Found, skies: Mapping[int, Found]) -> tuple[int, str]:
    fitting = {index: sky for index, sky in skies.items() if (sky.band, sky.planes) == (item.band, item.planes)}
    if not fitting:
        have = ", ".join(sorted({f"{sky.band or '?'} with {sky.planes} planes" for sky in skies.values()})) or "none"
        msg = (
            f"{item.file}: no sky of band {item.band or '?'} with {item.planes} planes was found; skies: {have}. "
            "Name the folder of its sky, with --sky if nothing in its name says so"
        )
        raise SkyError(msg)
    nearest = min(_gap(item, sky) for sky in fitting.values())
    near = {index: sky for index, sky in fitting.items() if _gap(item, sky) <= nearest + _SAME_NIGHT_DAYS}
    chosen = min(near, key=lambda index: (len(_lacking(item, near[index])), _gap(item, near[index]), index))
    sky = near[chosen]
    return chosen, f"{_when(item, sky)}, {_what(item, sky)}"


def _lacking(item: Found, sky: Found) -> list[int]:
    return sorted(item.ifus - sky.ifus)


def _what(item: Found, sky: Found) -> str:
    """Say which of the object's IFUs a sky has."""
    lacking = _lacking(item, sky)
    if not lacking:
        return "has every IFU of the object"
    detectors = {detector_of(ifu) for ifu in sky.ifus}
    lost = [ifu for ifu in lacking if detector_of(ifu) not in detectors]
    helped = "" if lost else ", for which another of the same detector serves"
    return f"lacks IFU {', '.join(map(str, lacking))}{helped}"


def _when(item: Found, sky: Found) -> str:
    """Say how far in time a sky is."""
    minutes = (sky.mjd - item.mjd) * 1440
    if math.isnan(minutes):
        return "the only one, or the first: a date is missing"
    side = "after" if minutes > 0 else "before"
    size = abs(minutes)
    amount = f"{size:.0f} min" if size < 120 else f"{size / 60:.1f} h" if size < 2880 else f"{size / 1440:.0f} days"
    return f"nearest in time ({amount} {side})"


def _gap(item: Found, sky: Found) -> float:
    gap = abs(sky.mjd - item.mjd)
    return 1e9 if math.isnan(gap) else gap


def _late(mjd: float) -> float:
    """Put an exposure without a date at the end."""
    return 1e9 if math.isnan(mjd) else mjd


def _rank(item: Found) -> int:
    return CATEGORIES.index(item.category) if item.category in CATEGORIES else len(CATEGORIES)


def _is_same(item: Found, other: Found) -> bool:
    """Whether two files hold the same IFU of the same exposure."""
    if "skip" in (item.role, other.role) or not item.ifus & other.ifus or item.band != other.band:
        return False
    return abs(item.mjd - other.mjd) < _SAME_EXPOSURE_DAYS
