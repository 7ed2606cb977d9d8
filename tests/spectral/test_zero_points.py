"""Where the sky lines of a spectrum lie: shifts that were put in are found, and what tells none says so."""

from __future__ import annotations

import dataclasses

import dask.array as da
import numpy as np
import pytest
from factories import make_cube

from napari_kmos.errors import KmosError
from napari_kmos.instrument import BANDS
from napari_kmos.simulate.lsf import Lsf, spread_lines
from napari_kmos.spectral import sky_lines
from napari_kmos.spectral.zero_points import measure_zero_point, zero_point_of

N = 2048


def wavelengths(band="K"):
    return np.linspace(BANDS[band].start_um, BANDS[band].end_um, N, endpoint=False)


def sky(shift, *, band="K", stretch=0.0, noise=0.002, fwhm=1.9, levels=0.1, seed=1):
    """A spectrum of lines, the brightest of about 1, whose levels are not those of the list."""
    rng = np.random.default_rng(seed)
    lines = sky_lines(band)
    keys = np.unique([lines.v_upper, lines.n_upper, lines.f_upper], axis=1, return_inverse=True)[1].ravel()
    strength = lines.strength / lines.strength.max() * rng.lognormal(0, levels, keys.max() + 1)[keys]
    place = np.interp(lines.wavelength_um, wavelengths(band), np.arange(N))
    place = place + shift + stretch * (2 * place / N - 1)
    return spread_lines(place, strength, N, lsf=Lsf(fwhm_pix=fwhm)) + noise * rng.standard_normal(N)


@pytest.mark.parametrize("band", list(BANDS))
@pytest.mark.parametrize("shift", [-1.37, 0.0, 0.42])
def test_shift_is_found_in_every_band(band, shift):
    found = zero_point_of(sky(shift, band=band) + 5, wavelengths(band))
    # noise of 0.2 % of the brightest line, that of the mean of a hundred spaxels, and levels that vary by 10 %
    assert found.shift_pix == pytest.approx(shift, abs=0.02)
    assert abs(found.shift_pix - shift) < 4 * found.err_pix < 0.08
    assert found.n_groups > 10


def test_error_is_that_of_repeated_measurements():
    found = [zero_point_of(sky(0.3, noise=0.004, seed=seed), wavelengths()) for seed in range(24)]
    off = np.array([one.shift_pix - 0.3 for one in found])
    assert abs(off.mean()) < 0.01
    # 24 measurements tell a standard deviation to 15 %; the groups share their levels
    assert 0.5 < off.std() / np.mean([one.err_pix for one in found]) < 1.8


def test_a_stretch_along_the_band_does_not_matter():
    found = zero_point_of(sky(0.3, stretch=0.2), wavelengths())
    assert found.shift_pix == pytest.approx(0.3, abs=0.02)


def test_wrong_planes_lost_planes_and_broader_lines():
    spectrum = sky(-0.25, fwhm=2.4)
    spectrum[[300, 700, 1200]] += 3
    spectrum[900:960] = np.nan
    assert zero_point_of(spectrum, wavelengths()).shift_pix == pytest.approx(-0.25, abs=0.02)


@pytest.mark.parametrize("what", ["noise", "nothing", "few planes", "no lines there"])
def test_without_lines_there_is_no_zero_point(what):
    spectrum = {
        "noise": np.random.default_rng(2).standard_normal(N),
        "nothing": np.full(N, np.nan),
        "few planes": sky(0.1)[:40],
        "no lines there": sky(0.1),
    }[what]
    wave = wavelengths()[: len(spectrum)] + 1.5 * (what == "no lines there")
    assert not zero_point_of(spectrum, wave).is_known


def test_cube_is_measured_where_it_is_dark():
    """A star with lines of its own, elsewhere, does not count; nor does it matter that the cube is lazy."""
    cube = make_cube(shape=(N, 7, 6), stars=(), sigma=0.01, background=3.0)
    cube.flux[:] += sky(0.4)[:, None, None].astype(np.float32)
    cube.flux[:, 2:4, 1:4] += (50 + 40 * sky(-2, seed=3)).astype(np.float32)[:, None, None]
    cube.flux[:, 0] = np.nan
    found = measure_zero_point(cube)
    assert found.shift_pix == pytest.approx(0.4, abs=0.02)

    lazy = dataclasses.replace(cube, flux=da.from_array(cube.flux, chunks=(100, -1, -1)))
    assert measure_zero_point(lazy) == found


def test_what_makes_no_sense_is_refused():
    cube = make_cube(shape=(100, 4, 5))
    with pytest.raises(KmosError, match="its wavelengths are in air; expected vacuum"):
        measure_zero_point(dataclasses.replace(cube, medium="air"))
    with pytest.raises(KmosError, match=r"share 0, fwhm_pix 1\.9"):
        measure_zero_point(cube, share=0)
    empty = dataclasses.replace(cube, flux=np.full(cube.shape, np.nan, dtype=np.float32))
    assert not measure_zero_point(empty).is_known
