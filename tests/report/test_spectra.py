"""Tables and the plot of spectra hold what they are given."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from numpy.testing import assert_allclose

from napari_kmos.aperture import Aperture
from napari_kmos.io import read_line_list, read_table, write_figure, write_table
from napari_kmos.measure import compare_pair
from napari_kmos.report.spectra import TableRow, compare_figure, comparison_table, spectra_table
from napari_kmos.spectral import measure_snr, vacuum_to_air
from napari_kmos.spectrum import SpectralLine, StarSpectrum

N = 300


def star(name: str = "1", *, level: float = 50.0, ifu: int | None = 3, **extra: object) -> StarSpectrum:
    rng = np.random.default_rng(7)
    flux = level + rng.standard_normal(N)
    mask = np.zeros(N, dtype=bool)
    mask[:20] = True
    flux[mask] = np.nan
    return StarSpectrum(
        aperture=Aperture(id=name, ra=266.4, dec=-29.0, radius_arcsec=0.5, extra=extra),
        wavelength=np.linspace(1.93, 2.49, N) * u.um,
        flux=flux,
        noise=np.where(mask, np.nan, 1.0),
        sky=np.zeros(N),
        mask=mask,
        unit=u.adu / u.s,
        target="GC $x$",
        ifu=ifu,
        area_pix=19.6,
        coverage=np.ones(N),
        snr=50.0,
        snr_noise=51.0,
        n_sky=33,
    )


def ratios(spectra: list[StarSpectrum]):
    return [measure_snr(one.wavelength_um, one.flux, noise=one.noise) for one in spectra]


def test_table_of_a_cube_keeps_the_users_columns(tmp_path: Path):
    first = star("a", mag=12.5, note="mine")
    rows = [
        TableRow(aperture=first.aperture, file="spec.fits", spectrum=first, ifu=3, target="GC"),
        TableRow(aperture=Aperture(id="b\nc", ra=1.0, dec=2.0, radius_arcsec=0.4), note="outside every cube"),
    ]

    table = read_table(write_table(spectra_table(rows), tmp_path / "t.ecsv"))

    assert table.colnames[:7] == ["id", "file", "ra", "dec", "ifu", "snr", "note"]
    assert list(table["id"]) == ["a", "b c"]
    assert table["ifu"][0] == 3
    assert table["ifu"].mask[1]
    assert table["snr"][0] == 50
    assert math.isnan(table["snr"][1])
    assert list(table["note"].filled("")) == ["", "outside every cube"]  # ECSV has no empty texts, only masked ones
    assert table["mag"][0] == 12.5
    assert table["mag"].mask[1]
    assert table["note_given"][0] == "mine"
    assert table["ra"].unit == u.deg


def test_comparison_table_has_a_row_a_spectrum(tmp_path: Path):
    spectra = [star("a"), star("b", ifu=None)]

    table = read_table(
        write_table(comparison_table(spectra, ["a.fits", "b.fits"], ratios(spectra)), tmp_path / "t.ecsv")
    )

    assert list(table["id"]) == ["a", "b"]
    assert table["ifu"].mask[1]
    assert table["snr_noise"][0] == pytest.approx(50, rel=0.02)
    assert table["snr_windows_um"][0] == "2.242-2.258,2.268-2.279"
    assert table["flux_median"][0] == pytest.approx(50, rel=0.01)


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_figure_shows_ids_ratios_and_lines_and_can_be_written(tmp_path: Path, suffix: str):
    spectra = [star("bright $1"), star("faint", level=0.1), star("none", level=math.nan)]
    lines = [line for line in read_line_list() if line.name in ("Br gamma", "CO 2-0", "He I 2.1138")]

    figure = compare_figure(spectra, ratios(spectra), lines)

    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    assert [text.split("\n")[0] for text in texts[:3]] == ["bright $1", "faint", "none"]
    assert "SNR unknown" in texts[2]
    assert texts[3:] == ["Br gamma", "CO 2-0"]  # the third is not marked
    path = write_figure(figure, tmp_path / f"c.{suffix}")
    assert path.stat().st_size > 10_000


def test_spectra_are_drawn_from_the_top_down_and_do_not_run_into_others():
    spectra = [star("a"), star("b", level=0.5), star("c")]
    figure = compare_figure(spectra, ratios(spectra), [])

    traces = figure.axes[0].lines[:3]
    middles = [np.nanmedian(trace.get_ydata()) for trace in traces]
    spacing = middles[0] - middles[1]
    # Of a star lost in the noise the median lies beside the fitted level.
    assert 2 * spacing == pytest.approx(middles[0] - middles[2], rel=0.1)
    assert spacing > 0
    for middle, trace in zip(middles, traces, strict=True):
        assert np.nanmax(np.abs(trace.get_ydata() - middle)) < 1.3 * spacing


def test_labels_of_smooth_spectra_lie_within_the_axes():
    spectra = [star("a", level=1e4), star("b", level=1e4)]
    figure = compare_figure(spectra, ratios(spectra), [])
    figure.draw_without_rendering()

    axes = figure.axes[0]
    frame = axes.get_window_extent()
    for text in axes.texts:
        extent = text.get_window_extent()
        assert frame.y0 < extent.y0 < extent.y1 < frame.y1


def test_crowded_labels_are_pulled_apart_in_order():
    crowd = [SpectralLine(name=f"l{n}", wavelength_um=2.2 + 1e-4 * n) for n in range(9)]
    alone = SpectralLine(name="alone", wavelength_um=2.4)
    spectra = [star("a")]

    axes = compare_figure(spectra, ratios(spectra), [*crowd, alone]).axes[0]

    places = [text.xyann[0] for text in axes.texts[1:]]
    low, high = axes.get_xlim()
    assert np.all(np.diff(places) >= 0.0139 * (high - low))
    assert np.mean(places[:9]) == pytest.approx(2.2004)
    assert places[9] == pytest.approx(2.4)


def test_hundreds_of_spectra_fit_a_page_that_can_be_printed():
    spectra = [dataclasses.replace(star(str(n))) for n in range(300)]
    figure = compare_figure(spectra, ratios(spectra), [])
    assert figure.get_size_inches()[1] <= 200  # the most a PDF page may have


def test_wavelengths_in_air_are_drawn_in_vacuum():
    """Of the same light both lie on each other, 0.0006 micron from where air has them."""
    vacuum = star()
    air = dataclasses.replace(vacuum, wavelength=vacuum_to_air(vacuum.wavelength), medium="air")
    axes = compare_figure([air, vacuum], ratios([air, vacuum]), []).axes[0]
    first, second = (line.get_xdata() for line in axes.lines[:2])
    assert_allclose(first, second, atol=1e-9)
    assert axes.get_xlabel() == "wavelength in vacuum (µm)"
    pair = compare_pair(air, vacuum)
    assert_allclose([pair.ratio, pair.chi2], [1, 0], atol=1e-4)  # as far as interpolation keeps the noise
