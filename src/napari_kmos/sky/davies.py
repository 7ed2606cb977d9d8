"""Scale the sky band by band before it is subtracted: Davies (2007, MNRAS 375, 1099)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosWarning
from napari_kmos.sky._apply import SkyModel
from napari_kmos.sky._evidence import build_result, find_evidence
from napari_kmos.sky._fit import fit_lines
from napari_kmos.sky._lines import mean_spectra, smooth_continuum
from napari_kmos.sky._resample import WaveResampler
from napari_kmos.sky._thermal import fit_thermal, thermal_shape
from napari_kmos.sky._wavelength import measure_shift, measure_stretch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.sky._lines import MeanSpectra
    from napari_kmos.sky.parameters import SkyParameters
    from napari_kmos.sky.result import BandFit, SkyResult


def subtract_davies(cube: Cube, sky: Cube, parameters: SkyParameters) -> SkyResult:
    """Subtract the sky after its lines were moved and scaled to those of the object.

    Notes
    -----
    The steps are those of R. Davies' ``skysub`` as the OSIRIS pipeline publishes them, with the wavelength shift and
    the stretch that ESO's pipelines added: (1) spaxels of the object that show sky; (2) mean spectra of object and
    sky over the same spaxels; (3) shift, and stretch, of the sky's lines to those of the object; (4) one factor a
    vibrational band from the line pixels, interpolated over bands that cannot be fitted; (5) one factor each for the
    low and the medium rotational group; (6) thermal background of both; (7) the moved sky cube, its lines multiplied
    by the factors, is subtracted spaxel by spaxel.

    Lines and continuum never share a factor: what lies below the lines is subtracted as the sky cube has it, and with
    ``tbsub`` the thermal background of each is subtracted from its own cube, which amounts to subtracting the change
    of the thermal background between sky and object as well. A constant in the object is kept: it may be starlight.
    """
    p = parameters
    evidence = find_evidence(cube, sky, p)
    seen = evidence.spectra
    shifts = _line_shifts(seen, p, cube.label)
    resampler = WaveResampler(np.arange(shifts.size) - shifts, p.stretch_resampling if p.stretch else "spline")
    moved = resampler.flux(seen.sky[:, None])[:, 0]
    factors = fit_lines(mean_spectra(seen.wavelength_um, seen.target, moved, p), p)
    thermal = fit_thermal(seen, evidence.starlight[:, None], p) if p.tbsub else None
    offset = np.zeros(shifts.size)
    if thermal is not None:
        change = thermal.object_level - thermal.sky_level
        offset = change * thermal_shape(seen.wavelength_um, thermal.temperature_k)
    model = SkyModel(resampler, factors.scale, smooth_continuum(moved, p), offset)
    result = build_result(
        cube, sky, evidence, model, (factors.bands, factors.band_scale), method="davies", groups=factors.groups,
        thermal=thermal, shifts_pix=shifts,
    )  # fmt: skip
    _warn_of_bands(result.bands, p, cube.label)
    return result


def _line_shifts(spectra: MeanSpectra, p: SkyParameters, label: str) -> NDArray[np.float64]:
    """Shift of the object's lines from those of the sky at every pixel."""
    shift = measure_shift(spectra, p) if p.shift else 0.0
    if p.stretch:
        return measure_stretch(spectra, shift, p, label)
    return np.full(spectra.sky.size, shift)


def _warn_of_bands(bands: tuple[BandFit, ...], p: SkyParameters, label: str) -> None:
    """Warn if no band could be fitted, or some on few pixels only."""
    fitted = [band for band in bands if band.fitted]
    if not fitted:
        msg = f"{label}: no band has {p.min_pixels} line pixels that fit; the sky lines are subtracted unscaled"
        warnings.warn(msg, KmosWarning, stacklevel=3)
        return
    few = [band.name for band in fitted if band.n_line_pixels < p.warn_pixels]
    if few:
        msg = f"{label}: few line pixels in band {', '.join(few)}; the factor there is uncertain"
        warnings.warn(msg, KmosWarning, stacklevel=3)
