"""Equivalent widths of known features, and the classes they tell."""

from __future__ import annotations

import numpy as np
import pytest
from measure_stars import LIGHT_KMS, K, star_of

from napari_kmos.errors import KmosError
from napari_kmos.measure import INDICES, ClassParameters, Index, IndexDefinition, classify, measure_index
from napari_kmos.simulate.templates import absorption

CONTINUUM = 50 * (1 + 0.3 * (K - 2.2))
BOX = IndexDefinition(name="box", feature=(2.20, 2.21), continuum=((2.18, 2.195), (2.215, 2.23)))


def box(depth: float, kms: float = 0.0) -> np.ndarray:
    return np.where((K / (1 + kms / LIGHT_KMS) > 2.202) & (K / (1 + kms / LIGHT_KMS) < 2.208), 1 - depth, 1) * CONTINUUM


def test_width_and_its_error():
    rng = np.random.default_rng(2)
    found = [measure_index(star_of(box(0.5) + rng.standard_normal(K.size), np.ones(K.size)), BOX) for _ in range(200)]

    widths = np.array([one.width_aa for one in found])
    # Half of 60 Angstrom, to a plane of 2.8.
    assert widths.mean() == pytest.approx(30, abs=1.5)
    assert widths.std() / np.mean([one.err_aa for one in found]) == pytest.approx(1, abs=0.15)
    assert np.mean([one.depth for one in found]) == pytest.approx(widths.mean() / 100)
    assert found[0].significance == pytest.approx(found[0].width_aa / found[0].err_aa)


def test_ranges_move_with_the_star_and_noise_may_be_unknown():
    rng = np.random.default_rng(3)
    flux = box(0.5, 300) + rng.standard_normal(K.size)

    moved = measure_index(star_of(flux, np.ones(K.size)), BOX, velocity_kms=300)
    plain = measure_index(star_of(flux), BOX, velocity_kms=300)

    assert moved.width_aa == pytest.approx(30, abs=2.5)
    assert plain.width_aa == pytest.approx(moved.width_aa, abs=0.1)
    # 107 points of continuum tell the noise to 7 %.
    assert plain.err_aa == pytest.approx(moved.err_aa, rel=0.2)


def test_gaps_are_bridged_or_told():
    flux = box(0.5)
    flux[np.abs(K - 2.2045) < 0.0006] = np.nan
    few, many = star_of(flux, np.ones(K.size)), star_of(np.where(np.abs(K - 2.205) < 0.002, np.nan, flux))

    assert measure_index(few, BOX).width_aa == pytest.approx(30, rel=0.12)
    assert "too few planes" in measure_index(many, BOX).reason
    far = IndexDefinition(name="far", feature=(2.6, 2.7), continuum=((2.2, 2.3),))
    assert measure_index(few, far).reason == "2.6-2.7 um lies outside the spectrum"
    assert "continuum is not positive" in measure_index(star_of(-CONTINUUM, np.ones(K.size)), BOX).reason


@pytest.mark.parametrize("kind", ["late", "early"])
def test_classes_of_simulated_stars(kind: str):
    rng = np.random.default_rng(4)
    star = star_of(50 * (1 - absorption(kind, K)) + rng.standard_normal(K.size), np.ones(K.size))

    category, why = classify({name: measure_index(star, one) for name, one in INDICES.items()})

    assert category == kind
    assert why.startswith("CO ")


@pytest.mark.parametrize(
    ("co", "br_gamma", "category", "why"),
    [
        ((15, 1), (0, 1), "late", "CO 15.0 +- 1.0 A"),
        ((15, 8), (5, 1), "unknown", "neither seen nor missing"),
        ((0, 1), (5, 1), "early", "Br gamma 5.0 +- 1.0 A"),
        ((0, 1), (-5, 1), "unknown", "in emission"),
        ((0, 1), (1, 1), "unknown", "Br gamma 1.0"),
        ((np.nan, np.nan), (5, 1), "unknown", "CO: no error"),
    ],
)
def test_class_by_widths(co: tuple, br_gamma: tuple, category: str, why: str):
    widths = {"CO": co, "Br gamma": br_gamma}
    indices = {name: Index(name=name, width_aa=width, err_aa=error) for name, (width, error) in widths.items()}

    assert classify(indices)[0] == category
    assert why in classify(indices)[1]


def test_class_without_a_band():
    assert classify({}) == ("unknown", "CO: not measured")
    with pytest.raises(KmosError, match="min_sigma 0"):
        ClassParameters(min_sigma=0)
