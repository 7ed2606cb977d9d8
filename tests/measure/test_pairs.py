"""Two spectra of a star: their ratio is found where both are noisy."""

from __future__ import annotations

import numpy as np
import pytest
from measure_stars import DEC, RA, K, star_of

from napari_kmos.measure import barycentric_correction, compare_pair

FLUX = 50 * (1 + 0.3 * np.sin(20 * K))


def test_ratio_and_its_error():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(100):
        first, second = FLUX + 5 * rng.standard_normal(K.size), 1.5 * FLUX + 10 * rng.standard_normal(K.size)
        found.append(compare_pair(star_of(first, np.full(K.size, 5.0)), star_of(second, np.full(K.size, 10.0))))

    pulls = np.array([(one.ratio - 1.5) / one.ratio_err for one in found])
    # 100 pulls: mean to 0.1, scatter to 0.07.
    assert abs(pulls.mean()) < 0.35
    assert pulls.std() == pytest.approx(1, abs=0.22)
    assert np.mean([one.chi2 for one in found]) == pytest.approx(1, abs=0.02)


def test_other_planes_gaps_and_places():
    finer = np.linspace(2.0, 2.3, 3000)
    second = 2 * np.interp(finer, K, FLUX)
    second[100] = np.nan

    found = compare_pair(star_of(FLUX), star_of(second, wave=finer, ra=RA, dec=DEC + 1 / 3600))

    assert found.ratio == pytest.approx(2, rel=1e-5)
    assert np.isnan(found.ratio_err)
    assert found.n_points == pytest.approx(0.3 / (K[1] - K[0]), abs=4)
    assert found.separation_arcsec == pytest.approx(1)
    assert np.isnan(compare_pair(star_of(FLUX), star_of(second, wave=finer + 1)).ratio)


def test_epochs_are_moved_by_the_earth():
    """The telescope moves towards the star by the correction: its lines lie to the blue by that."""
    dates = (58000.3, 58182.9)
    first, second = (star_of(FLUX, mjd=mjd, exptime=600.0) for mjd in dates)

    found = compare_pair(first, second)

    one, other = (barycentric_correction(RA, DEC, mjd + 300 / 86400) for mjd in dates)
    assert found.shift_kms == pytest.approx(one - other, abs=1e-6)
    assert abs(found.shift_kms) > 40
    assert np.isnan(compare_pair(first, star_of(FLUX)).shift_kms)
