"""Spectra as they are looked at: what is done to them is what was asked for, and the figure shows that."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from measure_stars import K, star_of

from napari_kmos.errors import KmosError
from napari_kmos.io import read_line_list, write_figure
from napari_kmos.measure import ContinuumParameters
from napari_kmos.measure.line_window import fit_window
from napari_kmos.report.traces import Continuum, Look, Sourced, difference, fit_trace, prepare_traces
from napari_kmos.report.traces_figure import banded, traces_figure
from napari_kmos.spectral.lines import vacuum_to_air
from napari_kmos.spectral.sky_ranges import airglow_ranges
from napari_kmos.spectral.windows import in_windows
from napari_kmos.spectrum import SpectralLine

DIP_UM, WIDTH_UM, SIGMA_UM = 2.20, 0.0012, 0.0006
WINDOW = (2.19, 2.21)


def star(name: str = "a", *, level: float = 50.0, sigma: float = 1.0, seed: int = 1, **facts: object) -> Sourced:
    """A slope with a line of a known equivalent width."""
    depth = WIDTH_UM / (np.sqrt(2 * np.pi) * SIGMA_UM) * np.exp(-0.5 * ((K - DIP_UM) / SIGMA_UM) ** 2)
    flux = level * (1 + 0.5 * (K - 2.2)) * (1 - depth)
    noise = np.full(K.size, sigma)
    flux += sigma * np.random.default_rng(seed).standard_normal(K.size)
    return Sourced(spectrum=star_of(flux, noise, name=name, **facts), source=f"{name}{seed}.fits")


def test_what_is_not_asked_for_is_not_done():
    one = star()
    traces = prepare_traces([one])
    np.testing.assert_array_equal(traces.spectra[0].flux, one.spectrum.flux)
    np.testing.assert_array_equal(traces.spectra[0].wavelength_um, K)
    assert (traces.label, traces.notes, traces.differences) == ("flux", (), ())


def test_each_star_is_normalised_in_its_own_windows():
    spoiled = star("b")
    bright = in_windows(K, [(2.3, 2.5)])
    spoiled.spectrum.flux[bright] += 40.0
    windows = {"b": Continuum(windows=((1.93, 2.18), (2.22, 2.29)), parameters=ContinuumParameters(degree=1))}
    traces = prepare_traces([star(), spoiled], look=Look(normalised=True), continua=windows)
    for trace in traces.spectra:
        beside = in_windows(K, [(2.1, 2.19)])
        # 300 planes of SNR 50: the median is known to 0.0015
        assert np.median(trace.flux[beside]) == pytest.approx(1, abs=0.006)
    assert np.median(traces.spectra[1].flux[bright]) > 1.6
    assert traces.label == "flux / continuum"


def test_where_the_windows_of_one_star_change_the_others_stay_as_they_are():
    given, look = [star(), star("b")], Look(normalised=True)
    first = prepare_traces(given, look=look)
    again = prepare_traces(given, look=look, continua={"b": Continuum(windows=((2.0, 2.1),))})
    assert again.spectra[0].flux is first.spectra[0].flux
    assert np.nanmax(np.abs(again.spectra[1].flux - first.spectra[1].flux)) > 0


def test_a_star_without_continuum_is_told_and_the_rest_goes_on():
    empty = star("b")
    empty.spectrum.mask[:] = True
    empty.spectrum.flux[:] = np.nan
    traces = prepare_traces([empty, star()], look=Look(normalised=True, arrangement="stack"))
    assert [trace.id for trace in traces.spectra] == ["a"]
    assert "no continuum" in traces.notes[0]


def test_what_has_no_positive_continuum_is_told():
    traces = prepare_traces([star("a", level=-5.0), star()], look=Look(normalised=True))
    assert [trace.place for trace in traces.spectra] == [1]  # the others keep their colours
    assert "its continuum is nowhere positive" in traces.notes[0]


def test_two_epochs_are_named_by_their_folders_and_keep_their_colours():
    epochs = [Sourced(spectrum=star(name).spectrum, source=f"{year}/{name}.fits") for year in (1, 2) for name in "ab"]
    traces = prepare_traces(epochs, look=Look(compared=True))
    assert [trace.name for trace in traces.spectra] == ["a, 1", "b, 1", "a, 2", "b, 2"]
    seen = Sourced(spectrum=epochs[0].spectrum, source="as seen")
    assert [trace.name for trace in prepare_traces([epochs[0], seen], look=Look()).spectra] == ["a, 1", "a, as seen"]
    assert [(trace.name, trace.place) for trace in traces.differences] == [("a, 1 - 2", 0), ("b, 1 - 2", 1)]
    assert banded(traces.spectra, ()) == (0, 2)
    figure = traces_figure(traces, look=Look())
    figure.draw_without_rendering()
    for axes, first in zip(figure.axes, (0, 0), strict=True):
        box = axes.get_legend().get_window_extent()
        assert box.x0 >= axes.get_window_extent().x1  # beside what is drawn
        assert figure.bbox.x1 >= box.x1
        assert axes.lines[first].get_color() == "C0"


def test_gaps_at_airglow_and_smoothing_by_variance():
    one = star()
    spike = 700
    one.spectrum.flux[spike], one.spectrum.noise[spike] = 5000.0, 1e4
    (trace,) = prepare_traces([one], look=Look(without_airglow=True, smooth_fwhm_pix=5)).spectra
    gaps = in_windows(K, airglow_ranges(K[0], K[-1]))
    np.testing.assert_array_equal(np.isnan(trace.flux), gaps)
    assert 0.05 < gaps.mean() < 0.5
    around = np.arange(spike - 12, spike + 13)
    known = around[np.isfinite(trace.flux[around])]
    # what the spike weighs is 1e-8 of its neighbours; 5 planes of noise 1
    np.testing.assert_allclose(trace.flux[known], 50 * (1 + 0.5 * (K[known] - 2.2)), atol=2.5)


def test_spectra_are_stacked_by_how_far_they_reach():
    traces = prepare_traces([star(seed=seed) for seed in (1, 2, 3)], look=Look(arrangement="stack", spacing=2))
    levels = [trace.level for trace in traces.spectra]
    assert levels[0] == 0
    assert np.diff(levels) == pytest.approx(levels[1])
    low, high = np.percentile(star().spectrum.flux, [2, 98])
    assert levels[1] == pytest.approx(2 * (high - low), rel=0.05)


def test_in_a_stack_stars_of_other_fluxes_lie_above_each_other_too():
    given = [star("faint", level=2.0, sigma=0.1), star("bright", level=500.0), star("b", level=30.0, seed=2)]
    traces = prepare_traces(given, look=Look(arrangement="stack"))
    reaches = [np.percentile(trace.flux, [2, 98]) for trace in traces.spectra]
    assert traces.spectra[0].level == 0
    for (_, top), (bottom, _) in pairwise(reaches):
        assert bottom == pytest.approx(top, abs=1e-6)
    for one, trace in zip(given, traces.spectra, strict=True):
        np.testing.assert_allclose(trace.flux - trace.level, one.spectrum.flux, atol=1e-9)


def test_spectra_of_one_star_are_compared_and_named_by_their_files():
    first, second, other = star(seed=1), star(seed=2, level=40.0), star("b")
    traces = prepare_traces([first, other, second], look=Look(compared=True, arrangement="stack"))
    assert [trace.name for trace in traces.spectra] == ["a, a1.fits", "b", "a, a2.fits"]
    (left,) = traces.differences
    expected = first.spectrum.flux - second.spectrum.flux
    np.testing.assert_allclose(left.flux, expected, atol=1e-9)
    np.testing.assert_allclose(left.noise, np.sqrt(2))


def test_a_difference_ends_where_one_of_them_does():
    (first,) = prepare_traces([star()]).spectra
    short = dataclasses.replace(
        first, **{name: getattr(first, name)[100:-50] for name in ("wavelength_um", "flux", "noise", "continuum")}
    )
    left = difference(first, short)
    assert np.isnan(left.flux[:100]).all()
    assert np.isnan(left.flux[-50:]).all()
    np.testing.assert_allclose(left.flux[100:-50], 0, atol=1e-9)


def test_air_is_shown_in_vacuum():
    one = star(medium="air")
    (trace,) = prepare_traces([one]).spectra
    back = vacuum_to_air(trace.wavelength_um * one.spectrum.wavelength.unit).value
    np.testing.assert_allclose(back, K, atol=1e-9)


def test_a_look_that_makes_no_sense_is_refused():
    with pytest.raises(KmosError, match="arrangement 'pile'"):
        Look(arrangement="pile")


@pytest.mark.parametrize("profile", ["gaussian", "voigt"])
def test_the_line_in_a_window_has_its_width_and_the_name_of_the_nearest_line(profile: str):
    from napari_kmos.measure import LineParameters

    places = {"near": 2.1990, "far": 2.2060, "nearer, but not marked": 2.2001}
    lines = [SpectralLine(name=name, wavelength_um=um, marked="not" not in name) for name, um in places.items()]
    one = star(sigma=0.3).spectrum
    fit = fit_window(one, WINDOW, lines=lines, parameters=LineParameters(profile=profile))
    assert (fit.reason, fit.line.name, fit.window) == ("", "near", pytest.approx(WINDOW))
    assert fit.centre_um == pytest.approx(DIP_UM, abs=5 * fit.centre_err_um)
    assert fit.width_um == pytest.approx(WIDTH_UM, abs=5 * fit.width_err_um)
    assert fit.width_err_um < 0.1 * WIDTH_UM
    (trace,) = prepare_traces([Sourced(spectrum=one)], look=Look(normalised=True)).spectra
    drawn = fit_trace(trace, fit)
    inside = in_windows(K, [WINDOW])
    # 0.3 of 50, and the continuum's own error
    np.testing.assert_allclose(drawn.flux, trace.flux[inside], atol=0.04)


def test_a_window_without_a_known_line_is_named_by_its_wavelength_and_one_outside_says_so():
    fit = fit_window(star().spectrum, WINDOW, velocity_kms=100.0)
    assert fit.line.name == "2.2000"
    assert fit.line.wavelength_um == pytest.approx(2.2 / (1 + 100 / 299792.458))
    assert "outside" in fit_window(star().spectrum, (3.0, 3.1)).reason
    with pytest.raises(KmosError, match="upwards"):
        fit_window(star().spectrum, (2.3, 2.2))


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_the_figure_shows_what_is_looked_at(tmp_path: Path, suffix: str):
    look = Look(compared=True, normalised=True, telluric=True, airglow=True)
    traces = prepare_traces([star(seed=1), star(seed=2), star("_$b")], look=look)
    figure = traces_figure(traces, look=look, lines=read_line_list(), selected=("a",), view=((2.1, 2.3), (0.5, 1.5)))
    above, below = figure.axes
    assert len([line for line in above.lines if line.get_label().startswith(("a", r"\$b"))]) == 3
    assert len(below.lines) == 2
    assert above.get_xlim() == below.get_xlim() == (2.1, 2.3)
    assert "Br gamma" in {text.get_text() for text in above.texts}
    assert len(above.collections) == 2
    path = write_figure(figure, tmp_path / f"plot.{suffix}")
    assert path.stat().st_size > 10_000


def test_spectra_of_a_stack_are_named_beside_it():
    look = Look(arrangement="stack", marks=False)
    traces = prepare_traces([star("a"), star("b")], look=look)
    (axes,) = traces_figure(traces, look=look, selected=("b",)).axes
    assert axes.get_legend() is None
    names = {text.get_text(): text.get_position() for text in axes.texts}
    assert set(names) == {"a", "b"}
    assert names["b"][1] - names["a"][1] == pytest.approx(traces.spectra[1].level, rel=1e-6)
    assert axes.collections[0].get_facecolor()[0, :3] == pytest.approx(to_rgb(axes.lines[1].get_color()))


def test_error_bands_are_those_of_the_selected_or_the_first():
    traces = prepare_traces([star(name) for name in "abcd"]).spectra
    assert banded(traces, ("d", "b", "c")) == (1, 2)
    assert banded(traces, ("nobody",)) == (0,)
    assert banded((), ()) == ()
