"""Maps of a line that was injected: its flux, its wavelength, its width, and whether the noise is what it says."""

from __future__ import annotations

import dataclasses

import dask.array as da
import factories
import numpy as np
import pytest
from astropy import constants
from astropy import units as u

from napari_kmos.errors import GeometryError, KmosError, KmosWarning
from napari_kmos.lazy import read_piece
from napari_kmos.progress import Cancelled
from napari_kmos.spectral import MapParameters, make_maps, maps

SHAPE = (240, 9, 12)
LINE, BESIDE = (2.17, 2.23), ((2.10, 2.16), (2.24, 2.31))
CENTRE, WIDTH = 2.2003, 0.008
SIGMA = 2.0


def truth() -> np.ndarray:
    """Flux of the line in each spaxel, in unit times micron: everywhere another, nowhere faint."""
    return np.linspace(1.0, 3.0, SHAPE[1] * SHAPE[2]).reshape(SHAPE[1:])


def line_cube(*, sigma: float = SIGMA, seed: int = 1, **facts: object):
    """Return a cube with a Gaussian line on a sloping continuum, another one in each spaxel."""
    cube = factories.make_cube(shape=SHAPE, stars=(), background=0.0, sigma=sigma, seed=seed)
    wave = cube.wavelength_um[:, None, None]
    profile = np.exp(-0.5 * ((wave - CENTRE) / WIDTH) ** 2) / (WIDTH * np.sqrt(2 * np.pi))
    continuum = np.linspace(-5, 40, SHAPE[2]) + np.linspace(-200, 300, SHAPE[1])[:, None] * (wave - 2.2)
    noise = np.full(SHAPE, sigma or 1.0, dtype=np.float32)
    flux = (np.asarray(cube.flux) + truth() * profile + continuum).astype(np.float32)
    return dataclasses.replace(cube, **{"flux": flux, "noise": noise, **facts})


def lazy(cube):
    arrays = {name: da.from_array(getattr(cube, name), chunks=(7, -1, -1)) for name in ("flux", "noise")}
    return dataclasses.replace(cube, **arrays)


def test_a_line_on_a_slope_is_found_as_it_was_put_in():
    found = make_maps(line_cube(sigma=0.0), line_um=LINE, continuum_um=BESIDE)
    # 3.7 sigma on either side hold all but 2e-4 of the flux; the width loses 0.5 % of its square.
    np.testing.assert_allclose(found.moments[0].data, truth(), rtol=1e-3)
    np.testing.assert_allclose(found.moments[1].data, CENTRE, atol=2e-5)
    np.testing.assert_allclose(found.moments[2].data, WIDTH, rtol=1e-2)
    step = np.diff(line_cube().wavelength_um)[0]
    planes = np.count_nonzero((line_cube().wavelength_um >= LINE[0]) & (line_cube().wavelength_um <= LINE[1]))
    np.testing.assert_allclose(found.line.data * planes * step, found.moments[0].data, rtol=1e-5)
    np.testing.assert_allclose(found.band.data - found.continuum.data, found.line.data, atol=1e-4)


def test_units_names_and_sky_are_those_of_the_cube():
    cube = line_cube()
    found = make_maps(cube, line_um=LINE, continuum_um=BESIDE)
    assert list(found.by_name()) == ["LINE", "CONTINUUM", "BAND", "MOMENT0", "MOMENT1", "MOMENT2", "SNR"]
    units = [image.unit for image in found.by_name().values()]
    assert units == [cube.unit] * 3 + [cube.unit * u.um, u.um, u.um, u.dimensionless_unscaled]
    assert all(image.wcs is cube.wcs and image.ifu == 5 for image in found.by_name().values())
    assert make_maps(dataclasses.replace(cube, unit=None), line_um=LINE).moments[0].unit is None


def test_noise_is_the_scatter_of_many_measurements():
    pulls = {name: [] for name in ("line", "band", "continuum", 0, 1, 2)}
    exact = make_maps(line_cube(sigma=0.0), line_um=LINE, continuum_um=BESIDE)
    for seed in range(1, 9):
        found = make_maps(line_cube(seed=seed), line_um=LINE, continuum_um=BESIDE)
        for name, values in pulls.items():
            one, other = (
                maps_.moments[name] if isinstance(name, int) else getattr(maps_, name) for maps_ in (found, exact)
            )
            values.append((one.data - other.data) / one.noise)
    # 864 pulls tell their scatter to 2.4 %; moments 1 and 2 are ratios, whose noise is linear to a few percent here.
    for name, values in pulls.items():
        assert np.std(values) == pytest.approx(1.0, abs=0.08), name
        assert abs(np.mean(values)) < 0.15, name
    np.testing.assert_allclose(found.snr.data, found.moments[0].data / found.moments[0].noise, rtol=1e-5)


