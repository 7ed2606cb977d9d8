"""A second look at what was not found: where the other IFUs of an exposure say that it points."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from napari_kmos.align.pointing import Pointing, common_pointings
from napari_kmos.spatial.wcs import shift_wcs

if TYPE_CHECKING:
    from napari_kmos.align import AlignParameters
    from napari_kmos.cube import Cube
    from napari_kmos.offset import Offset
    from napari_kmos.recipes.align_targets import Visits

    #: Measures a target with some parameters.
    Measure = Callable[[Visits, AlignParameters], Sequence[Offset]]


def solve_jointly(
    rows: Sequence[Offset], targets: Sequence[Visits], measure: Measure, parameters: AlignParameters
) -> list[Offset]:
    """Use what the IFUs of an exposure have in common.

    The telescope's error is that of all IFUs, an arm's own comes on top of it. What was not accepted is measured again
    about the common pointing, where the header is worth more; what was and lies far from it is accepted no more.

    Parameters
    ----------
    rows : sequence of Offset
        Of all targets. Those that are against different exposures have different zero points, and are kept apart.
    targets : sequence of list of (int, Cube)
        Exposures and cubes of each.
    measure : callable
        Measures a target with other parameters.
    parameters : AlignParameters
        With which the rows were measured; ``pointing_error_arcsec`` is that of an arm as well.

    Returns
    -------
    list of Offset
        In the same order.
    """
    pointings = _pointings(rows, parameters)
    known = {(row.exposure, row.ifu): _checked(row, pointings) for row in rows}
    for visits in targets:
        mine = [row for number, cube in visits if (row := known.get((number, cube.ifu))) is not None]
        missed = [row for row in mine if not row.accepted and (row.exposure, row.against) in pointings]
        if not missed:
            continue
        here = {exposure: one for (exposure, zero), one in pointings.items() if zero == missed[0].against}
        moved = [(number, _moved(cube, here.get(number))) for number, cube in visits]
        error = max(here[row.exposure].scatter_arcsec for row in missed)
        sought = {(row.exposure, row.ifu) for row in missed}
        for row in measure(moved, dataclasses.replace(parameters, pointing_error_arcsec=error)):
            if row.accepted and (row.exposure, row.ifu) in sought:
                found = _checked(_back(row, here[row.exposure]), pointings)
                known[row.exposure, row.ifu] = found if found.accepted else known[row.exposure, row.ifu]
    return [known[row.exposure, row.ifu] for row in rows]


def _pointings(rows: Sequence[Offset], parameters: AlignParameters) -> dict[tuple[int, str], Pointing]:
    """Return the common pointings, by exposure and what they are against."""
    return {
        (exposure, zero): pointing
        for zero in dict.fromkeys(row.against for row in rows)
        for exposure, pointing in common_pointings(
            [row for row in rows if row.against == zero], arm_error_arcsec=parameters.pointing_error_arcsec
        ).items()
    }


def _checked(row: Offset, pointings: Mapping[tuple[int, str], Pointing]) -> Offset:
    """Return a row, not accepted if it contradicts the other IFUs of its exposure."""
    pointing = pointings.get((row.exposure, row.against))
    if pointing is None or not row.accepted or row.err_arcsec == 0 or not pointing.is_far(row):
        return row
    place = f"{pointing.dra_arcsec:+.2f} {pointing.ddec_arcsec:+.2f} arcsec"
    note = f"no match: {pointing.number} IFUs of the exposure point to {place} ({row.note})"
    return dataclasses.replace(row, accepted=False, note=note)


def _moved(cube: Cube, pointing: Pointing | None) -> Cube:
    """Return a cube where its exposure points."""
    if pointing is None:
        return cube
    return dataclasses.replace(cube, wcs=shift_wcs(cube.wcs, pointing.dra_arcsec, pointing.ddec_arcsec))


def _back(row: Offset, pointing: Pointing) -> Offset:
    """Return an offset against the pointing as one against the header."""
    second = row.runner_up
    return dataclasses.replace(
        row,
        dra_arcsec=row.dra_arcsec + pointing.dra_arcsec,
        ddec_arcsec=row.ddec_arcsec + pointing.ddec_arcsec,
        runner_up=None if second is None else (second[0] + pointing.dra_arcsec, second[1] + pointing.ddec_arcsec),
        note=f"{row.note}; looked for where {pointing.number} IFUs point",
    )
