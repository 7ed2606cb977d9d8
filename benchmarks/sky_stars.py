"""How much of a star's light, and of its CO bands or its Brackett gamma, the method `levels` takes for sky.

A star is put into the object cube of each IFU, bright or faint: what the result gains by it is compared with it, and
what a star with features differs from one without, beside a straight line; so noise does not matter. The places are
drawn at random. Asked for by `sky_levels.py`, which prints the table, with the error that the noise of an exposure
makes in the depth of such a feature: what the sky takes of it matters where it is not far below that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sky_cases import Case, tweak

from napari_kmos.instrument import GAIN_E_PER_ADU
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.simulate.templates import absorption

#: ADU per second and plane; the sky of a spaxel has 0.3 between the lines and up to 16 on them.
FLUXES = (300.0, 30.0, 3.0)
#: Kind of star: its feature, and where that is looked at; micron.
FEATURES = {"late": ("CO", 2.285, 2.345), "early": ("Brackett gamma", 2.150, 2.182)}
FWHM_PIX, APERTURE_PIX, MARGIN_PIX = 3.5, 4.0, 4.0
#: Places in each IFU for stars of a flux; the goal.
N_PLACES, GOAL = 2, 0.003


@dataclass(frozen=True, slots=True)
class Lost:
    """What a star lost: shares of its light and of the depth of its feature, positive where it was absorbed.

    ``noise`` is the error of that depth in the aperture, by the noise of the exposure alone.
    """

    flux: float
    kind: str
    light: float
    feature: float
    noise: float


def stars_lost(found: Iterable[Case]) -> list[Lost]:
    """Return what stars of every kind and flux lost in these IFUs."""
    lost = []
    for case in found:
        before = _subtracted(case, np.zeros(case.target.shape))
        rng = np.random.default_rng([case.seed, case.ifu])
        for flux in np.repeat(FLUXES, N_PLACES):
            y, x = rng.uniform(MARGIN_PIX, np.array(case.target.shape[1:]) - MARGIN_PIX)
            lost += _lost(case, before, flux, (y, x))
    return lost


def _lost(case: Case, before: np.ndarray, flux: float, place: tuple[float, float]) -> list[Lost]:
    """Put in a star without features, then with those of each kind: what the first adds and the others take away."""
    image, aperture = _image(case.target.shape[1:], place)
    aperture &= np.isfinite(before).any(axis=0)
    light = flux * image[aperture].sum()
    variance = np.nansum(_variance(case, flux * image)[:, aperture], axis=1)

    def seen(spectrum: np.ndarray) -> np.ndarray:
        return _subtracted(case, flux * spectrum[:, None, None] * image)

    def gained(new: np.ndarray, old: np.ndarray) -> np.ndarray:
        known = np.isfinite(new[:, aperture]).any(axis=1)
        return np.where(known, np.nansum((new - old)[:, aperture], axis=1), np.nan)

    wave = case.target.wavelength_um
    smooth = seen(np.ones_like(wave))
    lost = []
    for kind, (_, start, end) in FEATURES.items():
        depth = absorption(kind, wave)
        here = (wave > start) & (wave < end)
        left = -gained(seen(1 - depth), smooth)
        here &= np.isfinite(left)
        columns = np.stack([light * depth, np.ones_like(wave), wave - wave[here].mean()], axis=1)
        inverse = np.linalg.pinv(columns[here])
        noise = float(np.sqrt(inverse[0] ** 2 @ variance[here]))
        lost.append(
            Lost(flux, kind, 1 - float(np.nanmean(gained(smooth, before))) / light, 1 - inverse[0] @ left[here], noise)
        )
    return lost


def _image(shape: tuple[int, int], place: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the image of a star of flux 1 and the aperture about it."""
    y, x = (np.array([at]) for at in place)
    rows, columns = np.indices(shape)
    return moffat_images(y, x, shape, fwhm_pix=FWHM_PIX)[0], np.hypot(rows - y, columns - x) < APERTURE_PIX


def _variance(case: Case, star: np.ndarray) -> np.ndarray:
    """Return the variance of the object with a star in it."""
    return np.square(np.asarray(case.target.noise, dtype=float)) + star / (
        GAIN_E_PER_ADU * float(case.target.exptime or 1.0)
    )


def _subtracted(case: Case, star: np.ndarray) -> np.ndarray:
    """Return the cube with a star in it, its photon noise stated but not drawn, after the sky was subtracted."""
    cube = case.target
    variance = _variance(case, star)
    flux = np.asarray(cube.flux) + star
    cube = dataclasses.replace(cube, flux=flux.astype(np.float32), noise=np.sqrt(variance).astype(np.float32))
    return np.asarray(tweak(cube, case.sky, "levels").cube.flux, dtype=float)


def print_stars(found: list[Lost]) -> None:
    """Print the means over all stars with their errors, the largest single value, and the noise, in percent."""
    head = ["star, ADU/s", "light lost | largest"]
    head += [f"{name} lost | largest | its noise in an exposure" for name, *_ in FEATURES.values()]
    print("| " + " | ".join([*head, ""]) + " |\n" + "|---" * 10 + "|")
    for flux in FLUXES:
        these = [[one for one in found if (one.flux, one.kind) == (flux, kind)] for kind in FEATURES]
        lost = [np.array([one.light for one in these[0]]), *(np.array([one.feature for one in each]) for each in these)]
        noise = [f" | {np.mean([one.noise for one in each]):.1%}" for each in these]
        cells = [_cells(values) + more for values, more in zip(lost, ["", *noise], strict=True)]
        print(f"| {flux:g} | {' | '.join([*cells, _verdict(lost)])} |", flush=True)


def _cells(values: np.ndarray) -> str:
    return f"{values.mean():+.2%} +- {_error(values):.2%} | {np.abs(values).max():.2%}"


def _verdict(lost: list[np.ndarray]) -> str:
    """Return whether all means are within the goal; beyond by less than twice their error is not told."""
    over = [abs(values.mean()) - GOAL for values in lost]
    if max(over) < 0:
        return "met"
    untold = all(each < 2 * _error(values) for each, values in zip(over, lost, strict=True))
    return "within the error" if untold else "MISSED"


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else float("nan")
