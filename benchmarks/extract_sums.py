"""Whether sums over apertures are those of photutils, and their signal-to-noise ratios the empirical ones.

Stars of flux 100-10000 stand apart on white noise of sigma 1 in 2048 planes, or on noise that was resampled, whose
correlation the cube tells. "Sum" is the largest relative difference from `photutils.aperture_photometry` (exact), with
the sky that photutils finds in the same ring (`ApertureStats`, its pixels by their centres) for the rings that it
knows. "SNR" is the median over the stars of the ratio by the errors over the empirical one, mean over standard
deviation of the planes; the empirical one of a star is known to 1.6 %.

    python benchmarks/extract_sums.py [--seed 1] [--stars 25]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from extract_psf import made_noise
from photutils.aperture import ApertureStats, CircularAnnulus, CircularAperture, aperture_photometry

from napari_kmos.aperture import Aperture
from napari_kmos.cube import Cube
from napari_kmos.extract import ExtractParameters, extract_spectra
from napari_kmos.spatial.moffat import moffat_images
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky, sky_to_pixel

if TYPE_CHECKING:
    from napari_kmos.spectrum import StarSpectrum

SPAXEL, SPACING = 0.2, 21
N_PLANES, SOME = 2048, slice(None, None, 256)
RADIUS_PIX, SKY = 2.6, 30.0
MOST_DIFFERENCE, MOST_OFF = 1e-6, 0.05
SKIES: Mapping[str, ExtractParameters] = MappingProxyType(
    {
        "none": ExtractParameters(sky="none"),
        "ring, median": ExtractParameters(),
        "ring, mean": ExtractParameters(ring_statistic="mean"),
        "ring, clipped": ExtractParameters(ring_statistic="clipped"),
        "left side, median": ExtractParameters(side="left"),
        "ring away from others": ExtractParameters(avoid_arcsec=1.0),
        "areas, mean": ExtractParameters(sky="areas"),
        "areas, median": ExtractParameters(sky="areas", areas_statistic="median"),
    }
)
#: What photutils calls the statistic of a ring.
KNOWN = MappingProxyType({"ring, median": "median", "ring, mean": "mean"})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stars", type=int, default=25)
    given = parser.parse_args()
    print("| noise | sky | sum | SNR | |\n|---|---|---|---|---|")
    for noise in ("white", "resampled"):
        cube, apertures = field(np.random.default_rng(given.seed), given.stars, noise=noise)
        for name, parameters in SKIES.items():
            spectra = extract_spectra(cube, apertures, parameters=parameters)
            differences = [difference(cube, spectrum, name) for spectrum in spectra]
            ratio = float(np.median([snr_ratio(spectrum) for spectrum in spectra]))
            is_met = max(differences) <= MOST_DIFFERENCE and abs(ratio - 1) <= MOST_OFF
            is_known = name == "none" or name in KNOWN
            text = f"{max(differences):.1e}" if is_known else "-"
            print(f"| {noise} | {name} | {text} | {ratio:.3f} | {'met' if is_met else 'NOT MET'} |", flush=True)


def field(rng: np.random.Generator, n_stars: int, *, noise: str) -> tuple[Cube, list[Aperture]]:
    """Return stars far apart, and between them sky areas, five of them."""
    side = int(np.ceil(np.sqrt(n_stars)))
    shape = side * SPACING, side * SPACING + 2
    corners = SPACING * np.array([(number // side, number % side) for number in range(n_stars)])
    places = corners + SPACING / 2 + rng.uniform(-1, 1, corners.shape)
    light = moffat_images(places[:, 0], places[:, 1], shape, fwhm_pix=3.0, beta=3.0)
    image = np.tensordot(10 ** rng.uniform(2, 4, n_stars), light, axes=1) + SKY
    values, correlation = made_noise(rng, (N_PLANES, *shape), resampled=noise == "resampled")
    cube = Cube(
        flux=(image + values).astype(np.float32),
        noise=np.ones((N_PLANES, *shape), dtype=np.float32),
        wavelength=np.linspace(1.95, 2.45, N_PLANES) * u.um,
        wcs=make_wcs(266.4, -28.9, crpix=(20.0, 20.0), scale_arcsec=SPAXEL, rotation_deg=15.0),
        correlation=correlation,
        name=noise,
    )
    kinds = [("star", place) for place in places] + [("sky", corner + 0.4) for corner in corners[-5:]]
    return cube, [_aperture(cube, f"{kind}{number}", kind, *place) for number, (kind, place) in enumerate(kinds)]


def _aperture(cube: Cube, name: str, kind: str, y: float, x: float) -> Aperture:
    ra, dec = pixel_to_sky(cube.wcs, y, x)
    return Aperture(id=name, kind=kind, ra=ra, dec=dec, radius_arcsec=RADIUS_PIX * SPAXEL)


def difference(cube: Cube, spectrum: StarSpectrum, name: str) -> float:
    """Largest relative difference of some planes from what photutils finds; 0 of a sky that it does not know."""
    if name != "none" and name not in KNOWN:
        return 0.0
    y, x = sky_to_pixel(cube.wcs, spectrum.aperture.ra, spectrum.aperture.dec)
    circle, ring = CircularAperture((x, y), RADIUS_PIX), CircularAnnulus((x, y), 2 * RADIUS_PIX, 3 * RADIUS_PIX)
    found = []
    for plane in cube.flux[SOME].astype(float):
        total = aperture_photometry(plane, circle)["aperture_sum"][0]
        level = getattr(ApertureStats(plane, ring, sum_method="center"), KNOWN[name]) if name in KNOWN else 0.0
        found.append(total - level * circle.area)
    return float(np.max(np.abs(spectrum.flux[SOME] / np.array(found) - 1)))


def snr_ratio(spectrum: StarSpectrum) -> float:
    """Signal to noise by the errors over mean and standard deviation of the planes, whose truth is the same."""
    propagated = np.median(spectrum.flux / spectrum.noise)
    return float(propagated / (np.mean(spectrum.flux) / np.std(spectrum.flux)))


if __name__ == "__main__":
    main()
