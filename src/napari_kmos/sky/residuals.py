"""What is left of the sky in a cube whose sky was subtracted: spectrum, and numbers by line group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.sky._high_pass import HighPassed, take_high_pass
from napari_kmos.sky._level_spectra import robust_mean
from napari_kmos.sky._line_groups import EDGE, OTHER, LineGroups
from napari_kmos.sky.second_pass_parameters import SecondPassParameters
from napari_kmos.spectral.nan import robust_sigma

if TYPE_CHECKING:
    from astropy.table import Table
    from astropy.units import UnitBase
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube

    Floats = NDArray[np.float64]

#: Columns of the table in the unit of the flux.
_IN_FLUX = ("rms", "expected", "line", "line_error", "shift", "shift_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupResidual:
    """What is left on the lines of one group in the spaxels of an IFU that show no star.

    Parameters
    ----------
    group : str
        Vibrational band and rotation, ``"O2"``, ``"other"`` (planes without known lines) or ``"edge"`` (the outermost).
    n_planes : int
        Planes on which lines of this group are the brightest.
    per_spaxel : float
        Scatter of the voxels over their noise: 1.4826 times the median absolute deviation.
    mean : float
        RMS of the mean spectrum over the error that is expected of it: 1 is noise alone.
    rms : float
        RMS of the mean spectrum, in the unit of the flux.
    expected : float
        Its median error.
    line, line_error : float
        The brightest plane of the usual lines of the group that fits the mean spectrum best: positive where too little
        sky was subtracted; in the unit of the flux.
    shift, shift_error : float
        The same for lines that are left with two signs because they were moved: fitted beside the other, as the flux
        of the steepest plane, positive where the object's lines lie at longer wavelengths than what was subtracted.
    """

    group: str
    n_planes: int
    per_spaxel: float
    mean: float
    rms: float
    expected: float
    line: float
    line_error: float
    shift: float
    shift_error: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class IfuResidual:
    """What is left of the sky in an IFU.

    Parameters
    ----------
    ifu : int, optional
        1-24; None where the file does not tell.
    label : str
        What to call it.
    wavelength_um : ndarray, shape (n_planes,)
        Of the planes.
    spectrum, error : ndarray, shape (n_planes,)
        Robust mean of the spaxels without stars, less its continuum, and 1 sigma; NaN without data.
    member : ndarray of str, shape (n_planes,)
        The group of each plane.
    starless : ndarray of bool, shape (n_y, n_x)
        The spaxels it is the mean of.
    empty_share : float
        Their share of the spaxels with data.
    groups : tuple of GroupResidual
        By wavelength; last ``"other"`` and ``"edge"``.
    """

    ifu: int | None
    label: str
    wavelength_um: Floats
    spectrum: Floats
    error: Floats
    member: NDArray[np.str_]
    starless: NDArray[np.bool_]
    empty_share: float
    groups: tuple[GroupResidual, ...]

    @property
    def residual_over_noise(self) -> float:
        """RMS of the mean spectrum on known lines over its expected error: 1 is noise alone; NaN without lines."""
        lines = ~np.isin(self.member, ("", OTHER, EDGE))
        return float(np.sqrt(np.mean((self.spectrum / self.error)[lines] ** 2))) if lines.any() else float("nan")

    @property
    def true_error(self) -> Floats:
        """The error, larger by as much as the spectrum scatters more beside the lines than it tells."""
        beside = (group.mean for group in self.groups if group.group == OTHER)
        return self.error * max(1.0, next(beside, 1.0))


def measure_residual(cube: Cube, *, parameters: SecondPassParameters | None = None) -> IfuResidual:
    """Measure what is left of the sky in the spaxels of a cube that show no star.

    Parameters
    ----------
    cube : Cube
        Without its sky; read once, not modified.
    parameters : SecondPassParameters, optional
        Defaults if None.

    Returns
    -------
    IfuResidual
        In the unit of the flux.

    Raises
    ------
    SkyError
        If the cube has no data.

    Notes
    -----
    Spaxels count as free of stars if they are no brighter than the darkest ones by a share of the noise of a voxel.
    Their continuum is taken off (B-splines that hardly see the planes with known lines), and they are averaged without
    outliers. Where the cube has no noise it is estimated. Planes are taken as independent.
    """
    p = parameters or SecondPassParameters()
    return residual_of(take_high_pass(cube, p), cube, p)


def residuals_by_group(cube: Cube, *, parameters: SecondPassParameters | None = None) -> Table:
    """Return what is left on the lines of each group, over the noise and over what is expected, as a table.

    Parameters
    ----------
    cube, parameters
        As in `measure_residual`.

    Returns
    -------
    Table
        A row a group with the columns of `GroupResidual`, and ``ifu`` (-1 if not known).
    """
    return residual_table([measure_residual(cube, parameters=parameters)], cube.unit)


def residual_of(spectra: HighPassed, cube: Cube, p: SecondPassParameters) -> IfuResidual:
    """Return the residual of spaxels whose continuum is gone."""
    flux, noise = spectra.flux[:, spectra.starless], spectra.noise[:, spectra.starless]
    mean, error = robust_mean(flux, noise, p.voxel_clip)
    known = np.isfinite(mean) & (error > 0)
    mean, error = np.where(known, mean, np.nan), np.where(known, error, np.nan)
    member = _members(spectra.groups, known, p)
    light = spectra.groups.light.sum(axis=1)
    shapes = np.stack([light, -np.gradient(light)], axis=1)
    z = flux / noise
    return IfuResidual(
        ifu=cube.ifu,
        label=cube.label,
        wavelength_um=cube.wavelength_um,
        spectrum=mean,
        error=error,
        member=member,
        starless=spectra.image(spectra.starless) > 0,
        empty_share=float(spectra.starless.mean()),
        groups=tuple(
            _group(name, *(values[member == name] for values in (z, mean, error, shapes)))
            for name in (*spectra.groups.name, OTHER, EDGE)
            if (member == name).any()
        ),
    )


def residual_table(residuals: Sequence[IfuResidual], unit: UnitBase | None) -> Table:
    """Return the groups of several IFUs as one table."""
    from astropy.table import Table

    rows = [
        {"ifu": -1 if each.ifu is None else each.ifu, **asdict(group)} for each in residuals for group in each.groups
    ]
    table = Table(rows=rows)
    for name in ("per_spaxel", "mean", *_IN_FLUX):
        table[name].info.format = ".4g"
    for name in _IN_FLUX:
        table[name].unit = unit
    return table


def _members(groups: LineGroups, known: NDArray[np.bool_], p: SecondPassParameters) -> NDArray[np.str_]:
    """Return the group of each plane; empty without data."""
    planes = np.flatnonzero(known)
    inner = np.zeros(known.size, dtype=bool)
    if planes.size:
        inner[planes[0] + p.edge_planes : planes[-1] + 1 - p.edge_planes] = True
    return np.where(known, np.where(inner, groups.members(), EDGE), "")


def _group(name: str, z: Floats, mean: Floats, error: Floats, shapes: Floats) -> GroupResidual:
    """Measure one group on its planes: voxels over their noise, mean spectrum, its error, lines and lines moved."""
    heights, errors = _heights(mean, error, shapes) if name not in (OTHER, EDGE) else (np.full(2, np.nan),) * 2
    return GroupResidual(
        group=name,
        n_planes=mean.size,
        per_spaxel=robust_sigma(z),
        mean=float(np.sqrt(np.mean((mean / error) ** 2))),
        rms=float(np.sqrt(np.mean(mean**2))),
        expected=float(np.median(error)),
        line=float(heights[0]),
        line_error=float(errors[0]),
        shift=float(heights[1]),
        shift_error=float(errors[1]),
    )


def _heights(mean: Floats, error: Floats, shapes: Floats) -> tuple[Floats, Floats]:
    """Return how much of the usual lines, and of their move, is in a spectrum, by the largest value; and 1 sigma."""
    largest = np.abs(shapes).max(axis=0)
    columns = shapes / largest / error[:, None]
    covariance = np.linalg.pinv(columns.T @ columns)
    return covariance @ (columns.T @ (mean / error)), np.sqrt(np.diag(covariance))
