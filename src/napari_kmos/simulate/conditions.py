"""What changes from exposure to exposure: time, pointing, seeing, flexure and the state of the sky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.spectral.oh import HOT_FRACTION, T_ROT_K, SkyLines, level_population

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.simulate.parameters import SimulationParameters

#: Start of the first epoch (2022-05-21T03:10) and of each later one.
_FIRST_MJD, _EPOCH_DAYS = 59720.13194444, 74.0
_OVERHEAD_S = 60.0
#: How strongly each part of the sky follows ``amplitude`` (0.1 makes 3 K).
_T_ROT_K, _HOT, _F2, _LEVEL, _OXYGEN, _THERMAL_K, _CONTINUUM = 30.0, 1.5, 0.3, 0.1, 1.5, 4.0, 1.0
_WAVES = 6
#: Legendre polynomials of the orders 2 and 3 with these factors have an rms of 1 together.
_CURVE = (np.sqrt(5 / 2), np.sqrt(7 / 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyState:
    """How the sky shines at a time, relative to its usual state.

    Parameters
    ----------
    vibration : tuple of float
        Factor of each v', 0 (O2) to 9.
    t_rot_k : float
        Rotational temperature.
    hot_fraction : float
        Share of hot rotational levels.
    f2 : float
        Factor of the upper spin component.
    thermal_k : float
        Temperature of the thermal background.
    continuum : float
        Factor of the continuum between the lines.
    level_seed : tuple of int
        Seed of the individual factor of each level.
    level_rms : float
        Spread of the individual factors, in ln.
    """

    vibration: tuple[float, ...]
    t_rot_k: float
    hot_fraction: float
    f2: float
    thermal_k: float
    continuum: float
    level_seed: tuple[int, ...]
    level_rms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """One exposure of a night.

    Parameters
    ----------
    index : int
        0-based among the exposures of its kind.
    on_sky : bool
        Whether it is a sky exposure.
    epoch : int
        0-based.
    half : int
        1 before and 2 after the sky of the OB; 0 for sky exposures.
    number : int
        1-based within its OB.
    total : int
        Exposures of the OB.
    mjd, ob_mjd : float
        Start of the exposure and of its OB.
    rotation_deg : float
        Position angle of the field's y axis.
    dither_arcsec : tuple of float
        Planned (east, north).
    seeing_arcsec : float
        FWHM at 2.2 micron.
    shift_pix, stretch_pix : float
        Flexure: a feature lies at ``shift + stretch * u`` planes more, u from -1 to 1 over the band.
    curve_pix : tuple of float
        What comes on top of it: Legendre polynomials of u of the orders 2 and 3.
    sky : SkyState
        State of the sky.
    """

    index: int
    on_sky: bool
    epoch: int
    half: int
    number: int
    total: int
    mjd: float
    ob_mjd: float
    rotation_deg: float
    dither_arcsec: tuple[float, float]
    seeing_arcsec: float
    shift_pix: float
    stretch_pix: float
    curve_pix: tuple[float, float]
    sky: SkyState


def make_conditions(parameters: SimulationParameters) -> tuple[Conditions, ...]:
    """Return all exposures in the order of time: in each epoch objects, their sky, the rest of the objects."""
    found = []
    counts = {True: 0, False: 0}
    first_half = -(-parameters.exposures // 2)
    blocks = ((1, first_half), (0, parameters.n_skies), (2, parameters.exposures - first_half))
    for epoch in range(parameters.epochs):
        start = _FIRST_MJD + _EPOCH_DAYS * epoch
        slot = 0
        for half, total in blocks:
            ob_slot = slot
            for number in range(1, total + 1):
                on_sky = half == 0
                place = (counts[on_sky], epoch, half, number, total)
                found.append(_exposure(parameters, place, (start, slot, ob_slot)))
                counts[on_sky] += 1
                slot += 1
    return tuple(found)


def _exposure(
    parameters: SimulationParameters, place: tuple[int, int, int, int, int], time: tuple[float, int, int]
) -> Conditions:
    index, epoch, half, number, total = place
    start, slot, ob_slot = time
    rng = np.random.default_rng([parameters.seed, 3, epoch, slot])
    length = parameters.exptime + _OVERHEAD_S
    dither = rng.uniform(-1, 1, 2) * parameters.dither_arcsec * (slot > 0)
    shift, stretch = rng.normal(0, parameters.flexure, 2) * (1.0, 0.3)
    seeing = rng.uniform(*parameters.seeing_arcsec)
    curve = rng.normal(0, parameters.flexure_curve, 2) * _CURVE
    return Conditions(
        index=index,
        on_sky=half == 0,
        epoch=epoch,
        half=half,
        number=number,
        total=total,
        mjd=start + slot * length / 86400,
        ob_mjd=start + (ob_slot * length - _OVERHEAD_S) / 86400,
        rotation_deg=epoch * parameters.rotation,
        dither_arcsec=(round(float(dither[0]), 3), round(float(dither[1]), 3)),
        seeing_arcsec=float(seeing),
        shift_pix=float(shift),
        stretch_pix=float(stretch),
        curve_pix=(float(curve[0]), float(curve[1])),
        sky=_sky_state(parameters, epoch, slot, slot * length / 60),
    )


def _sky_state(parameters: SimulationParameters, epoch: int, slot: int, minutes: float) -> SkyState:
    """Return the sky at a time of an epoch: every part of it wanders with periods of 12 to 40 minutes."""
    rng = np.random.default_rng([parameters.seed, 4, epoch])
    periods, phases = rng.uniform(12, 40, (16, _WAVES)), rng.uniform(0, 2 * np.pi, (16, _WAVES))
    waves = np.sqrt(2 / _WAVES) * np.cos(2 * np.pi * minutes / periods + phases).sum(axis=1)
    amplitude = parameters.amplitude
    common, t_rot, hot, f2, thermal, continuum, *vibration = amplitude * waves
    ln_vibration = (common + np.array(vibration)) * np.sqrt(0.5)
    ln_vibration[0] = _OXYGEN * vibration[0]
    return SkyState(
        vibration=tuple(np.exp(ln_vibration).tolist()),
        t_rot_k=float(T_ROT_K + _T_ROT_K * t_rot),
        hot_fraction=float(HOT_FRACTION * np.exp(_HOT * hot)),
        f2=float(np.exp(_F2 * f2)),
        thermal_k=float(285.0 + _THERMAL_K * thermal),
        continuum=float(np.exp(_CONTINUUM * continuum)),
        level_seed=(parameters.seed, 5, epoch, slot),
        level_rms=_LEVEL * amplitude,
    )


def level_factors(lines: SkyLines, sky: SkyState) -> NDArray[np.float64]:
    """Return the factor of each line over its usual strength: the same for all lines from one upper level."""
    is_oh = lines.f_upper > 0
    usual = level_population(lines.energy_cm)
    now = level_population(lines.energy_cm, t_rot=sky.t_rot_k, hot_fraction=sky.hot_fraction)
    factor = np.array(sky.vibration)[lines.v_upper] * np.where(is_oh, now / usual, 1.0)
    factor *= np.where(lines.f_upper == 2, sky.f2, 1.0)
    single = np.random.default_rng(sky.level_seed).normal(0, sky.level_rms, (10, 40, 3))
    return np.asarray(factor * np.where(is_oh, np.exp(single[lines.v_upper, lines.n_upper, lines.f_upper]), 1.0))