def test_noise_grows_with_the_error_of_the_continuum():
    near = make_maps(line_cube(), line_um=LINE, continuum_um=((2.155, 2.165), (2.235, 2.245)))
    wide = make_maps(line_cube(), line_um=LINE, continuum_um=BESIDE)
    bare = make_maps(line_cube(), line_um=LINE)
    assert np.all(near.line.noise > 1.2 * wide.line.noise)
    assert np.all(wide.line.noise > 1.02 * bare.line.noise)
    planes = np.count_nonzero((line_cube().wavelength_um >= LINE[0]) & (line_cube().wavelength_um <= LINE[1]))
    np.testing.assert_allclose(bare.band.noise, SIGMA / np.sqrt(planes), rtol=1e-5)


def test_one_window_is_a_constant_which_may_surround_the_line_and_none_subtracts_nothing():
    cube = line_cube(sigma=0.0)
    flat = dataclasses.replace(cube, flux=(cube.flux * 0 + 7.0).astype(np.float32))
    surrounding = make_maps(flat, line_um=LINE, continuum_um=((2.1, 2.3),))
    np.testing.assert_allclose(surrounding.continuum.data, 7.0, rtol=1e-6)
    np.testing.assert_allclose(surrounding.line.data, 0.0, atol=1e-5)
    bright = np.where((flat.wavelength_um >= LINE[0]) & (flat.wavelength_um <= LINE[1]), 100.0, 7.0)
    bright = np.broadcast_to(bright[:, None, None], SHAPE).astype(np.float32)
    above = make_maps(dataclasses.replace(flat, flux=bright), line_um=LINE, continuum_um=((2.1, 2.3),))
    np.testing.assert_allclose(above.line.data, 93.0, rtol=1e-6)
    bare = make_maps(flat, line_um=LINE)
    assert bare.continuum is None
    np.testing.assert_allclose(bare.line.data, 7.0, rtol=1e-6)


