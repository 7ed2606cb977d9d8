"""The noise of apertures on combined cubes is what they scatter by, for dithers and a rotation, for few and many."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from astropy import units as u

from napari_kmos.aperture import Aperture
from napari_kmos.combine import CombineParameters, combine_cubes
from napari_kmos.cube import Cube
from napari_kmos.extract import ExtractParameters, extract_spectra
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky

N_PLANES = 500
AVERAGE = CombineParameters(cmethod="average")
#: Apertures of 0.5 arcsec at places all over the field.
PLACES = [(0.3 * dy, 0.3 * dx) for dy in range(-3, 4) for dx in range(-3, 4)]


def white_noise(rng: np.random.Generator, *, rotation: float) -> Cube:
    shape = (N_PLANES, 14, 14)
    crpix = tuple(7.5 + rng.uniform(-1, 1, 2))
    return Cube(
        flux=rng.standard_normal(shape).astype(np.float32),
        noise=np.ones(shape, dtype=np.float32),
        wavelength=np.linspace(1.95, 2.45, N_PLANES) * u.um,
        wcs=make_wcs(266.4, -29.0, crpix=crpix, rotation_deg=rotation),
        unit=u.adu / u.s,
        name="GC",
    )


def predicted_over_empirical(combined: Cube) -> float:
    """Ratio of the noise of spectra to their scatter from plane to plane, both squared and averaged over places."""
    _, n_y, n_x = combined.shape
    scale = 0.2 if n_y < 25 else 0.1
    stars = []
    for number, (dy, dx) in enumerate(PLACES):
        ra, dec = pixel_to_sky(combined.wcs, (n_y - 1) / 2 + dy / scale, (n_x - 1) / 2 + dx / scale)
        stars.append(Aperture(id=str(number), kind="star", ra=ra, dec=dec, radius_arcsec=0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no star, no SNR
        spectra = extract_spectra(combined, stars, parameters=ExtractParameters(sky="none"))
    predicted = np.mean([np.mean(one.noise**2) for one in spectra])
    return float(np.sqrt(predicted / np.mean([np.var(one.flux) for one in spectra])))


@pytest.mark.parametrize(("n", "scale"), [(1, None), (1, 0.1), (4, None), (8, None)])
@pytest.mark.parametrize("rotation", [0.0, 20.0], ids=["dithers", "turned"])
def test_predicted_noise_of_apertures_is_their_scatter(n, scale, rotation):
    rng = np.random.default_rng(n)
    # the first gives the grid and needs no interpolation where the spaxels keep their size: n others do
    cubes = [white_noise(rng, rotation=0.0), *(white_noise(rng, rotation=rotation) for _ in range(n))]
    combined = combine_cubes(cubes, parameters=dataclasses.replace(AVERAGE, pix_scale=scale)).cube
    # some ten independent places times 500 planes tell a scatter to 1 %; the rest is how positions differ
    assert predicted_over_empirical(combined) == pytest.approx(1, abs=0.04)
    # without the correlation it would be wrong
    alone = dataclasses.replace(combined, correlation=None)
    assert predicted_over_empirical(alone) < (0.97 if scale is None else 0.5)


def test_correlation_of_the_inputs_is_carried_on():
    rng = np.random.default_rng(5)
    first, second = (
        combine_cubes([white_noise(rng, rotation=0.0) for _ in range(3)], parameters=AVERAGE).cube for _ in range(2)
    )
    combined = combine_cubes([first, second], parameters=AVERAGE).cube
    assert predicted_over_empirical(combined) == pytest.approx(1, abs=0.05)


def test_spaxel_on_spaxel_there_is_no_correlation():
    rng = np.random.default_rng(6)
    cubes = [white_noise(rng, rotation=0.0) for _ in range(2)]
    parameters = CombineParameters(method="none", cmethod="average")
    assert combine_cubes(cubes, parameters=parameters).cube.correlation is None
