"""All methods on one IFU, measured on the same spaxels, planes and voxels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sky_pairs import N_PLANES, SHAPE, make_pair

from napari_kmos.errors import KmosWarning, SkyError
from napari_kmos.sky import SKY_METHODS
from napari_kmos.sky.comparison import compare_methods

ONES = (1.0, 1.0, 1.0, 1.0)


def scores_of(target, sky, **options):
    return {score.method: score for score in compare_methods(target, [(sky, 1.0)], **options).scores}


@pytest.fixture(scope="module")
def unchanged():
    """Scores where the sky has not changed: independent noise of object and sky is all that plain leaves."""
    pair = make_pair(factors=ONES, sigma=2.0)
    return pair, scores_of(pair.target, pair.sky)


@pytest.fixture(scope="module")
def changed():
    pair = make_pair(shift=0.1, sigma=2.0)
    return pair, compare_methods(pair.target, [(pair.sky, 1.0)])


def test_unchanged_sky_leaves_the_noise_of_object_and_sky(unchanged):
    _, scores = unchanged
    # 36 spaxels on some 300 line pixels tell the scatter to 1 %; the running median takes 1 to 2 % of it
    assert scores["plain"].per_spaxel == pytest.approx(np.sqrt(2), rel=0.04)
    assert scores["plain"].mean == pytest.approx(np.sqrt(2), rel=0.15)
    assert scores["plain"].rms_after == pytest.approx(scores["plain"].mean * 2.0 / 6.0, rel=1e-3)  # sigma of 36 spaxels
    assert scores["levels"].per_spaxel == pytest.approx(1.0, rel=0.04)  # the sky is modelled, not subtracted


def test_changed_sky_is_told_by_plain_and_matched_by_the_others(changed):
    _, comparison = changed
    scores = {score.method: score for score in comparison.scores}
    assert list(scores) == list(SKY_METHODS)
    assert scores["plain"].rms_before == scores["davies"].rms_before
    assert scores["plain"].rms_after == pytest.approx(scores["plain"].rms_before, rel=1e-6)  # a cube has float32
    assert scores["plain"].mean > 3 * scores["davies"].mean
    assert scores["levels"].mean < 2
    assert scores["levels"].shift_pix == pytest.approx(0.1, abs=0.01)
    assert all(score.seconds > 0 for score in comparison.scores)


def test_left_of_plain_is_the_change_of_the_lines(changed):
    _, comparison = changed
    truth = np.asarray(make_pair(shift=0.1).target.flux, float) - np.asarray(make_pair().sky.flux, float)
    expected = truth[:, comparison.dark].mean(axis=1)
    expected -= np.median(expected)
    plain = comparison.scores[0].spectrum
    inside = comparison.lines
    # what a line leaves is seen unchanged in the mean of 36 spaxels, besides their noise and the running median
    assert np.corrcoef(plain[inside], expected[inside])[0, 1] > 0.99
    assert plain[inside].std() == pytest.approx(expected[inside].std(), rel=0.05)


def test_spaxels_are_the_darkest_and_ends_are_left_out(changed):
    pair, comparison = changed
    assert np.count_nonzero(comparison.dark) == 36
    light = np.median(np.asarray(pair.target.flux, float) - np.asarray(pair.sky.flux, float), axis=0)
    assert light[comparison.dark].max() <= light[~comparison.dark].min()
    assert not comparison.lines[:25].any()
    assert not comparison.lines[-25:].any()
    assert comparison.error[comparison.lines] == pytest.approx(2.0 / 6.0)


def test_features_of_stars_in_dark_spaxels_do_not_count(unchanged):
    pair, scores = unchanged
    planes = np.arange(N_PLANES)
    feature = 1 - 0.5 * np.exp(-0.5 * (((planes % 160) - 80) / 12) ** 2)
    # the right part has stars, whose wings reach all spaxels: features of 7 sigma in the mean, of which the running
    # median takes some; without the fit the mean would be 1.5 times as large
    column = np.arange(SHAPE[1])
    light = np.where(column > 5, 30.0 * (column - 5), 4.8) * np.ones(SHAPE)
    starry = dataclasses.replace(pair.target, flux=np.asarray(pair.target.flux) + feature[:, None, None] * light)
    found = scores_of(starry, pair.sky, methods=("plain",))["plain"]
    assert found.mean == pytest.approx(scores["plain"].mean, rel=0.15)
    assert found.per_spaxel == pytest.approx(scores["plain"].per_spaxel, rel=0.03)


def test_a_bad_voxel_does_not_count(unchanged):
    pair, scores = unchanged
    flux = np.asarray(pair.target.flux).copy()
    flux[::50] += np.where(np.arange(SHAPE[1]) == 3, 1e4, 0.0).astype(np.float32)
    found = scores_of(dataclasses.replace(pair.target, flux=flux), pair.sky, methods=("plain",))["plain"]
    assert found.mean == pytest.approx(scores["plain"].mean, rel=0.1)


def test_a_method_that_stands_in_is_named():
    pair = make_pair(factors=ONES, sigma=2.0, without=("8-6", "9-7", "final bit"))
    sky = dataclasses.replace(pair.sky, noise=1e4 * np.asarray(pair.sky.noise))  # no line stands out of such a noise
    with pytest.warns(KmosWarning, match="davies is used instead"):
        scores = scores_of(pair.target, sky, methods=("levels",))
    assert scores["levels"].note.startswith("davies instead of levels")


def test_sky_without_lines_is_refused():
    pair = make_pair()
    flat = dataclasses.replace(pair.sky, flux=np.full_like(np.asarray(pair.sky.flux), 5.0))
    with pytest.raises(SkyError, match="the sky has no lines on which methods could be compared"):
        scores_of(pair.target, flat, methods=("plain",))
