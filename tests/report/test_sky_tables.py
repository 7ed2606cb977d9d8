"""Tables of sky subtractions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sky_pairs import make_pair

from napari_kmos.report.sky_tables import band_table, level_table
from napari_kmos.sky import SKY_METHODS, subtract_sky


@pytest.fixture(scope="module", params=list(SKY_METHODS))
def result(request):
    pair = make_pair(thermal=(101.0, 100.0), without=("final bit",), sigma=2.0)
    return subtract_sky(pair.target, pair.sky, method=request.param)


def test_table_has_a_row_a_band(result):
    unknown = dataclasses.replace(result, cube=dataclasses.replace(result.cube, ifu=None))
    table = band_table([result, unknown])
    assert table["ifu"].tolist() == [5] * 4 + [-1] * 4
    assert table["band"].tolist() == ["7-5", "8-6", "9-7", "final bit"] * 2
    for name in ("factor", "error", "residual_over_noise", "rms_before", "rms_after", "n_line_pixels", "fitted"):
        expected = [getattr(band, name) for band in result.bands]
        may_be_unknown = name.startswith(("rms", "error", "residual"))
        assert np.array_equal(table[name][:4], np.array(expected), equal_nan=may_be_unknown)
    assert [str(table[name].unit) for name in ("start_um", "end_um", "misfit_pix")] == ["um", "um", "pix"]
    assert table["rms_before"].unit == table["rms_after"].unit == result.cube.unit
    assert table["factor"].unit is None


def test_table_has_a_row_a_level(result):
    table = level_table([result])
    assert len(table) == len(result.levels)
    assert (len(table) > 0) == (result.method == "levels")
    assert set(table["ifu"]) <= {5}
    for name in ("v", "n", "f", "factor", "error", "light"):
        assert table[name].tolist() == [getattr(level, name) for level in result.levels]
    assert table["light"].unit == (result.cube.unit if result.levels else None)
