"""The fit of each window, as a table and a figure."""

from __future__ import annotations

import numpy as np
import observed_stars as stars

from napari_kmos.report.telluric import telluric_figure, traces_table, windows_table
from napari_kmos.telluric import Correction, WindowFit


def test_every_window_has_its_row_and_its_panel():
    seen = stars.see(stars.smooth_star, airmass=1.3, water=1.0, snr=50, rng=np.random.default_rng(1), nz=200)
    windows = (
        WindowFit(start_um=1.925, end_um=2.06, airmass=1.1, water=1.4, rms_before=0.05, rms_after=0.01, n_planes=90),
        WindowFit(start_um=2.06, end_um=2.5, airmass=1.2, water=1.2, note="not fitted, as asked for"),
    )
    correction = Correction(
        wavelength_um=seen.wave,
        transmission=np.where(seen.wave > 2.45, np.nan, seen.transmission),
        relative_noise=np.zeros(200),
        windows=windows,
        standard="STAR_SPEC.fits",
    )
    table = windows_table([(5, correction)])
    assert table["water"].tolist() == [1.4, 1.2]
    assert table["standard"].tolist() == ["STAR_SPEC.fits"] * 2
    assert table["ifu"].tolist() == [5, 5]
    star = stars.star_spectrum(seen)
    figure = telluric_figure(correction, star)
    titles = [axes.get_title() for axes in figure.axes]
    assert "water x1.400" in titles[0]
    assert "rms 0.0500 to 0.0100" in titles[0]
    assert titles[1].endswith("not fitted, as asked for")
    assert [len(axes.lines) for axes in figure.axes] == [3, 3]
    traces = traces_table([(5, correction, star), (None, correction, star)])
    assert set(traces["ifu"]) == {0, 5}
    assert set(traces["window"]) == {1, 2}
    drawn = traces[(traces["ifu"] == 5) & (traces["window"] == 2)]
    assert [line.get_label() for line in figure.axes[1].lines] == traces.colnames[3:]
    for line in figure.axes[1].lines:
        np.testing.assert_array_equal(drawn[line.get_label()], line.get_ydata())
    known = np.isfinite(drawn["transmission"])
    np.testing.assert_allclose(drawn["before"][known], (drawn["after"] * drawn["transmission"])[known], rtol=1e-12)
    assert np.nanmedian(drawn["after"]) == 1
