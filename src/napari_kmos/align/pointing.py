"""What the IFUs of an exposure have in common: the telescope points wrongly for all of them alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_kmos.offset import Offset

#: Fewer offsets tell nothing of their scatter.
_FEWEST = 3
#: What the median distance from the median, in one axis, is multiplied by to be a standard deviation.
_NORMAL = 1.4826
#: A row this many standard deviations from the common pointing does not belong to it.
_FAR_SIGMA = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """Common part of the offsets of an exposure.

    Parameters
    ----------
    dra_arcsec, ddec_arcsec : float
        To be added to all headers of the exposure.
    scatter_arcsec : float
        Standard deviation of single IFUs about it, in each axis: errors of their arms.
    number : int
        IFUs that tell it.
    """

    dra_arcsec: float
    ddec_arcsec: float
    scatter_arcsec: float
    number: int

    def is_far(self, row: Offset) -> bool:
        """Tell whether an offset contradicts it."""
        away = np.hypot(row.dra_arcsec - self.dra_arcsec, row.ddec_arcsec - self.ddec_arcsec)
        return bool(away > _FAR_SIGMA * np.hypot(self.scatter_arcsec, row.err_arcsec))


def common_pointings(
    rows: Sequence[Offset], *, arm_error_arcsec: float, least_scatter_arcsec: float = 0.05
) -> dict[int, Pointing]:
    """Return the common pointing of each exposure of which three or more IFUs tell it.

    Parameters
    ----------
    rows : sequence of Offset
        Of all IFUs; those that are accepted count, but no references.
    arm_error_arcsec : float
        What the place of a single arm is trusted to, 1 sigma in each axis. The scatter of few IFUs is drawn to it.
    least_scatter_arcsec : float
        Arms are never trusted to less.

    Notes
    -----
    Median over the IFUs; scatter from the median distance, as if three more IFUs had the error of an arm.
    """
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if row.accepted and row.err_arcsec > 0:
            found[row.exposure].append((row.dra_arcsec, row.ddec_arcsec))
    pointings = {}
    for exposure, offsets in found.items():
        if len(offsets) >= _FEWEST:
            middle = np.median(offsets, axis=0)
            seen = _NORMAL * float(np.median(np.abs(np.array(offsets) - middle)))
            number = len(offsets)
            squared = (number * seen**2 + _FEWEST * arm_error_arcsec**2) / (number + _FEWEST)
            pointings[exposure] = Pointing(
                dra_arcsec=float(middle[0]),
                ddec_arcsec=float(middle[1]),
                scatter_arcsec=max(float(np.sqrt(squared)), least_scatter_arcsec),
                number=number,
            )
    return pointings
