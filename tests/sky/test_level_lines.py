"""Parts of the method `levels` on lines that are known: where they lie, and light whose level is in doubt."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import ndtr

from napari_kmos.instrument import BANDS
from napari_kmos.sky import SkyParameters
from napari_kmos.sky._comb import Comb, LineSpread
from napari_kmos.sky._level_doubt import doubtful_light
from napari_kmos.sky._level_groups import LevelGroups, find_groups
from napari_kmos.sky._level_lines import measure_lines
from napari_kmos.sky._level_model import LevelModel

N_PLANES, FWHM = 2048, 2.0
PARAMETERS = SkyParameters()


def _spectrum(groups):
    """Gaussians, integrated over planes."""
    edge = np.arange(N_PLANES + 1) - 0.5
    return np.diff(ndtr((edge[:, None] - groups.position_pix) / (FWHM / 2.3548)), axis=0) @ groups.strength


def test_lines_of_a_wrong_list_are_found_in_the_sky():
    """All 1.3 planes off, each 0.3 more and 30 % in strength, rms: bright lines that stand alone to 0.02 and 3 %.

    Noise alone gives those, of 100 sigma and more, 0.01 planes; neighbours of 1 % of their light as much again.
    """
    rng = np.random.default_rng(3)
    band = BANDS["K"]
    listed = find_groups(np.linspace(band.start_um, band.end_um, N_PLANES), 7, 1e-4)
    n_lines = listed.strength.size
    listed = dataclasses.replace(listed, strength=2000 * listed.strength / listed.strength.max())
    true = dataclasses.replace(
        listed,
        position_pix=listed.position_pix + 1.3 + rng.normal(0, 0.3, n_lines),
        strength=listed.strength * np.exp(rng.normal(0, 0.3, n_lines)),
    )
    spectrum = _spectrum(true) + rng.standard_normal(N_PLANES)

    found = measure_lines(listed, spectrum, np.ones(N_PLANES), FWHM, PARAMETERS)

    distance = np.abs(true.position_pix[:, None] - true.position_pix)
    others = (distance < 6) & (true.strength > 0.01 * true.strength[:, None])
    alone = (others.sum(axis=1) == 1) & (true.strength > 200) & (np.abs(true.position_pix - 1024) < 1000)
    assert np.count_nonzero(alone) > 10
    assert found.position_pix[alone] == pytest.approx(true.position_pix[alone], abs=0.02)
    assert found.strength[alone] == pytest.approx(true.strength[alone], rel=0.03)


def test_light_of_a_blend_of_levels_with_different_factors_is_in_doubt():
    """Two lines as bright in one place, of factors 1.2 and 0.8: 20 % of their light.

    A line alone: 0.5 % at most, as its far wings may be light of no known line.
    """
    groups = LevelGroups(
        v=np.array([8, 7, -1]),
        n=np.array([1, 1, 0]),
        f=np.array([1, 1, 0]),
        band=np.zeros(200, dtype=int),
        position_pix=np.array([60.0, 60.0, 130.0]),
        strength=np.array([500.0, 500.0, 1000.0]),
        group=np.array([0, 1, 0]),
    )
    spread = LineSpread(200, PARAMETERS.comb_cells, PARAMETERS.comb_reach)
    light = groups.light(spread, PARAMETERS.comb_blur)
    model = LevelModel(
        Comb(spread, light, FWHM, np.zeros(200)), groups.shares(spread, PARAMETERS.label_sigma, PARAMETERS), 1.0
    )
    fit = SimpleNamespace(factors=np.log([1.2, 0.8, 1.0]))

    found = np.asarray(doubtful_light(groups, model, fit, np.ones(200), PARAMETERS).sum(axis=1)).ravel()

    near = [np.abs(spread.position - place) < 5 for place in (60, 130)]
    assert found[near[0]].sum() == pytest.approx(0.2 * light[near[0]].sum(), rel=0.01)
    assert found[near[1]].sum() < 5e-3 * light[near[1]].sum()
    assert doubtful_light(groups, model, fit, np.full(200, np.inf), PARAMETERS).shape == (light.size, 0)
