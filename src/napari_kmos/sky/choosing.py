"""Which of several skies an exposure takes: one, or two with weights, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_kmos.errors import GeometryError, SkyError
from napari_kmos.sky.pairing import (
    check_sky,
    choose_sky_cube,
    has_own_sky,
    minutes_after,
    skies_by_time,
)

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.sky.cleaning import SkyCleaner
    from napari_kmos.sky.parameters import SkyParameters

#: How one of several skies is chosen.
PICKS = ("nearest", "best", "interpolate")
_HOUR_MINUTES = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class SkySource:
    """A sky exposure, without its stars if something finds them.

    Parameters
    ----------
    exposure : Exposure
        The sky.
    cleaner : SkyCleaner, optional
        Of that exposure; None takes its cubes as they are.
    """

    exposure: Exposure
    cleaner: SkyCleaner | None = None

    @property
    def n_masked(self) -> dict[int | None, int]:
        """Spaxels with stars that were filled so far, by IFU; IFUs without stars are not changed and not listed."""
        return {} if self.cleaner is None else {done.ifu: done.n_masked for done in self.cleaner.report}

    def sky_for(self, cube: Cube) -> Cube:
        """Return the sky cube for an object cube as `choose_sky_cube` does, stars filled with sky where there are any.

        Raises
        ------
        SkyError
            If there is none.
        """
        sky = choose_sky_cube(cube, self.exposure)
        if self.cleaner is None or not self.cleaner.n_masked(sky.ifu):
            return sky
        return self.cleaner.clean(sky)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SkyChoice:
    """The sky that an exposure takes.

    Parameters
    ----------
    sources : tuple of SkySource
        One sky, or several whose models are averaged.
    weights : tuple of float
        Of each; the sum is 1.
    reason : str
        Why it is this one.
    shortfall : str
        Why it is not what was asked for; empty if it is.
    tried : tuple of (str, float)
        Each sky that was tried and what it left: residual on the line pixels, in the unit of the flux.
    """

    sources: tuple[SkySource, ...]
    weights: tuple[float, ...] = (1.0,)
    reason: str = ""
    shortfall: str = ""
    tried: tuple[tuple[str, float], ...] = ()

    @property
    def label(self) -> str:
        """What to call it in a message."""
        return " and ".join(source.exposure.label for source in self.sources)

    def skies_for(self, cube: Cube) -> tuple[tuple[Cube, float], ...]:
        """Return the sky cubes of one object cube with their weights, computed one IFU at a time.

        Where only some of several skies have data in the IFU itself, the others are left out.

        Raises
        ------
        SkyError
            If there is none.
        """
        pairs = list(zip(self.sources, self.weights, strict=True))
        own = [pair for pair in pairs if has_own_sky(cube, pair[0].exposure)] if len(pairs) > 1 else pairs
        used = own or pairs
        total = sum(weight for _, weight in used)
        return tuple((source.sky_for(cube), weight / total) for source, weight in used)


def sky_options(
    exposure: Exposure, cubes: Sequence[Cube], skies: Sequence[SkySource], pick: str, parameters: SkyParameters
) -> tuple[SkyChoice, ...]:
    """Return what an exposure may take, told by the headers: one choice, or with ``best`` those to be tried.

    Parameters
    ----------
    exposure : Exposure
        The object.
    cubes : sequence of Cube
        Those of its cubes that need a sky.
    skies : sequence of SkySource
        Of any band and time.
    pick : str
        One of `PICKS`. ``nearest``: in time. ``best``: of the nearest ``pick_skies`` those that fit. ``interpolate``:
        the two skies between which the exposure lies, weighted by time; the nearest alone where there are no two, or
        more than ``pick_hours`` between them.
    parameters : SkyParameters
        See `PickParameters`.

    Returns
    -------
    tuple of SkyChoice
        The nearest first.

    Raises
    ------
    SkyError
        If the pick is not known, there is no sky of the band, a date is missing, the sky is the exposure itself, or it
        lacks an IFU.
    GeometryError
        If shapes, wavelengths or units of object and sky differ; of several for ``best``, of all of them.
    """
    check_pick(pick)
    sources = {id(source.exposure): source for source in skies}
    nearest = [sources[id(sky)] for sky in skies_by_time(exposure, [source.exposure for source in skies])]
    if pick == "best" and len(nearest) > 1:
        fitting = _fitting(exposure, cubes, nearest[: parameters.pick_skies])
        return tuple(SkyChoice(sources=(source,), reason=_nearness(exposure, source, nearest)) for source in fitting)
    choice = _interpolated(exposure, nearest, parameters) if pick == "interpolate" else _nearest(exposure, nearest)
    for source in choice.sources:
        check_sky(exposure, cubes, source.exposure)
    return (choice,)


def check_pick(pick: str) -> None:
    """Refuse what is not in `PICKS`.

    Raises
    ------
    SkyError
        It names them.
    """
    if pick not in PICKS:
        msg = f"pick {pick!r} is not known; choose one of {', '.join(PICKS)}"
        raise SkyError(msg)


def _fitting(exposure: Exposure, cubes: Sequence[Cube], sources: Sequence[SkySource]) -> list[SkySource]:
    """Return the skies that have something for every cube; if none has, the error of the first is raised."""
    fitting, errors = [], []
    for source in sources:
        try:
            check_sky(exposure, cubes, source.exposure)
        except (GeometryError, SkyError) as err:
            errors.append(err)
        else:
            fitting.append(source)
    if not fitting:
        raise errors[0]
    return fitting


def _nearest(exposure: Exposure, nearest: Sequence[SkySource], shortfall: str = "") -> SkyChoice:
    return SkyChoice(sources=(nearest[0],), reason=_nearness(exposure, nearest[0], nearest), shortfall=shortfall)


def _interpolated(exposure: Exposure, nearest: Sequence[SkySource], p: SkyParameters) -> SkyChoice:
    """Return the skies before and after an exposure with weights by time, or the nearest and why it is that."""
    minutes = [minutes_after(source.exposure, exposure) for source in nearest]
    before = next((k for k, after in enumerate(minutes) if after <= 0), None)
    later = next((k for k, after in enumerate(minutes) if after > 0), None)
    if before is None or later is None:
        side = "before" if later is None else "after"
        there = f"all {len(nearest)} skies are {side} it" if len(nearest) > 1 else "there is one sky"
        return _nearest(exposure, nearest, f"nothing to interpolate between: {there}")
    span = minutes[later] - minutes[before]
    if span > p.pick_hours * _HOUR_MINUTES:
        why = f"the skies before and after it are {span / _HOUR_MINUTES:.1f} h apart, more than {p.pick_hours:g}"
        return _nearest(exposure, nearest, f"not interpolated: {why}")
    weight = minutes[later] / span
    sources = nearest[before], nearest[later]
    reason = " and ".join(
        f"{source.exposure.label} ({_distance(exposure, source)}, weight {share:.2f})"
        for source, share in zip(sources, (weight, 1 - weight), strict=True)
    )
    return SkyChoice(sources=sources, weights=(weight, 1 - weight), reason=f"interpolated in time between {reason}")


def _nearness(exposure: Exposure, source: SkySource, nearest: Sequence[SkySource]) -> str:
    """Say where in time one of several skies is."""
    if len(nearest) == 1:
        return "the only sky"
    place = "nearest in time" if source is nearest[0] else f"number {nearest.index(source) + 1} in time"
    return f"{place} of {len(nearest)} skies ({_distance(exposure, source)})"


def _distance(exposure: Exposure, source: SkySource) -> str:
    """Say how far in time a sky is."""
    minutes = minutes_after(source.exposure, exposure)
    amount = f"{abs(minutes):.0f} min" if abs(minutes) < 2 * _HOUR_MINUTES else f"{abs(minutes) / _HOUR_MINUTES:.1f} h"
    return f"{amount} {'after' if minutes > 0 else 'before'}"
