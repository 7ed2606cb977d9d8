"""Simulated exposures whose sky is known, and what is left on the sky lines: shared by the benchmarks of the sky."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
from scipy import ndimage

from napari_kmos.errors import KmosWarning
from napari_kmos.simulate import Night, SimulationParameters, simulate_night, true_sky, true_stars
from napari_kmos.simulate.grid import to_cube
from napari_kmos.simulate.render import flexure_pix
from napari_kmos.simulate.scene import find_exposure
from napari_kmos.sky import _level_groups, nearest_sky, subtract_sky
from napari_kmos.spectral.oh import SkyLines, sky_lines

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.sky import SkyResult

#: What all nights have: bright airglow, and arms whose spaxels differ as much as those of KMOS. In K the true mean sky
#: of an IFU, subtracted from each of its spaxels, then leaves about 1.4 and 2.
HARSH: dict[str, Any] = {
    "airglow": 4.0,
    "slitlet_gain": 0.01,
    "spaxel_gain": 0.02,
    "slitlet_shift": 0.01,
    "spaxel_shift": 0.065,
    "slitlet_tilt": 0.03,
    "slitlet_width": 0.02,
    "slitlet_wing": 0.2,
}
#: Name: what else the night is made of. The first is K, 10 %, 15 stars in 3 x 3 arcsec.
NIGHTS: dict[str, dict[str, Any]] = {
    "10 %": {},
    "20 %, flexure 0.25": {"amplitude": 0.2, "flexure": 0.25},
    "45 stars": {"density": 45.0},
    "28x28x3072": {"pix_scale": 0.1, "nz": 3072},
    **{band: {"band": band} for band in ("IZ", "YJ", "H", "HK")},
}
N_SPAXELS, LINE_SHARE, WIDEN, WIDTH, END, LIMIT = 36, 0.03, 2, 61, 25, 12.0
#: Of the list of lines that is spoilt: rms in micron, and in the logarithm of the flux.
SPOILT_UM, SPOILT_FLUX = 1.5e-4, 0.4


@dataclass(frozen=True, eq=False)
class Case:
    """One IFU of an exposure, its sky and its truth."""

    night: Night
    target: Cube
    seed: int

    @property
    def ifu(self) -> int:
        """Its number."""
        return int(self.target.ifu or 0)

    @property
    def sky(self) -> Cube:
        """The same IFU in the nearest sky exposure."""
        return nearest_sky(self.night.objects[0], self.night.skies).cube(self.ifu)

    @functools.cached_property
    def stars(self) -> np.ndarray:
        """The stars alone."""
        return true_stars(self.night, 0, self.ifu)

    @functools.cached_property
    def light(self) -> np.ndarray:
        """The sky alone."""
        return true_sky(self.night, 0, self.ifu)

    @functools.cached_property
    def shift(self) -> np.ndarray:
        """By how many planes the lines of the object lie further than those of the sky, at all planes."""
        scene = self.night.scene
        on_sky = [find_exposure(scene, 0, on_sky=on_sky) for on_sky in (False, True)]
        target, sky = (flexure_pix(scene, conditions, self.ifu) for conditions in on_sky)
        return (target - sky) * scene.parameters.nz / scene.detector.nz

    @functools.cached_property
    def on_detector(self) -> Case:
        """The same before it was interpolated to finer spaxels and planes."""
        night = simulate_night(self.night.scene.detector)
        return dataclasses.replace(self, night=night, target=night.objects[0].cube(self.ifu))


def cases(name: str, seeds: list[int], ifus: int) -> Iterator[Case]:
    """Yield the IFUs of the nights of a name."""
    for seed in seeds:
        parameters = HARSH | NIGHTS[name]
        night = simulate_night(SimulationParameters(seed=seed, ifus=ifus, exposures=1, epochs=1, **parameters))
        for cube in night.objects[0].cubes:
            yield Case(night, cube, seed)


@dataclass(frozen=True, slots=True)
class Score:
    """What was left of the sky lines over the noise of the object, in what time, by what, and how far off its shift."""

    spaxel: float
    mean: float
    seconds: float = 0.0
    method: str = ""
    off_pix: float = float("nan")


def score(case: Case, name: str) -> Score:
    """Subtract the sky of a case by one of `WAYS` and measure what is left."""
    start = time.perf_counter()
    left, result = WAYS[name](case)
    seconds = time.perf_counter() - start
    noise = np.asarray(case.target.noise, dtype=float)
    spaxel, mean = measure(left - case.stars, noise, case.stars, case.light)
    if result is None:
        return Score(spaxel, mean, seconds)
    return Score(spaxel, mean, seconds, result.method, abs(result.shift_pix - float(np.median(case.shift))))


def measure(left: np.ndarray, noise: np.ndarray, stars: np.ndarray, light: np.ndarray) -> tuple[float, float]:
    """Return the noise per spaxel and that of the mean, over the object's; cubes of shape (n_planes, n_y, n_x)."""
    good = np.isfinite(noise).mean(axis=0) > 0.5
    white = np.where(good, stars.mean(axis=0), np.inf)
    dark = np.argsort(white, axis=None)[:N_SPAXELS]
    planes = np.flatnonzero(np.isfinite(noise[:, good]).any(axis=1))
    mean_light = light[:, good].mean(axis=1)
    lines = mean_light - ndimage.percentile_filter(mean_light, 25, WIDTH)
    is_line = ndimage.binary_dilation(lines > LINE_SHARE * lines.max(), np.ones(2 * WIDEN + 1, dtype=bool))[planes]
    is_line[:END] = is_line[-END:] = False
    z = (left / noise).reshape(len(left), -1)[planes][:, dark]
    z[np.abs(z) > LIMIT] = np.nan
    z -= ndimage.median_filter(np.nan_to_num(z), (WIDTH, 1))
    z = z[is_line]
    mean = np.nansum(z, axis=1) / np.sqrt(np.maximum(np.isfinite(z).sum(axis=1), 1))
    return float(1.4826 * np.nanmedian(np.abs(z - np.nanmedian(z)))), float(np.sqrt(np.mean(mean**2)))


