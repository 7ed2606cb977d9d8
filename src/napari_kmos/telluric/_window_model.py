"""The model of a target in one window: a polynomial times the absorption of the standard, scaled and shifted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.ndimage import median_filter
from scipy.optimize import least_squares

from napari_kmos.telluric.species import water_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.telluric.parameters import TelluricParameters
    from napari_kmos.telluric.standard import Throughput

    Floats = NDArray[np.float64]

#: Absorption stronger than this counts as so strong when it is scaled: what is left of the light is noise.
_FAINTEST = 0.02
#: Order of the spline by which the standard is shifted; planes are few for the lines.
_SPLINE = 5
_CLIP_ROUNDS = 3
#: Powers are looked for between these, in units of what is expected.
_POWERS = (0.1, 10.0)
#: Fewest planes that tell a shift, and steps of the search for it.
FEWEST, _COARSE_PIX = 40, 0.1
#: Planes over which the continuum is taken off for the search.
_SMOOTH_PIX = 31


class Scaler:
    """The standard's absorption on the planes of the target, to be scaled and shifted."""

    def __init__(self, throughput: Throughput, wavelength_um: Floats) -> None:
        own = throughput.wavelength_um
        known = np.isfinite(throughput.transmission)
        depth = -np.log(np.clip(throughput.transmission, _FAINTEST, None))
        filled = np.interp(own, own[known], depth[known])
        self._spline = make_interp_spline(own, filled, k=_SPLINE)
        self._ends = float(own[known][0]), float(own[known][-1])
        self._wave = wavelength_um
        self.step_um = float(np.median(np.diff(wavelength_um)))
        self.share = water_share(wavelength_um)
        near = np.abs(np.interp(wavelength_um, own, (~known).astype(float))) < 0.5
        self.known = near & (wavelength_um >= self._ends[0]) & (wavelength_um <= self._ends[1])
        relative = throughput.noise / np.clip(throughput.transmission, _FAINTEST, None)
        self.noise = np.interp(wavelength_um, own, np.nan_to_num(relative))

    def depth(self, shift_pix: float, part: slice = slice(None)) -> Floats:
        """Return the optical depth, shifted by planes of the target."""
        return np.asarray(self._spline(np.clip(self._wave[part] - shift_pix * self.step_um, *self._ends)))

    def transmission(self, values: Floats, part: slice) -> Floats:
        """Return the transmission of airmass and water to these powers, shifted."""
        airmass, water, shift = values
        power = airmass + (water - airmass) * self.share[part]
        return np.asarray(np.exp(-power * self.depth(shift, part)))


def coarse_shift(scaler: Scaler, flux: Floats, most: float) -> float:
    """Return the shift at which target and standard are most alike, their continua taken off."""
    positive = np.where(np.isfinite(flux) & (flux > 0), flux, np.nan)
    seen = -np.log(positive / np.nanmedian(positive))
    known = np.isfinite(seen) & scaler.known
    if np.count_nonzero(known) < FEWEST:
        return 0.0
    index = np.arange(seen.size)
    filled = np.interp(index, index[known], seen[known])
    seen = np.clip(filled - median_filter(filled, _SMOOTH_PIX, mode="nearest"), -1, 1) * known
    steps = np.arange(-round(most / _COARSE_PIX), round(most / _COARSE_PIX) + 1) * _COARSE_PIX
    likeness = np.empty(steps.size)
    for number, step in enumerate(steps):
        depth = scaler.depth(float(step))
        depth = (depth - median_filter(depth, _SMOOTH_PIX, mode="nearest")) * known
        likeness[number] = np.dot(seen, depth) / (np.linalg.norm(depth) or 1.0)
    best = int(np.argmax(likeness))
    if not 0 < best < steps.size - 1:  # as alike elsewhere: nothing to go by
        return 0.0
    before, peak, after = likeness[best - 1 : best + 2]
    bend = before - 2 * peak + after
    return float(steps[best] + (0.5 * (before - after) / bend * _COARSE_PIX if bend < 0 else 0.0))


class WindowModel:
    """A polynomial times the scaled transmission, in one window."""

    def __init__(
        self,
        scaler: Scaler,
        part: slice,
        target: tuple[Floats, Floats, Floats],
        prior: tuple[Floats, Floats],
        parameters: TelluricParameters,
    ) -> None:
        expected, widths = prior
        self._scaler, self._part, self._expected, self._p = scaler, part, expected, parameters
        wave, self._flux, self._noise = target
        order = 1 + math.ceil((wave[-1] - wave[0]) / parameters.continuum_um)
        along = 2 * (wave - wave[0]) / (wave[-1] - wave[0]) - 1
        self._shapes = np.polynomial.chebyshev.chebvander(along, order)
        low, high = (np.array([*(factor * expected[:2]), expected[2]]) for factor in _POWERS)
        reach = np.array([0.0, 0.0, parameters.max_shift_pix])
        self._bounds = low - reach, high + reach
        self._widths = widths
        self._scatter = 1.0

    def solve(self, used: NDArray[np.bool_]) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Return the powers and the shift, their errors, and the planes that were used at last."""
        values = self._expected
        for _ in range(_CLIP_ROUNDS):
            chosen = used
            found = least_squares(self._residual, values, args=(chosen,), x_scale=self._widths, bounds=self._bounds)
            values = found.x
            left = (self._flux - self._continuum(values, used) * self._through(values)) / self._noise
            # what is no noise, as lines of the star, must not outweigh what is expected
            self._scatter = max(1.4826 * float(np.median(np.abs(left[used]))), 1.0)
            used = chosen & (np.abs(left) < self._p.clip * self._scatter)
        covariance = np.linalg.pinv(found.jac.T @ found.jac)
        return values, np.sqrt(np.diag(covariance)), chosen

    def is_at_end(self, values: Floats) -> bool:
        """Whether a power is the least or the most that is looked for."""
        return any(bool(np.any(np.isclose(values[:2], end[:2], rtol=1e-3))) for end in self._bounds)

    def rms(self, values: Floats, used: NDArray[np.bool_], where: NDArray[np.bool_]) -> float:
        """Return what is left of the continuum's absorption where the atmosphere absorbs, over the continuum."""
        if not where.any():
            return math.nan
        continuum = self._continuum(values, used)
        left = self._flux / self._through(values) / continuum - 1
        return float(np.sqrt(np.mean(left[where] ** 2)))

    def _through(self, values: Floats) -> Floats:
        return self._scaler.transmission(values, self._part)

    def _continuum(self, values: Floats, used: NDArray[np.bool_]) -> Floats:
        """Return the polynomial that fits best."""
        columns = (self._shapes * (self._through(values) / self._noise)[:, None])[used]
        found, *_ = np.linalg.lstsq(columns, (self._flux / self._noise)[used], rcond=None)
        return np.asarray(self._shapes @ found)

    def _residual(self, values: Floats, used: NDArray[np.bool_]) -> Floats:
        """Return what is left of the planes, and of what is expected, in sigma."""
        left = (self._flux - self._continuum(values, used) * self._through(values)) / self._noise
        return np.concatenate([left[used] / self._scatter, (values - self._expected) / self._widths])
