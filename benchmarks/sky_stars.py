"""How much of a star's light, and of its CO bands or its Brackett gamma, the method `levels` takes for sky.

A star is put into the object cube of each IFU, bright or faint: what the result gains by it is compared with it, and
what a star with features differs from one without, beside a straight line; so noise does not matter. The place is drawn
at random. Asked for by `sky_levels.py`, which prints the table.
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


@dataclass(frozen=True, slots=True)
class Lost:
    """What a star lost: shares of its light and of the depth of its feature, positive where it was absorbed."""

    flux: float
    kind: str
    light: float
    feature: float


def stars_lost(found: Iterable[Case]) -> list[Lost]:
    """Return what stars of every kind and flux lost in these IFUs."""
    lost = []
    for case in found:
        before = _subtracted(case, np.zeros(case.target.shape))
        rng = np.random.default_rng([case.seed, case.ifu])
        for flux in FLUXES:
            y, x = rng.uniform(MARGIN_PIX, np.array(case.target.shape[1:]) - MARGIN_PIX)
            lost += _lost(case, before, flux, (y, x))
    return lost


def _lost(case: Case, before: np.ndarray, flux: float, place: tuple[float, float]) -> list[Lost]:
    """Put in a star without features, then with those of each kind: what the first adds and the others take away."""
    y, x = (np.array([at]) for at in place)
    image = moffat_images(y, x, case.target.shape[1:], fwhm_pix=FWHM_PIX)[0]
    rows, columns = np.indices(image.shape)
    aperture = (np.hypot(rows - y, columns - x) < APERTURE_PIX) & np.isfinite(before).any(axis=0)
    light = flux * image[aperture].sum()

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
        kept = np.linalg.lstsq(columns[here], left[here], rcond=None)[0][0]
        lost.append(Lost(flux, kind, 1 - float(np.nanmean(gained(smooth, before))) / light, 1 - float(kept)))
    return lost


def _subtracted(case: Case, star: np.ndarray) -> np.ndarray:
    """Return the cube with a star in it, its photon noise stated but not drawn, after the sky was subtracted."""
    cube = case.target
    variance = np.square(cube.noise, dtype=float) + star / (GAIN_E_PER_ADU * float(cube.exptime or 1.0))
    flux = np.asarray(cube.flux) + star
    cube = dataclasses.replace(cube, flux=flux.astype(np.float32), noise=np.sqrt(variance).astype(np.float32))
    return np.asarray(tweak(cube, case.sky, "levels").cube.flux, dtype=float)


def print_stars(found: list[Lost]) -> None:
    """Print the means over all IFUs with their errors, and the largest single value, in percent."""
    head = ["star, ADU/s", "light lost", "largest", *(f"{name} lost | largest" for name, *_ in FEATURES.values())]
    print("| " + " | ".join(head) + " |\n" + "|---" * 7 + "|")
    for flux in FLUXES:
        these = [[one for one in found if (one.flux, one.kind) == (flux, kind)] for kind in FEATURES]
        cells = [_cells([one.light for one in these[0]]), *(_cells([one.feature for one in each]) for each in these)]
        print(f"| {flux:g} | {' | '.join(cells)} |", flush=True)


def _cells(values: list[float]) -> str:
    percent = 100 * np.array(values)
    error = percent.std() / np.sqrt(len(percent))
    return f"{percent.mean():+.2f} +- {error:.2f} % | {np.abs(percent).max():.2f} %"
