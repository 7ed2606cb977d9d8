"""How the atmosphere was taken out: a figure, and a table of the windows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table, vstack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_kmos.spectrum import StarSpectrum
    from napari_kmos.telluric import Correction, WindowFit

#: What is drawn of a fit, and its colour in the figure.
TRACES = {"before": "0.6", "after": "tab:blue", "transmission": "tab:orange"}
_SIZE_INCH = (11.0, 4.2)
#: Spectra are drawn up to so many times their median.
_HIGHEST = 1.6
_FORMATS = {"rms_before": ".5f", "rms_after": ".5f", "n_planes": "d", "ifu": "d", "note": "", "standard": ""}


def windows_table(corrections: Sequence[tuple[int | None, Correction]]) -> Table:
    """Return a row a window: the IFU, 0 where it is not known, the fields of `WindowFit`, and the standard."""
    rows = [
        {"ifu": ifu or 0, **dataclasses.asdict(fit), "standard": correction.standard}
        for ifu, correction in corrections
        for fit in correction.windows
    ]
    table = Table({name: [row[name] for row in rows] for name in rows[0]})
    for name in table.colnames:
        form = _FORMATS.get(name, ".4f" if not name.endswith("_um") else ".6f")
        if form:
            table[name].info.format = form
    return table


def traces_table(fitted: Sequence[tuple[int | None, Correction, StarSpectrum]]) -> Table:
    """Return what `telluric_figure` draws.

    Parameters
    ----------
    fitted : sequence of (int, Correction, StarSpectrum)
        The IFU, None where it is not known, what was divided by, and the star to which it was fitted.

    Returns
    -------
    Table
        A row a plane: the IFU, 0 where it is not known, the number of the window, from 1 on, the wavelength in micron,
        the star before and after over its median in the window, and the transmission; NaN where nothing is known.
    """
    parts = [
        Table(
            {"ifu": np.full(wave.size, ifu or 0), "window": np.full(wave.size, number), "wavelength_um": wave, **traces}
        )
        for ifu, correction, star in fitted
        for number, (wave, traces) in enumerate(_traces(correction, star), start=1)
    ]
    table = vstack(parts)
    for name, form in (("wavelength_um", ".7f"), *((name, ".5f") for name in TRACES)):
        table[name].info.format = form
    return table


def telluric_figure(correction: Correction, star: StarSpectrum) -> Figure:
    """Draw the fit of each window.

    Parameters
    ----------
    correction : Correction
        What was divided by.
    star : StarSpectrum
        To which it was fitted; on the same planes.

    Returns
    -------
    matplotlib.figure.Figure
        Without a window. For each window: the star over its median before and after, and the transmission.
    """
    from matplotlib.figure import Figure

    windows = correction.windows
    figure = Figure(figsize=(_SIZE_INCH[0], _SIZE_INCH[1] * len(windows)), layout="constrained")
    panels = figure.subplots(len(windows), 1, squeeze=False)[:, 0]
    for axes, fit, (wave, traces) in zip(panels, windows, _traces(correction, star), strict=True):
        for name, colour in TRACES.items():
            axes.plot(wave, traces[name], color=colour, lw=0.8 if name == "after" else 0.7, label=name)
        axes.set(xlim=(fit.start_um, fit.end_um), ylim=(0, _HIGHEST), title=_title(fit), ylabel="flux / median")
    figure.axes[0].legend(loc="lower right", ncols=3, fontsize="small")
    figure.axes[-1].set_xlabel("wavelength in vacuum (µm)")
    figure.suptitle(f"{star.label}, corrected by {correction.standard}")
    return figure


def _traces(
    correction: Correction, star: StarSpectrum
) -> Iterator[tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]]:
    """Yield for each window the wavelengths and what is drawn over them, by the names in `TRACES`."""
    flux = np.where(star.mask, np.nan, star.flux)
    for fit in correction.windows:
        inside = (correction.wavelength_um >= fit.start_um) & (correction.wavelength_um <= fit.end_um)
        through = correction.transmission[inside]
        after = flux[inside] / through
        known = after[np.isfinite(after)]
        level = float(np.median(known)) if known.size else 1.0
        traces = {"before": flux[inside] / level, "after": after / level, "transmission": through}
        yield correction.wavelength_um[inside], traces


def _title(fit: WindowFit) -> str:
    """Return the numbers of a window."""
    place = f"{fit.start_um:.3f}-{fit.end_um:.3f} µm"
    scaled = f"airmass x{fit.airmass:.3f}, water x{fit.water:.3f}, shift {fit.shift_pix:+.2f} pix"
    return f"{place}: {fit.note or scaled + f', rms {fit.rms_before:.4f} to {fit.rms_after:.4f}'}"
