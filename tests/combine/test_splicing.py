"""Cubes that differ by known smooth curves, joined: every plane, its noise and the level are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import dask.array as da
import factories
import numpy as np
import pytest
from astropy import units as u

from napari_kmos.combine import SpliceParameters, splice_cubes
from napari_kmos.errors import GeometryError, KmosError, KmosWarning

if TYPE_CHECKING:
    from napari_kmos.cube import Cube

SHAPE = (115, 9, 11)  # steps of 0.005 um
FIRST, SECOND = 27, 91
BASE = factories.make_cube(shape=SHAPE, background=30.0)


def corrected(curve: Callable[[np.ndarray], np.ndarray], base: Cube = BASE, **facts: object) -> Cube:
    """Return the same photons under another telluric correction."""
    factor = curve(base.wavelength_um)[:, None, None].astype(np.float32)
    noise = None if base.noise is None else base.noise * factor
    return dataclasses.replace(base, **{"flux": base.flux * factor, "noise": noise, **facts})


A = corrected(lambda wave: 1.1 + 0.8 * (wave - 2.0575), source="a.fits")
B = dataclasses.replace(BASE, source="b.fits")
C = corrected(lambda wave: 0.9 - 0.5 * (wave - 2.3775), source="c.fits")


def lazy(cube: Cube, planes: int) -> Cube:
    arrays = {name: da.from_array(getattr(cube, name), chunks=(planes, -1, -1)) for name in ("flux", "noise")}
    return dataclasses.replace(cube, **arrays)


def planes_of(cube: Cube) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(cube.flux), np.asarray(cube.noise)


def test_hard_joints_take_every_plane_as_it_is():
    result = splice_cubes([A, B, C])
    for joined, *given in zip(planes_of(result.cube), *map(planes_of, (A, B, C)), strict=True):
        np.testing.assert_array_equal(joined[:FIRST], given[0][:FIRST])
        np.testing.assert_array_equal(joined[FIRST:SECOND], given[1][FIRST:SECOND])
        np.testing.assert_array_equal(joined[SECOND:], given[2][SECOND:])
        assert joined.dtype == np.float32
    assert [(part.planes.start, part.planes.stop) for part in result.parts] == [(0, 27), (27, 91), (91, 115)]
    assert [part.source for part in result.parts] == ["a.fits", "b.fits", "c.fits"]
    assert [part.level.value for part in result.parts] == [1, 1, 1]
    first_um, last_um = result.parts[1].wavelength_um
    assert first_um >= 2.060 > BASE.wavelength_um[FIRST - 1]
    assert last_um < 2.379 <= BASE.wavelength_um[SECOND]
    np.testing.assert_array_equal(result.cube.wavelength, BASE.wavelength)
    assert (result.cube.wcs, result.cube.unit, result.cube.name) == (BASE.wcs, BASE.unit, BASE.name)


@pytest.mark.parametrize("planes", [115, 7], ids=["one chunk", "chunks that cross the joints"])
def test_a_fade_goes_evenly_and_its_noise_is_that_of_the_same_photons(planes: int):
    cubes = [lazy(A, planes), lazy(B, 2 * planes), C]
    result = splice_cubes(cubes, parameters=SpliceParameters(fade=4))
    fade = result.joints[0].fade
    assert (fade.start, fade.stop) == (FIRST - 2, FIRST + 2)
    weight = np.array([0.2, 0.4, 0.6, 0.8])[:, None, None]
    for joined, first, second in zip(*map(planes_of, (result.cube, A, B)), strict=True):
        expected = (1 - weight) * first[fade] + weight * second[fade]
        np.testing.assert_allclose(joined[fade], expected, rtol=1e-6)  # float32
        np.testing.assert_array_equal(joined[: fade.start], first[: fade.start])
        np.testing.assert_array_equal(joined[fade.stop : 80], second[fade.stop : 80])
    # the relative noise of every voxel stays what it was: nothing is known better for being corrected twice
    np.testing.assert_allclose(np.divide(*planes_of(result.cube))[fade], np.divide(*planes_of(BASE))[fade], rtol=2e-6)


def test_the_noise_of_a_fade_is_the_scatter_of_fades_of_the_same_photons():
    """Over a thousand spaxels of pure noise, where a sum in quadrature would be too small by 26 %."""
    dark = factories.make_cube(shape=(40, 60, 50), stars=(), background=0.0, sigma=2.0)
    brighter = corrected(lambda wave: 1.2 + 0 * wave, dark)
    result = splice_cubes([dark, brighter], parameters=SpliceParameters(edges=(2.2,), fade=9))
    flux, noise = (array[result.joints[0].fade] for array in planes_of(result.cube))
    # 27000 values tell their standard deviation to 0.4 %; three times that
    assert np.std(flux / noise) == pytest.approx(1.0, abs=0.013)


def test_in_a_fade_the_cube_with_data_counts_alone():
    holes = BASE.flux.copy()
    holes[FIRST - 1, 4, 5], holes[FIRST + 1, 4, 5], holes[FIRST - 5, 4, 5] = np.nan, np.nan, np.nan
    first = dataclasses.replace(A, flux=np.where(np.isnan(holes), np.nan, A.flux))
    second_flux = B.flux.copy()
    second_flux[[FIRST, FIRST + 1], 4, 5] = np.nan
    second = dataclasses.replace(B, flux=second_flux)
    flux, noise = planes_of(splice_cubes([first, second, C], parameters=SpliceParameters(fade=4)).cube)
    assert (flux[FIRST - 1, 4, 5], noise[FIRST - 1, 4, 5]) == (B.flux[FIRST - 1, 4, 5], B.noise[FIRST - 1, 4, 5])
    assert (flux[FIRST, 4, 5], noise[FIRST, 4, 5]) == (A.flux[FIRST, 4, 5], A.noise[FIRST, 4, 5])
    assert np.isnan(flux[FIRST + 1, 4, 5])  # neither has any
    assert np.isnan(flux[FIRST - 5, 4, 5])  # outside the fade nothing is filled from another cube
    assert np.count_nonzero(np.isnan(flux)) == 2


@pytest.mark.parametrize(("reference", "kept"), [(None, 1), (1, 0), (3, 2)])
def test_levels_meet_at_the_joints(reference: int | None, kept: int):
    result = splice_cubes([A, B, C], parameters=SpliceParameters(level=True, reference=reference))
    # a straight curve over a straight one: the ratio between the planes of a joint is known exactly, float32 apart
    ratios = [1.1, 1 / 0.9]
    assert [joint.ratio.value for joint in result.joints] == pytest.approx(ratios, rel=2e-4)
    levels = np.array([1 / ratios[0], 1, ratios[1]])
    found = [part.level.value for part in result.parts]
    assert found == pytest.approx(levels / levels[kept], rel=2e-4)
    assert (found[kept], result.parts[kept].level.error) == (1, 0)
    smooth = (planes_of(result.cube)[0] / BASE.flux).mean(axis=(1, 2))
    steps = np.abs(np.diff(smooth))
    assert max(steps[FIRST - 1], steps[SECOND - 1]) < 1.5 * np.median(steps[steps > 1e-4])  # no more than beside it
    for part, cube in zip(result.parts, (A, B, C), strict=True):
        middle = (part.planes.start + part.planes.stop) // 2
        np.testing.assert_allclose(planes_of(result.cube)[1][middle], part.level.value * cube.noise[middle], rtol=1e-6)


def test_the_error_of_a_level_is_that_of_its_scatter():
    """Cubes of independent noise, a tenth of the light: the ratio is not biased, and scatters as its error says."""
    pulls = []
    for seed in range(40):
        pair = [factories.make_cube(shape=(40, 9, 11), background=50.0, sigma=5.0, seed=2 * seed + k) for k in (0, 1)]
        pair[0] = corrected(lambda wave: 1.05 + 0 * wave, pair[0])
        (joint,) = splice_cubes(pair, parameters=SpliceParameters(edges=(2.2,), level_planes=12)).joints
        pulls.append((joint.ratio.value - 1.05) / joint.ratio.error)
    assert abs(np.mean(pulls)) < 3 / np.sqrt(40)
    assert 0.65 < np.std(pulls) < 1.35  # 40 values tell it to 11 %; errors from the median deviation of 24 to 18 %


def test_bad_spaxels_and_planes_do_not_move_a_level():
    flux = A.flux.copy()
    flux[:, 3, 3] *= 50
    flux[FIRST - 3] *= 7
    flux[FIRST + 2, :4] = np.nan
    result = splice_cubes([dataclasses.replace(A, flux=flux), B, C], parameters=SpliceParameters(level=True))
    assert result.joints[0].ratio.value == pytest.approx(1.1, rel=5e-4)


def test_noise_that_one_lacks_is_estimated_and_that_all_lack_is_not():
    bare = dataclasses.replace(B, noise=None)
    with pytest.warns(KmosWarning, match=r"no noise in b\.fits: estimated"):
        joined = splice_cubes([A, bare, C]).cube
    assert joined.noise_estimated
    noise = planes_of(joined)[1]
    np.testing.assert_array_equal(noise[:FIRST], A.noise[:FIRST])
    assert np.median(noise[FIRST:SECOND]) == pytest.approx(1.0, rel=0.1)  # the truth; 99 spaxels tell it to 7 %
    without = splice_cubes([dataclasses.replace(cube, noise=None) for cube in (A, B, C)]).cube
    assert without.noise is None
    assert not without.noise_estimated


def test_a_joint_in_planes_without_data_is_told():
    flux = A.flux.copy()
    flux[FIRST - 2 :] = np.nan
    spoilt = dataclasses.replace(A, flux=flux)
    with pytest.warns(KmosWarning, match=r"a\.fits: no data at 2\.0550 um, next to the joint"):
        result = splice_cubes([spoilt, B, C])
    assert np.isnan(planes_of(result.cube)[0][FIRST - 2 : FIRST]).all()
    flux = np.full_like(A.flux, np.nan)
    with (
        pytest.warns(KmosWarning, match="no data at"),
        pytest.raises(GeometryError, match=r"cannot be matched at 2\.06 um: the ratio of a\.fits and b\.fits is nan"),
    ):
        splice_cubes([dataclasses.replace(A, flux=flux), B, C], parameters=SpliceParameters(level=True))


def test_another_observation_is_told():
    with pytest.warns(KmosWarning, match=r"exposure times differ \(100, 300 s\)"):
        splice_cubes([A, dataclasses.replace(B, exptime=300.0), C])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"wavelength": BASE.wavelength + 0.001 * u.um}, r"wavelength grids differ: .*a\.fits, but .*b\.fits"),
        ({"medium": "air"}, "wavelength grids differ"),
        ({"unit": u.Unit("erg / (s cm2)")}, r"units differ: adu / s in a\.fits"),
        ({"wcs": factories.make_wcs(dec=factories.DEC + 0.01 / 3600)}, r"up to 0\.05 spaxel apart"),
        ({"wcs": factories.make_wcs(rotation_deg=1.0)}, "spaxel apart on the sky; expected the same spaxels"),
        ({"flux": BASE.flux[:, 1:], "noise": None}, r"11 x 9 and 11 x 8 spaxels; expected the same field"),
    ],
)
def test_cubes_of_other_grids_are_refused(change: dict, match: str):
    with pytest.raises(GeometryError, match=match):
        splice_cubes([A, dataclasses.replace(B, **change), C])


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"edges": (1.5, 2.379)}, r"cube 1 of 3 is left without a plane of its own: it has 0 planes"),
        ({"edges": (2.06, 2.6)}, r"cube 3 of 3 is left .* the grid is 1\.9250-2\.4950 um"),
        ({"edges": (2.0601, 2.0602)}, "cube 2 of 3 is left without a plane"),
        ({"fade": 54}, r"cube 1 of 3 is left .* it has 27 planes between its edges, fades take 54"),
        ({"edges": (2.06, 2.07), "fade": 2}, r"cube 2 of 3 is left .* it has 2 planes between its edges"),
    ],
)
def test_edges_and_fades_leave_each_cube_a_plane(parameters: dict, match: str):
    with pytest.raises(GeometryError, match=match):
        splice_cubes([A, B, C], parameters=SpliceParameters(**parameters))


def test_there_is_an_edge_between_each_two_cubes():
    with pytest.raises(KmosError, match=r"cubes: 2, edges: 2\.06, 2\.379 um; expected"):
        splice_cubes([A, B])
    with pytest.raises(KmosError, match="cubes: 0"):
        splice_cubes([])


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"edges": (2.379, 2.06)}, "edges is .* each larger than the one before"),
        ({"edges": (2.06, 2.06)}, "edges is"),
        ({"edges": (2.06, float("nan"))}, "edges is"),
        ({"edges": ()}, "edges is"),
        ({"fade": -1}, "fade is -1, expected zero or more"),
        ({"level_planes": 1}, "level_planes is 1, expected two or more"),
        ({"reference": 4}, "reference is 4, expected 1 to 3"),
        ({"reference": 0}, "reference is 0"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(parameters: dict, match: str):
    with pytest.raises(KmosError, match=match):
        SpliceParameters(**parameters)