def tweak(target: Cube, sky: Cube, method: str) -> SkyResult:
    """Subtract the sky as it comes, warnings unheard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", KmosWarning)
        return subtract_sky(target, sky, method=method)


@contextlib.contextmanager
def spoilt_lines(seed: int) -> Iterator[None]:
    """Let the fit of levels have a list of lines with wrong wavelengths and strengths; the simulation keeps its own."""

    def spoilt(*args: Any, **kwargs: Any) -> SkyLines:
        lines = sky_lines(*args, **kwargs)
        rng = np.random.default_rng([seed, 1])
        wave = lines.wavelength_um + rng.normal(0, SPOILT_UM, lines.wavelength_um.size)
        strength = lines.strength * np.exp(rng.normal(0, SPOILT_FLUX, wave.size))
        order = np.argsort(wave)
        columns = {field.name: getattr(lines, field.name) for field in dataclasses.fields(lines)}
        columns |= {"wavelength_um": wave, "strength": strength}
        return SkyLines(**{name: values[order] for name, values in columns.items()})

    _forget_lines()
    try:
        with mock.patch.object(_level_groups, "sky_lines", spoilt):
            yield
    finally:
        _forget_lines()


def _forget_lines() -> None:
    """Forget lists of lines that were kept."""
    for each in vars(_level_groups).values():
        if hasattr(each, "cache_clear") and each is not sky_lines:
            each.cache_clear()


def _by_method(case: Case, method: str) -> tuple[np.ndarray, SkyResult]:
    result = tweak(case.target, case.sky, method)
    return np.asarray(result.cube.flux), result


def _spoilt(case: Case) -> tuple[np.ndarray, SkyResult]:
    with spoilt_lines(case.seed):
        return _by_method(case, "levels")


def _before(case: Case) -> tuple[np.ndarray, None]:
    """Subtract on the grid of the detector, then interpolate."""
    coarse = case.on_detector
    left = np.asarray(tweak(coarse.target, coarse.sky, "levels").cube.flux, dtype=float)
    return to_cube(np.nan_to_num(left), case.night.scene, case.ifu), None


def _true_mean(case: Case) -> tuple[np.ndarray, None]:
    good = np.isfinite(np.asarray(case.target.flux)).mean(axis=0) > 0.5
    return np.asarray(case.target.flux) - case.light[:, good].mean(axis=1)[:, None, None], None


#: Name: what subtracts the sky.
WAYS: Mapping[str, Callable[[Case], tuple[np.ndarray, SkyResult | None]]] = {
    "plain": lambda case: _by_method(case, "plain"),
    "davies": lambda case: _by_method(case, "davies"),
    "levels": lambda case: _by_method(case, "levels"),
    "spoilt": _spoilt,
    "before": _before,
    "true mean": _true_mean,
    "true sky": lambda case: (np.asarray(case.target.flux) - case.light, None),
}
