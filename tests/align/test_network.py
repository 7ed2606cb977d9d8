"""Positions from pairs: all of them count, wrong ones do not."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from napari_kmos.align.network import Tie, solve_network

TRUTH = np.array([(0.0, 0.0), (0.31, -0.22), (-0.4, 0.15), (0.05, 0.6), (-0.27, -0.33)])
ERROR = 0.01


def ties(rng, *, own=0.0, pair=ERROR, wrong=()):
    """Ties of all pairs, with errors of the exposures and of the pairs; wrong ones are believed less."""
    places = TRUTH + own * rng.standard_normal(TRUTH.shape)
    found = []
    for first, second in combinations(range(len(TRUTH)), 2):
        is_wrong = (first, second) in wrong
        shift = places[second] - places[first] + pair * rng.standard_normal(2) + 0.7 * is_wrong
        err = np.hypot(pair, np.sqrt(2) * own)
        found.append(
            Tie(first=first, second=second, shift=tuple(shift), err_arcsec=err, weight=8.0 if is_wrong else 15.0)
        )
    return found


def test_all_pairs_are_better_than_those_of_the_reference_alone():
    rng = np.random.default_rng(1)
    misses = [
        solve_network(5, ties(rng), references=[0], agreement_arcsec=0.1).offsets[1:] - TRUTH[1:] for _ in range(200)
    ]
    # 5 exposures: the variance of a difference is 2 / 5 of that of one pair
    assert np.std(misses) == pytest.approx(ERROR * np.sqrt(0.4), rel=0.06)


@pytest.mark.parametrize(("own", "pair"), [(0.0, 0.01), (0.01, 0.001), (0.007, 0.01)])
def test_errors_are_right_whether_exposures_or_pairs_have_them(own, pair):
    rng = np.random.default_rng(2)
    pulls = []
    for _ in range(200):
        network = solve_network(5, ties(rng, own=own, pair=pair), references=[0], agreement_arcsec=0.1)
        pulls.append((network.offsets[1:] - TRUTH[1:]) / network.err_arcsec[1:, None])
    # what is seen of few loops scatters itself, and half of the variance is always thought to be that of the exposures
    assert 0.6 < np.sqrt(np.mean(np.square(pulls))) < 1.2


def test_wrong_pairs_are_left_out():
    wrong = {(0, 1), (2, 4), (1, 3)}
    network = solve_network(5, ties(np.random.default_rng(3), wrong=wrong), references=[0], agreement_arcsec=0.1)
    kept = {pair for pair, used in zip(combinations(range(5), 2), network.is_used, strict=True) if used}
    assert kept == set(combinations(range(5), 2)) - wrong
    assert network.offsets == pytest.approx(TRUTH, abs=0.03)


def test_chains_reach_and_islands_do_not():
    chain = [
        Tie(first=0, second=1, shift=(0.1, 0.0), err_arcsec=0.01, weight=9.0),
        Tie(first=2, second=1, shift=(-0.2, 0.1), err_arcsec=0.01, weight=9.0),
        Tie(first=3, second=4, shift=(0.3, 0.3), err_arcsec=0.01, weight=9.0),
    ]
    network = solve_network(5, chain, references=[0], agreement_arcsec=0.1)
    assert network.offsets[:3] == pytest.approx(np.array([(0, 0), (0.1, 0.0), (0.3, -0.1)]), abs=1e-9)
    assert np.isnan(network.offsets[3:]).all()
    assert np.isnan(network.err_arcsec[3:]).all()
    assert network.err_arcsec[2] > network.err_arcsec[1] > network.err_arcsec[0] == 0


def test_nothing_is_tied():
    network = solve_network(2, [], references=[1], agreement_arcsec=0.1)
    assert np.isnan(network.offsets[0]).all()
    assert tuple(network.offsets[1]) == (0, 0)


def test_a_reference_that_is_worse_than_the_others_makes_all_offsets_as_uncertain():
    rng = np.random.default_rng(4)
    own = np.array([0.03, 0.005, 0.005, 0.005, 0.005])
    pulls, errors = [], []
    for _ in range(300):
        places = TRUTH + own[:, None] * rng.standard_normal(TRUTH.shape)
        found = [
            Tie(first=a, second=b, shift=tuple(places[b] - places[a]), err_arcsec=np.hypot(own[a], own[b]), weight=9.0)
            for a, b in combinations(range(len(TRUTH)), 2)
        ]
        network = solve_network(5, found, references=[0], agreement_arcsec=0.1)
        pulls.append((network.offsets[1:] - TRUTH[1:]) / network.err_arcsec[1:, None])
        errors.append(network.err_arcsec)
    # little can be seen of the scatter of ten ties, which is nothing here
    assert 0.9 < np.sqrt(np.mean(np.square(pulls))) < 1.2
    assert np.mean(errors, axis=0)[1:] == pytest.approx(0.0304, rel=0.1)


def test_references_that_are_tied_share_the_zero_and_headers_say_it_where_there_is_none():
    chain = [
        Tie(first=0, second=1, shift=(0.1, 0.0), err_arcsec=0.01, weight=9.0),
        Tie(first=1, second=2, shift=(0.3, -0.2), err_arcsec=0.01, weight=9.0),
        Tie(first=3, second=4, shift=(0.3, 0.4), err_arcsec=0.01, weight=9.0),
    ]
    network = solve_network(6, chain, references=[0, 2, 5], agreement_arcsec=0.1, header_arcsec=0.25)
    expected = [(-0.2, 0.1), (-0.1, 0.1), (0.2, -0.1), (-0.15, -0.2), (0.15, 0.2), (0, 0)]
    assert network.offsets == pytest.approx(np.array(expected), abs=1e-9)
    # the two that no reference is tied to have the mean of two headers
    assert network.err_arcsec[3:5] == pytest.approx(0.25 / np.sqrt(2), rel=0.01)
    assert 0 < network.err_arcsec[:3].max() < 0.02
    # a reference that is not tied to the others is as wrong as its header
    assert network.err_arcsec[5] == 0.25
    assert list(network.is_tied) == [True, True, True, False, False, True]
    assert list(network.is_placed) == [True, True, True, False, False, False]
