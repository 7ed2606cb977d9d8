"""Figure and table of a sky subtraction."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sky_pairs import make_pair

from napari_kmos.io import write_figure
from napari_kmos.report.sky import band_table, sky_figure
from napari_kmos.sky import SKY_METHODS, subtract_sky


@pytest.fixture(scope="module", params=list(SKY_METHODS))
def result(request):
    pair = make_pair(thermal=(101.0, 100.0), without=("final bit",), sigma=2.0)
    return subtract_sky(pair.target, pair.sky, method=request.param)


def test_figure_shows_spectra_residuals_and_factors(result):
    figure = sky_figure(result)
    spectra, residuals, factors = figure.axes
    assert [line.get_label() for line in spectra.lines] == ["object", "sky model"]
    assert np.array_equal(spectra.lines[1].get_ydata(), result.model_spectrum, equal_nan=True)
    assert np.array_equal(residuals.lines[1].get_ydata(), result.residual_spectrum, equal_nan=True)
    assert np.array_equal(factors.lines[0].get_ydata(), result.scale)
    shown = [text.get_text() for text in factors.texts]
    assert any(text.startswith("9-7\n") for text in shown)
    assert any("final bit" in text for text in shown)
    assert ("(final bit" in "".join(shown)) == (result.method != "plain")  # not fitted: in brackets
    assert result.cube.label in figure.get_suptitle()


def test_figure_without_any_data_in_the_residual_is_drawn(result, tmp_path):
    nothing = np.full(2048, np.nan)
    empty = dataclasses.replace(result, object_spectrum=nothing, cube=dataclasses.replace(result.cube, unit=None))
    assert write_figure(sky_figure(empty), tmp_path / "empty.png").stat().st_size > 1000


def test_table_has_a_row_a_band(result):
    unknown = dataclasses.replace(result, cube=dataclasses.replace(result.cube, ifu=None))
    table = band_table([result, unknown])
    assert table["ifu"].tolist() == [5] * 4 + [-1] * 4
    assert table["band"].tolist() == ["7-5", "8-6", "9-7", "final bit"] * 2
    for name in ("factor", "rms_before", "rms_after", "n_line_pixels", "fitted"):
        expected = [getattr(band, name) for band in result.bands]
        assert np.array_equal(table[name][:4], np.array(expected), equal_nan=name.startswith("rms"))
