"""Figure of a sky subtraction."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sky_pairs import N_PLANES, make_pair

from napari_kmos.errors import KmosWarning
from napari_kmos.io import write_figure
from napari_kmos.report.sky import sky_figure
from napari_kmos.sky import SKY_METHODS, SkyParameters, subtract_sky
from napari_kmos.sky.views import line_marks


@pytest.fixture(scope="module", params=list(SKY_METHODS))
def result(request):
    pair = make_pair(thermal=(101.0, 100.0), without=("final bit",), sigma=2.0)
    return subtract_sky(pair.target, pair.sky, method=request.param)


def panels(figure):
    """The axes by the beginning of their label or title."""
    return {(axes.get_ylabel() or axes.get_title()).replace("\n", " ").partition(" (")[0]: axes for axes in figure.axes}


def test_figure_shows_spectra_residuals_and_factors(result):
    figure = sky_figure(result)
    shown = panels(figure)
    spectra, residuals, factors = (shown[name] for name in ("mean flux", "residual without continuum, stars", FACTORS))
    assert [line.get_label() for line in spectra.lines] == ["object", "sky model"]
    assert np.array_equal(spectra.lines[1].get_ydata(), result.model_spectrum, equal_nan=True)
    assert np.array_equal(residuals.lines[0].get_ydata(), result.left_spectrum_before, equal_nan=True)
    assert np.array_equal(residuals.lines[1].get_ydata(), result.left_spectrum, equal_nan=True)
    assert np.array_equal(factors.lines[0].get_ydata()[result.line_mask], result.scale[result.line_mask])
    texts = [text.get_text() for text in factors.texts]
    assert any(text.startswith("9-7\n") for text in texts)
    assert any("final bit" in text for text in texts)
    assert ("(final bit" in "".join(texts)) == (result.method != "plain")  # not fitted: in brackets
    assert result.cube.label in figure.texts[0].get_text()


FACTORS = "factor of the lines"


def test_figure_marks_line_groups_and_tells_residual_over_noise_by_band(result):
    shown = panels(sky_figure(result))
    marks = line_marks(result.cube)
    assert {text.get_text() for text in shown["bright lines"].texts} == {mark.name for mark in marks}
    places = [path.vertices[0, 0] for lines in shown["bright lines"].collections for path in lines.get_paths()]
    assert sorted(places) == sorted(np.concatenate([mark.wavelength_um for mark in marks]))
    known = [band for band in result.bands if np.isfinite(band.residual_over_noise)]
    bars = shown["residual over noise"].patches[-len(known) :]
    assert [bar.get_height() for bar in bars] == [band.residual_over_noise for band in known]


def test_figure_tells_where_lines_lie_beside_those_of_the_model():
    pair = make_pair(shift=0.5 * np.linspace(-1, 1, N_PLANES), sigma=2.0)
    beside, stretched = (
        subtract_sky(pair.target, pair.sky, method="davies", parameters=SkyParameters(stretch=stretch, misfit_gain=1))
        for stretch in (False, True)
    )
    band = {band.name: band for band in beside.bands}["9-7"]
    texts = [text.get_text() for text in panels(sky_figure(beside))["residual over noise"].texts]
    assert f"{band.residual_over_noise:.2f}\nlines {band.misfit_pix:+.2f} pix" in texts
    assert not any("lines" in text.get_text() for text in panels(sky_figure(stretched))["residual over noise"].texts)
    assert " to " not in sky_figure(beside).texts[0].get_text().partition("pix")[0]
    least, most = stretched.shift_range_pix
    assert f"({least:+.3f} to {most:+.3f}) pix" in sky_figure(stretched).texts[0].get_text()


def test_figure_shows_the_field_before_and_after_with_the_same_stretch(result):
    shown = panels(sky_figure(result))
    before, after = (shown[name].images[0] for name in ("object - sky", "object - model"))
    assert np.array_equal(np.ma.filled(before.get_array(), np.nan), result.images.white_before, equal_nan=True)
    assert np.array_equal(np.ma.filled(after.get_array(), np.nan), result.images.white_after, equal_nan=True)
    assert before.get_clim() == after.get_clim()


def test_figure_shows_the_factors_of_levels_where_there_are_any(result):
    shown = panels(sky_figure(result))
    assert ("factor of the level" in shown) == bool(result.levels)
    if result.levels:
        drawn = np.concatenate(
            [line.get_ydata() for line in shown["factor of the level"].lines if line.get_marker() == "."]
        )
        assert sorted(drawn) == sorted(level.factor for level in result.levels if level.v >= 0)


def test_figure_without_any_data_in_the_residual_is_drawn(result, tmp_path):
    nothing = np.full(2048, np.nan)
    empty = dataclasses.replace(
        result,
        object_spectrum=nothing,
        left_spectrum=nothing,
        error_spectrum=nothing,
        images=dataclasses.replace(
            result.images, left_before=np.full((9, 11), np.nan), left_after=np.full((9, 11), np.nan)
        ),
        cube=dataclasses.replace(result.cube, unit=None),
    )
    assert write_figure(sky_figure(empty), tmp_path / "empty.png").stat().st_size > 1000


def test_figure_of_a_sky_without_lines_says_that_davies_stands_in(tmp_path):
    pair = make_pair(without=("7-5", "8-6", "9-7", "final bit"), sigma=2.0)
    with pytest.warns(KmosWarning) as warned:
        result = subtract_sky(pair.target, pair.sky, method="levels")
    assert any("davies is used instead" in str(warning.message) for warning in warned)
    figure = sky_figure(result)
    assert result.note in [text.get_text() for text in figure.texts]
    assert write_figure(figure, tmp_path / "failed.png").stat().st_size > 1000
