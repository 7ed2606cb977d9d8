"""Table, text and figure of a comparison of methods."""

from __future__ import annotations

import numpy as np
import pytest
from sky_pairs import make_pair

from napari_kmos.report.sky_comparison import comparison_figure, comparison_rows, comparison_table, comparison_text
from napari_kmos.sky.comparison import compare_methods


@pytest.fixture(scope="module")
def comparison():
    pair = make_pair(shift=0.1, sigma=2.0)
    return compare_methods(pair.target, [(pair.sky, 1.0)], methods=("plain", "davies"))


def test_table_has_a_row_a_method(comparison):
    rows = comparison_rows(comparison)
    table = comparison_table([*rows, {**rows[0], "ifu": None}], comparison.cube.unit)
    assert table["ifu"].tolist() == [5, 5, -1]
    assert table["method"].tolist() == ["plain", "davies", "plain"]
    assert table["mean"][:2].tolist() == [score.mean for score in comparison.scores]
    assert [str(table[name].unit) for name in ("shift_pix", "seconds")] == ["pix", "s"]
    assert table["rms_before"].unit == table["rms_after"].unit == comparison.cube.unit


def test_text_has_a_line_a_method_and_the_median_of_several_ifus(comparison):
    rows = comparison_rows(comparison)
    lines = comparison_text(rows).splitlines()
    assert lines[0].split() == [
        "ifu",
        "method",
        "per_spaxel",
        "mean",
        "rms_before",
        "rms_after",
        "shift_pix",
        "seconds",
    ]
    assert [line.split()[:2] for line in lines[1:]] == [["5", "plain"], ["5", "davies"]]
    assert lines[1].split()[3] == f"{comparison.scores[0].mean:.2f}"
    both = [*rows, *({**row, "ifu": None, "mean": row["mean"] + 2, "note": "a note"} for row in rows)]
    lines = comparison_text(both).splitlines()
    assert lines[3].endswith("  a note")
    assert [line.split()[:2] for line in lines[5:]] == [["median", "plain"], ["median", "davies"]]
    assert lines[5].split()[3] == f"{comparison.scores[0].mean + 1:.2f}"


def test_figure_has_a_panel_a_method_at_the_same_scale(comparison):
    figure = comparison_figure(comparison)
    _, *panels = figure.axes
    assert [axes.get_title(loc="left").partition(":")[0] for axes in panels] == ["plain", "davies"]
    for axes, score in zip(panels, comparison.scores, strict=True):
        assert np.array_equal(axes.lines[0].get_ydata(), score.spectrum, equal_nan=True)
        assert f"{score.mean:.2f} in the mean" in axes.get_title(loc="left")
    assert panels[0].get_ylim() == panels[1].get_ylim()
