"""What pictures of a sky subtraction show beside its result: the lines to mark, and places for the levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u

from napari_kmos.spectral.lines import air_to_vacuum, vacuum_to_air
from napari_kmos.spectral.oh import sky_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.sky.result import LevelFactor

#: Lines fainter than this times the brightest in the range are not marked.
FAINTEST_MARKED = 0.03
#: Levels of one vibration are spread over this part of the distance to the next; the largest N there is.
_SPREAD, _LARGEST_N = 0.8, {"OH": 17, "O2": 35}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LineMarks:
    """The bright lines of one vibrational band.

    Parameters
    ----------
    name : str
        Upper and lower vibrational level, such as ``"8-6"``, or ``"O2"``.
    v : int
        The upper vibrational level; 0 is O2, as in `LevelFactor`.
    wavelength_um : ndarray, shape (n,)
        Where the lines lie, ascending, in the medium of the cube.
    strength : ndarray, shape (n,)
        How bright they usually are, over the brightest of all.
    """

    name: str
    v: int
    wavelength_um: NDArray[np.float64]
    strength: NDArray[np.float64]

    @property
    def centre_um(self) -> float:
        """Mean wavelength, by strength."""
        return float(np.average(self.wavelength_um, weights=self.strength))


def line_marks(cube: Cube, *, faintest: float = FAINTEST_MARKED) -> tuple[LineMarks, ...]:
    """Return the bright airglow lines on the wavelength axis of a cube, by vibrational band.

    Parameters
    ----------
    cube : Cube
        Its wavelengths and their medium count.
    faintest : float
        Lines fainter than this times the brightest in the range are left out.

    Returns
    -------
    tuple of LineMarks
        By mean wavelength; possibly none.
    """
    ends = cube.wavelength[[0, -1]]
    start, end = (air_to_vacuum(ends) if cube.medium == "air" else ends).to_value("um")
    lines = sky_lines((float(start), float(end)), faintest=faintest)
    waves = lines.wavelength_um * u.um
    place = np.asarray((vacuum_to_air(waves) if cube.medium == "air" else waves).to_value("um"))
    strength = lines.strength / max(float(lines.strength.max(initial=0.0)), 1e-300)
    names = np.array([label.split()[0] for label in lines.label], dtype=str)
    marks = [
        LineMarks(
            name=str(name),
            v=int(lines.v_upper[names == name][0]),
            wavelength_um=place[names == name],
            strength=strength[names == name],
        )
        for name in np.unique(names)
    ]
    return tuple(sorted(marks, key=lambda mark: mark.centre_um))


def level_places(levels: Sequence[LevelFactor]) -> NDArray[np.float64]:
    """Return where levels lie on an axis of the vibration: v plus a part that grows with N, F2 a little beyond F1.

    Returns
    -------
    ndarray, shape (n_levels,)
        Within 0.5 of v; levels of no known line (v < 0) lie at v.
    """
    n = np.array([level.n for level in levels], dtype=float)
    v = np.array([level.v for level in levels], dtype=float)
    f = np.array([level.f for level in levels], dtype=float)
    largest = np.where(v == 0, _LARGEST_N["O2"], _LARGEST_N["OH"])
    part = (n + 0.4 * (f == 2)) / (largest + 1)
    return v + np.where(v < 0, 0.0, _SPREAD * (part - 0.5))
