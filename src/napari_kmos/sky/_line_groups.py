"""Groups of airglow lines that vary together: vibrational band and rotation, O2, and where each shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_kmos.sky._comb import FWHM_PER_SIGMA
from napari_kmos.spectral.lines import vacuum_um
from napari_kmos.spectral.oh import sky_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.sky.second_pass_parameters import SecondPassParameters

    Floats = NDArray[np.float64]

#: Planes that are not those of a group: no known line there, or at the end of the data.
OTHER, EDGE = "other", "edge"
#: Cells of a plane when lines are put on the axis.
_CELLS = 5
#: Lines so many planes beyond the ends still reach in.
_BEYOND = 5


@dataclass(frozen=True, slots=True, eq=False)
class LineGroups:
    """The groups of known lines on a wavelength axis.

    Parameters
    ----------
    name : tuple of str
        Such as ``"9-7 low"``, ``"O2"``.
    light : ndarray, shape (n_planes, n_groups)
        Light that is usual, relative to the brightest plane of all.
    share : ndarray, shape (n_planes, n_groups)
        Of the light of a plane; their sum is 1 on bright lines and goes to 0 beside them.
    """

    name: tuple[str, ...]
    light: Floats
    share: Floats

    @property
    def on_lines(self) -> NDArray[np.bool_]:
        """Planes with known lines."""
        return np.asarray(self.share.sum(axis=1) > 0.5)

    def members(self) -> NDArray[np.str_]:
        """Return the name of the brightest group of each plane, ``"other"`` without known lines."""
        brightest = np.array([*self.name, OTHER])[np.append(self.share, np.zeros((len(self.share), 1)), 1).argmax(1)]
        return np.where(self.on_lines, brightest, OTHER)


def find_line_groups(cube: Cube, p: SecondPassParameters) -> LineGroups:
    """Return the groups whose lines lie on the wavelength axis of a cube, by wavelength of their brightest line."""
    wave = vacuum_um(cube.wavelength, cube.medium)
    step = float(np.ptp(wave)) / max(wave.size - 1, 1)
    lines = sky_lines((wave[0] - _BEYOND * step, wave[-1] + _BEYOND * step), faintest=0.01 * p.faintest)
    names = np.array([_group_of(*line, p) for line in zip(lines.label, lines.n_upper, lines.f_upper, strict=True)])
    cell = np.rint(np.interp(lines.wavelength_um, wave, np.arange(wave.size) * _CELLS)).astype(int)
    sigma = p.line_fwhm / FWHM_PER_SIGMA * _CELLS
    light = {}
    for name in np.unique(names):
        of_group = names == name
        cells = np.bincount(cell[of_group], weights=lines.strength[of_group], minlength=wave.size * _CELLS)
        light[str(name)] = ndimage.gaussian_filter1d(cells, sigma, mode="constant")[::_CELLS][: wave.size]
    order = sorted(light, key=lambda name: int(np.argmax(light[name])))
    table = np.stack([light[name] for name in order], axis=1) if order else np.zeros((wave.size, 0))
    total = table.sum(axis=1, keepdims=True)
    brightest = max(float(total.max(initial=0)), np.finfo(float).tiny)
    return LineGroups(tuple(order), table / brightest, table / (total + p.faintest * brightest))


def _group_of(label: str, rotation: int, spin: int, p: SecondPassParameters) -> str:
    """Return the name of the group of a line: O2 has one, OH one a vibrational band and range of rotation."""
    band = label.split()[0]
    if spin == 0:
        return band
    return f"{band} {'low' if rotation <= p.rotation_low else 'mid' if rotation <= p.rotation_mid else 'high'}"