def test_no_data_leaves_a_spaxel_out_or_counts_as_the_others():
    cube = line_cube(sigma=0.0)
    flux = np.full(SHAPE, 5.0, dtype=np.float32)
    inside = np.flatnonzero((cube.wavelength_um >= LINE[0]) & (cube.wavelength_um <= LINE[1]))
    flux[inside] = 25.0
    flux[inside[::3], 2, 3] = np.nan  # a third of the line
    flux[inside[: len(inside) * 2 // 3], 4, 5] = np.nan  # two thirds
    flux[cube.wavelength_um < 2.16, 6, 7] = np.nan  # one continuum window of two
    flux[:, 8, 1] = np.nan
    flux[3, 1, 1] = np.inf
    found = make_maps(dataclasses.replace(cube, flux=flux), line_um=LINE, continuum_um=BESIDE)
    missing = np.zeros(SHAPE[1:], dtype=bool)
    missing[[4, 6, 8], [5, 7, 1]] = True
    for name in ("LINE", "CONTINUUM", "MOMENT0", "SNR"):
        np.testing.assert_array_equal(np.isnan(found.by_name()[name].data), missing, err_msg=name)
    assert np.isnan(found.band.data).sum() == 2
    assert found.moments[0].data[2, 3] == pytest.approx(found.moments[0].data[0, 0], rel=1e-5)
    strict = make_maps(dataclasses.replace(cube, flux=flux), line_um=LINE, parameters=MapParameters(min_coverage=0.9))
    assert np.isnan(strict.line.data[2, 3])


def test_moments_of_a_line_that_is_not_there_are_no_data():
    cube = line_cube()
    flux = np.array(cube.flux)
    flux[:, 3, 4] = np.random.default_rng(5).normal(10, SIGMA, SHAPE[0])
    found = make_maps(dataclasses.replace(cube, flux=flux), line_um=LINE, continuum_um=BESIDE)
    for order in (1, 2):
        assert np.argwhere(np.isnan(found.moments[order].data)).tolist() == [[3, 4]]
    assert np.isfinite(found.moments[0].data).all()


def test_velocities_are_those_against_the_rest_wavelength():
    plain = make_maps(line_cube(), line_um=LINE, continuum_um=BESIDE)
    found = make_maps(line_cube(), line_um=LINE, continuum_um=BESIDE, parameters=MapParameters(rest_um=2.19))
    c_kms = constants.c.to_value(u.km / u.s)
    assert found.moments[1].unit == found.moments[2].unit == u.km / u.s
    expected = c_kms * (plain.moments[1].data.astype(float) / 2.19 - 1)
    np.testing.assert_allclose(found.moments[1].data, expected, atol=0.1)  # float32 micron are good to 0.03 km/s
    np.testing.assert_allclose(found.moments[2].data, c_kms * plain.moments[2].data / 2.19, rtol=1e-5)
    np.testing.assert_allclose(found.moments[1].noise, c_kms * plain.moments[1].noise / 2.19, rtol=1e-5)


def test_lazy_and_in_memory_agree_whatever_the_blocks_and_only_the_windows_are_read(monkeypatch: pytest.MonkeyPatch):
    cube = line_cube()
    expected = make_maps(cube, line_um=LINE, continuum_um=BESIDE)
    monkeypatch.setattr(maps, "_BLOCK_BYTES", 5 * 4 * SHAPE[1] * SHAPE[2])
    read = []

    def counted(array, key):
        read.append(key[0].stop - key[0].start)
        return read_piece(array, key)

    monkeypatch.setattr(maps, "read_piece", counted)
    found = make_maps(lazy(cube), line_um=LINE, continuum_um=BESIDE)
    for name, image in expected.by_name().items():
        np.testing.assert_allclose(found.by_name()[name].data, image.data, rtol=1e-5, atol=1e-6, err_msg=name)
    wave = cube.wavelength_um
    inside = [(wave >= start) & (wave <= end) for start, end in (LINE, *BESIDE)]
    assert sum(read) == 2 * np.count_nonzero(np.any(inside, axis=0))  # flux and noise
    assert max(read) <= 5


def test_a_cube_without_noise_gets_an_estimate():
    found = make_maps(dataclasses.replace(line_cube(), noise=None), line_um=LINE, continuum_um=BESIDE)
    # Estimated plane by plane from some forty spaxels: good to about ten percent, on the line to less.
    assert np.median(found.line.noise) == pytest.approx(
        np.median(make_maps(line_cube(), line_um=LINE, continuum_um=BESIDE).line.noise), rel=0.15
    )


def test_moments_are_those_asked_for():
    found = make_maps(line_cube(), line_um=LINE, parameters=MapParameters(moments=(1,)))
    assert list(found.moments) == [1]


def test_windows_that_make_no_sense_are_told():
    cube = line_cube()
    with pytest.raises(KmosError, match=r"window 2\.23-2\.17 does not go upwards"):
        make_maps(cube, line_um=LINE[::-1])
    with pytest.raises(GeometryError, match=r"no plane between 1\.1000 and 1\.2000 um"):
        make_maps(cube, line_um=(1.1, 1.2))
    with pytest.raises(GeometryError, match=r"continuum window 2\.18-2\.2 holds no plane of its own"):
        make_maps(cube, line_um=LINE, continuum_um=((2.18, 2.2),))
    with pytest.warns(KmosWarning, match="reaches beyond the cube"):
        make_maps(cube, line_um=(2.4, 2.6))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"moments": (0, 3)}, "moments holds 3"),
        ({"rest_um": -1.0}, "rest_um is -1"),
        ({"min_coverage": 0.0}, "min_coverage is 0"),
        ({"min_snr": np.nan}, "min_snr is nan"),
    ],
)
def test_parameters_that_make_no_sense_are_told(wrong: dict[str, object], match: str):
    with pytest.raises(KmosError, match=match):
        MapParameters(**wrong)


def test_it_can_be_cancelled():
    def stop(done: int, total: int, text: str) -> None:
        assert (total > 0, text) == (True, "maps of IFU 5 target")
        raise Cancelled

    with pytest.raises(Cancelled):
        make_maps(line_cube(), line_um=LINE, progress=stop)


def test_planes_count_with_their_width_where_they_are_not_even():
    cube = line_cube(sigma=0.0)
    wave = np.geomspace(1.95, 2.55, SHAPE[0])
    profile = np.exp(-0.5 * ((wave - CENTRE) / WIDTH) ** 2) / (WIDTH * np.sqrt(2 * np.pi))
    flux = (truth() * profile[:, None, None] + 5.0).astype(np.float32)
    found = make_maps(dataclasses.replace(cube, flux=flux, wavelength=wave * u.um), line_um=LINE, continuum_um=BESIDE)
    np.testing.assert_allclose(found.moments[0].data, truth(), rtol=2e-3)
    np.testing.assert_allclose(found.moments[1].data, CENTRE, atol=4e-5)
