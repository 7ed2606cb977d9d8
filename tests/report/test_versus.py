"""The comparison of two subsets as table, text and figure."""

from __future__ import annotations

import numpy as np
import pytest
from factories import make_cube

from napari_kmos.combine import CombineParameters, Versus, combine_cubes
from napari_kmos.report.versus import difference_line, heading, verdict, versus_figure, versus_rows, versus_table

RATIOS = {"measured": 1.4, "propagated": 1.3, "by_number": 1.2}
ONE = dict.fromkeys(RATIOS, 1.0)
STAR = {"id": "WR 102", "ra": 266.4, "dec": -28.9, "snr": (50.0, 99.0, 100.0), "snr_noise": (60.0, 90.0, 120.0)}
TOLD = {
    "target": "gc1",
    "a": {"subset": "half1", "exposures": ["x", "y"], "noise_over_union": RATIOS},
    "b": {"subset": "all", "exposures": ["x", "y", "z"], "noise_over_union": ONE},
    "union": {"subset": "", "exposures": ["x", "y", "z"], "noise_over_union": ONE},
    "n_shared": 2,
    "difference": {"scatter": 1.234, "outstanding": 7, "spaxels": 150},
    "snr_over_union": (0.5, 0.99),
    "snr_noise_over_union": (0.5, 0.75),
    "stars": [STAR],
}


def test_lines():
    assert heading(TOLD) == "gc1: A = half1 (2) against B = all (3); union 3, 2 in both"
    assert verdict(TOLD) == "half1 instead of all: noise +40.0 %, SNR of the stars -33.3 %"
    assert "1.23 times its noise; 7 of 150 spaxels" in difference_line(TOLD)
    assert versus_rows(TOLD)[1] == ("noise, measured", "1.400", "1.000", "1.000")
    assert versus_rows(TOLD)[-1] == ("star WR 102: SNR / measured", "60.0 / 50.0", "90.0 / 99.0", "120.0 / 100.0")


def test_without_stars():
    told = {**TOLD, "stars": [], "snr_over_union": (np.nan, np.nan), "snr_noise_over_union": (np.nan, np.nan)}
    assert verdict(told) == "half1 instead of all: noise +40.0 %"
    assert versus_rows(told)[-1] == ("SNR, measured", "-", "-", "-")
    assert len(versus_table(told)) == 0


def test_table():
    table = versus_table(TOLD)
    assert (table["snr_a"][0], table["snr_noise_union"][0], table["ra"].unit) == (50.0, 120.0, "deg")
    assert table.meta["difference"]["outstanding"] == 7


@pytest.mark.parametrize("with_star", [True, False])
def test_figure(with_star):
    cubes = [make_cube(shape=(12, 13, 15), seed=seed) for seed in range(3)]
    work = Versus(combine_cubes(cubes, parameters=CombineParameters(cmethod="average")))
    found = work.compare([1, 1, 0], [1, 1, 1], stars=None if with_star else ())
    told = TOLD if with_star else {**TOLD, "stars": []}
    figure = versus_figure(found, told)
    figure.draw_without_rendering()
    titles = [axes.get_title() for part in figure.subfigs for axes in part.axes]
    assert "A = half1" in titles
    assert "A - B over its noise" in titles
    assert any("SNR of the stars" in title for title in titles)
