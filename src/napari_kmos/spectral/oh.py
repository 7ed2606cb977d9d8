"""Airglow lines: OH from its level constants, O2 at 1.27 micron as a simple group."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.errors import SkyError
from napari_kmos.instrument import BANDS
from napari_kmos.spectral import _oh_levels as table

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Rotational temperature of the mesopause, kelvin.
T_ROT_K = 195.0
#: Share of hot rotational levels.
HOT_FRACTION = table.HOT_FRACTION
_MAX_N = 17
#: 1 / (Boltzmann constant) in kelvin per cm-1.
_K_CM = 1.438777
_BRANCHES = {-1: "R", 0: "Q", 1: "P"}
_OMEGA = (1.5, 0.5)
_MARGIN_UM = 0.005


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SkyLines:
    """Airglow lines, each with the level it comes from.

    All lines from one upper level (``v_upper``, ``n_upper``, ``f_upper``) keep their ratios; the populations of the
    levels vary.

    Parameters
    ----------
    wavelength_um : ndarray, shape (n,)
        Vacuum wavelengths in micron, ascending; the middle of the lambda doublet.
    strength : ndarray, shape (n,)
        Photon rates in relative units, the same for all bands.
    v_upper, n_upper, f_upper : ndarray of int, shape (n,)
        Vibrational level, rotational level (without spin) and spin component (1: J = N + 1/2, 2: J = N - 1/2) of OH;
        0, J and 0 for O2.
    energy_cm : ndarray, shape (n,)
        Rotational energy of the upper level above the lowest of its v', cm-1.
    label : ndarray of str, shape (n,)
        Such as ``"9-7 P1(2.5)"`` (J of the lower level), ``"O2 P(9)"``.
    """

    wavelength_um: NDArray[np.float64]
    strength: NDArray[np.float64]
    v_upper: NDArray[np.int_]
    n_upper: NDArray[np.int_]
    f_upper: NDArray[np.int_]
    energy_cm: NDArray[np.float64]
    label: NDArray[np.str_]


def sky_lines(band: str | tuple[float, float], *, t_rot: float = T_ROT_K, faintest: float = 1e-5) -> SkyLines:
    """Return the OH and O2 lines of a band.

    Parameters
    ----------
    band : str or tuple of float
        IZ, YJ, H, K or HK (its cubes' range and 5 nm on either side), or (from, to) in micron.
    t_rot : float
        Rotational temperature in kelvin of the cold part of the OH levels.
    faintest : float
        Lines fainter than this times the brightest of the band are left out.

    Returns
    -------
    SkyLines
        In ascending wavelength; possibly none.

    Raises
    ------
    SkyError
        If the band does not exist or its range is empty.

    Notes
    -----
    Levels: 2 x 2 Hamiltonian of a 2-Pi state between Hund's cases a and b. Strengths: Hoenl-London factors from its
    eigenvectors, band strengths and a cold and a hot rotational population; numbers and their sources are in
    ``_oh_levels``. Lambda doubling is left out: 0.5 angstrom or less in all but the faintest lines. In O2 the branches
    are taken as equally strong.
    """
    start, end = _range(band)
    lines = _joined([_all_oh_lines(), _all_o2_lines()])
    is_oh = lines.f_upper > 0
    population = np.where(is_oh, level_population(lines.energy_cm, t_rot=t_rot), 1.0)
    strength = lines.strength * population
    inside = (lines.wavelength_um >= start) & (lines.wavelength_um <= end)
    if inside.any():
        inside &= strength >= faintest * strength[inside].max()
    order = np.flatnonzero(inside)[np.argsort(lines.wavelength_um[inside])]
    columns: dict[str, Any] = {field.name: getattr(lines, field.name)[order] for field in fields(SkyLines)}
    columns["strength"] = strength[order]
    return SkyLines(**columns)


def level_population(
    energy_cm: ArrayLike, *, t_rot: float = T_ROT_K, hot_fraction: float = HOT_FRACTION
) -> NDArray[np.float64]:
    """Return the population of rotational levels over their weight, 1 at the lowest: a cold and a hot part.

    Parameters
    ----------
    energy_cm : array
        Energy above the lowest rotational level, cm-1.
    t_rot : float
        Temperature of the cold part in kelvin.
    hot_fraction : float
        Share of the hot part, of 5000 K, at the lowest level.
    """
    energy = _K_CM * np.asarray(energy_cm, dtype=float)
    cold = (1 - hot_fraction) * np.exp(-energy / t_rot)
    return np.asarray(cold + hot_fraction * np.exp(-energy / table.HOT_TEMPERATURE_K))


def _range(band: str | tuple[float, float]) -> tuple[float, float]:
    if isinstance(band, str):
        if band not in BANDS:
            msg = f"there is no band {band!r}; KMOS has {', '.join(BANDS)}"
            raise SkyError(msg)
        return BANDS[band].start_um - _MARGIN_UM, BANDS[band].end_um + _MARGIN_UM
    start, end = band
    if not 0 < start < end:
        msg = f"the range {start} - {end} um is empty; expected two ascending wavelengths in micron"
        raise SkyError(msg)
    return float(start), float(end)


def _joined(parts: list[SkyLines]) -> SkyLines:
    columns = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(SkyLines)}
    return SkyLines(**columns)


@functools.cache
def _all_oh_lines() -> SkyLines:
    """Return every line of the bands in the table, with the strength it would have at infinite temperature."""
    rows = [row for bands in table.BANDS for row in _band_rows(*bands)]
    return _from_rows(rows)


def _from_rows(rows: list[tuple[Any, ...]]) -> SkyLines:
    names = [field.name for field in fields(SkyLines)]
    columns: dict[str, Any] = {
        name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    return SkyLines(**columns)


def _band_rows(v_upper: int, v_lower: int) -> list[tuple[Any, ...]]:
    """Return the lines of one band: P, Q and R, within F1 and F2 and between them."""
    upper, lower = _levels(v_upper), _levels(v_lower)
    lowest = upper[0][1, 0]
    rate, slope = table.BANDS[v_upper, v_lower]
    rows = []
    for f_up, f_low, step in itertools.product((1, 2), (1, 2), (-1, 0, 1)):
        for k in range(f_up % 2, _MAX_N + 1):  # J' = k + 1/2; F1 starts at 3/2
            j, k_low = k + 0.5, k + step
            if k_low < f_low % 2:
                continue
            energy, n = upper[0][k, f_up - 1], k + f_up - 1
            m = {-1: n, 0: 0, 1: -(n + 1)}[step]
            factor = _line_strength(j, j + step, upper[1][k, :, f_up - 1], lower[1][k_low, :, f_low - 1])
            branch = f"{_BRANCHES[step]}{f_up}{f_low if f_low != f_up else ''}"
            label = f"{v_upper}-{v_lower} {branch}({j + step:.1f})"
            wave = 1e4 / (energy - lower[0][k_low, f_low - 1])
            rows.append((wave, rate * factor * np.exp(-slope * m), v_upper, n, f_up, energy - lowest, label))
    return rows


@functools.cache
def _levels(v: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the energies (J, F) in cm-1 and the eigenvectors (J, omega, F) for J = 1/2, 3/2, ..."""
    term, spin_orbit, b, d, h, gamma = table.LEVELS[v]
    j = np.arange(_MAX_N + 3) + 0.5
    z = (j + 0.5) ** 2 - 1
    n2 = np.empty((len(j), 2, 2))
    n2[:, 0, 0], n2[:, 1, 1] = z, z + 2
    n2[:, 0, 1] = n2[:, 1, 0] = -np.sqrt(z)
    n4 = n2 @ n2
    identity = np.eye(2)
    n_dot_s = 0.5 * ((j * (j + 1) - 0.75)[:, None, None] * identity - n2)
    hamiltonian = spin_orbit * np.diag([0.5, -0.5]) + b * n2 - d * n4 + h * n4 @ n2 + gamma * n_dot_s
    # At J = 1/2 only omega = 1/2 exists: it is the upper of the two, F2, since the spin-orbit constant is negative.
    energies, vectors = np.linalg.eigh(hamiltonian + term * identity)
    diagonal = np.stack([vectors[:, 0, 0], vectors[:, 1, 1]], axis=-1)
    return energies, vectors * np.where(diagonal < 0, -1, 1)[:, None, :]


def _line_strength(j: float, j_lower: float, upper: NDArray[np.float64], lower: NDArray[np.float64]) -> float:
    """Return the Hoenl-London factor of a parallel transition between mixed omega = 3/2 and 1/2."""
    amplitude = 0.0
    for omega, c_upper, c_lower in zip(_OMEGA, upper, lower, strict=True):
        if j == j_lower:
            part = omega * np.sqrt((2 * j + 1) / (j * (j + 1)))
        else:
            larger = max(j, j_lower)
            part = np.sqrt(max(larger**2 - omega**2, 0.0) / larger)
        amplitude += part * c_upper * c_lower
    return float(amplitude**2)


@functools.cache
def _all_o2_lines() -> SkyLines:
    """Return the lines of O2 a-X 0-0 at 200 K."""
    origin, b, d, *lower = table.O2_LEVELS
    rows: list[tuple[Any, ...]] = []
    for j in range(2, 36):
        x = j * (j + 1)
        energy = b * x - d * x**2
        population = (2 * j + 1) * np.exp(-_K_CM * energy / 200.0)
        for step, spin in itertools.product((-1, 0, 1), (1, 2, 3)):
            n = j + step - (2 - spin)  # J'' = N'' + 1, N'', N'' - 1
            if n < 1 or n % 2 == 0:
                continue
            wave = 1e4 / (origin + energy - _o2_lower(n, spin, lower))
            rows.append((wave, population, 0, j, 0, energy, f"O2 {_BRANCHES[step]}({n})"))
    lines = _from_rows(rows)
    lines.strength[:] *= table.O2_STRENGTH / lines.strength.sum()
    return lines


def _o2_lower(n: int, spin: int, constants: list[float]) -> float:
    """Return the energy of a level of the 3-Sigma ground state (Schlapp 1937, Phys. Rev. 51, 342)."""
    b, d, spin_spin, spin_rotation = constants
    energy = b * n * (n + 1) - d * (n * (n + 1)) ** 2
    if spin == 2:
        return energy
    k = 2 * n + 3 if spin == 1 else -(2 * n - 1)
    root = np.sqrt((k * b) ** 2 + spin_spin**2 - 2 * spin_spin * b)
    sign = 1 if spin == 1 else -1
    return float(energy + k * b - spin_spin - sign * root + spin_rotation * (n + 1 if spin == 1 else -n))
