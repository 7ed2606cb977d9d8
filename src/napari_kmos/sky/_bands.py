"""The airglow bands and rotational groups of the Davies method: where they lie."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky.parameters import SkyParameters

#: Name of the last band: it holds the tail of 9-7.
FINAL_BIT = "final bit"
#: The molecule whose lines have no place among the rotational groups of OH.
OXYGEN = "O2"

# Boundaries in micron and the band that begins at each. From 0.998 um on they are those of R. Davies' skysub as the
# OSIRIS pipeline publishes them (scaledskysub), except for 1.014. Those below, and 1.014, are UNVERIFIED: no source
# could be read. They do lie between the OH bands 5-1, 6-2, 7-3, 8-4, 3-0, 9-5 and 4-1, whose Q branches begin at 0.791,
# 0.834, 0.882, 0.937, 0.979, 1.001 and 1.029 um; without 1.014, 9-5 and 4-1, of different levels, share a factor.
_BOUNDARIES = (
    (0.780, "5-1"), (0.824, "6-2"), (0.873, "7-3"), (0.926, "8-4"), (0.964, "3-0"),
    (0.998, "9-5"), (1.014, "4-1"), (1.067, "5-2"), (1.125, "6-3"), (1.196, "7-4"), (1.252, OXYGEN), (1.289, "8-5"),
    (1.400, "2-0"), (1.472, "3-1"), (1.5543, "4-2"), (1.6356, "5-3"), (1.7253, "6-4"), (1.840, "7-5"), (1.957, "8-6"),
    (2.095, "9-7"), (2.30, FINAL_BIT),
)  # fmt: skip

#: Below this no group is listed, and no line is corrected for rotation.
FIRST_GROUPED_UM = 0.998

# P1(2.5) and Q1(1.5), then P1(3.5) and R1(1.5); vacuum, micron; same source. The last value of the second list is
# 2.19556 and not 2.19956 as printed there: only this agrees with the levels of the other lines and with Oliva et al.
# (2013, A&A 555, A78).
GROUPS_UM = {
    "low": (
        1.00852, 1.03757, 1.09264, 1.15388, 1.22293, 1.30216, 1.45190, 1.52410, 1.60308, 1.69037, 1.78803, 2.02758,
        2.18023, 1.02895, 1.08343, 1.14399, 1.21226, 1.29057, 1.43444, 1.50555, 1.58333, 1.66924, 1.76532, 2.00082,
        2.15073,
    ),
    "medium": (
        1.00282, 1.02139, 1.04212, 1.07539, 1.09753, 1.13542, 1.15917, 1.20309, 1.22870, 1.28070, 1.30853, 1.41861,
        1.46048, 1.48877, 1.53324, 1.56550, 1.61286, 1.65024, 1.70088, 1.74500, 1.79940, 1.97719, 2.04127, 2.12496,
        2.19556,
    ),
}  # fmt: skip


def covered_bands(wavelength_um: NDArray[np.float64]) -> tuple[tuple[str, slice], ...]:
    """Return name and planes of every band that a wavelength axis covers, in order.

    What lies below the first boundary or beyond the last belongs to the first or last band.
    """
    starts = [start for start, _ in _BOUNDARIES]
    edges = np.searchsorted(wavelength_um, [*starts[1:], np.inf])
    edges = np.concatenate([[0], edges])
    planes = (slice(int(first), int(last)) for first, last in pairwise(edges))
    return tuple(
        (name, where) for (_, name), where in zip(_BOUNDARIES, planes, strict=True) if where.stop > where.start
    )


def group_masks(wavelength_um: NDArray[np.float64], p: SkyParameters) -> dict[str, NDArray[np.bool_]]:
    """Return the pixels within two half widths of the lines of each group, and as ``"high"`` all others of OH.

    A pixel near lines of two groups belongs to the nearest line.
    """
    pixel = abs(float(np.median(np.diff(wavelength_um))))
    distance = {name: _distance(wavelength_um, lines) for name, lines in GROUPS_UM.items()}
    nearest = np.minimum(distance["low"], distance["medium"])
    oxygen = np.zeros(wavelength_um.size, dtype=bool)
    for name, planes in covered_bands(wavelength_um):
        oxygen[planes] |= name == OXYGEN
    allowed = ~oxygen & (wavelength_um >= FIRST_GROUPED_UM)
    listed = nearest <= 2 * p.line_hw * pixel
    masks = {name: allowed & listed & (value == nearest) for name, value in distance.items()}
    masks["high"] = allowed & ~listed
    return masks


def _distance(wavelength_um: NDArray[np.float64], lines: tuple[float, ...]) -> NDArray[np.float64]:
    """Distance to the nearest line."""
    return np.asarray(np.min(np.abs(wavelength_um[:, None] - np.asarray(lines)), axis=1))
