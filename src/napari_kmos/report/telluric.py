"""How the atmosphere was taken out: a figure, and a table of the windows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from napari_kmos.spectrum import StarSpectrum
    from napari_kmos.telluric import Correction, WindowFit

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
    for axes, fit in zip(figure.subplots(len(windows), 1, squeeze=False)[:, 0], windows, strict=True):
        inside = (correction.wavelength_um >= fit.start_um) & (correction.wavelength_um <= fit.end_um)
        wave, through = correction.wavelength_um[inside], correction.transmission[inside]
        flux = np.where(star.mask, np.nan, star.flux)[inside]
        after = flux / through
        known = after[np.isfinite(after)]
        level = float(np.median(known)) if known.size else 1.0
        axes.plot(wave, flux / level, color="0.6", lw=0.7, label="before")
        axes.plot(wave, after / level, color="tab:blue", lw=0.8, label="after")
        axes.plot(wave, through, color="tab:orange", lw=0.7, label="transmission")
        axes.set(xlim=(fit.start_um, fit.end_um), ylim=(0, _HIGHEST), title=_title(fit), ylabel="flux / median")
    figure.axes[0].legend(loc="lower right", ncols=3, fontsize="small")
    figure.axes[-1].set_xlabel("wavelength in vacuum (µm)")
    figure.suptitle(f"{star.label}, corrected by {correction.standard}")
    return figure


def _title(fit: WindowFit) -> str:
    """Return the numbers of a window."""
    place = f"{fit.start_um:.3f}-{fit.end_um:.3f} µm"
    scaled = f"airmass x{fit.airmass:.3f}, water x{fit.water:.3f}, shift {fit.shift_pix:+.2f} pix"
    return f"{place}: {fit.note or scaled + f', rms {fit.rms_before:.4f} to {fit.rms_after:.4f}'}"
