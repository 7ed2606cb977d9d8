"""How well the sky was subtracted: one figure an IFU, and the table of its bands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_kmos.sky.result import BandFit, SkyResult

_SIZE_INCH = (10.0, 7.0)
_OBJECT, _MODEL, _BEFORE, _AFTER, _SHADE = "0.15", "tab:blue", "tab:orange", "tab:blue", "0.94"
#: Residuals outside these percentiles are cut off in the plot.
_SHOWN_PERCENTILES = (0.3, 99.7)
#: Bands narrower than this part of the plot have no room for their name.
_NAMED_WIDTH = 0.04


def sky_figure(result: SkyResult) -> Figure:
    """Draw object, model and residual spectra of the sky spaxels with the bands and their factors.

    Parameters
    ----------
    result : SkyResult
        Of `subtract_sky`.

    Returns
    -------
    matplotlib.figure.Figure
        Without a window; three panels over the wavelength: spectra, residuals, factor of the sky lines.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCH, layout="constrained")
    spectra, residuals, factors = figure.subplots(3, sharex=True, height_ratios=(3, 3, 2))
    for axes in (spectra, residuals, factors):
        _shade_bands(axes, result.bands)
        axes.set_xlim(result.wavelength_um[0], result.wavelength_um[-1])
    _draw_spectra(spectra, result)
    _draw_residuals(residuals, result)
    _draw_factors(factors, result)
    figure.suptitle(_title(result), fontsize="medium")
    return figure


def band_table(results: Iterable[SkyResult]) -> Table:
    """Return a row for each IFU and band: range, factor, line pixels, residuals; IFU -1 is not known."""
    from astropy import units as u
    from astropy.table import Table

    rows = [(result.cube, result.method, band) for result in results for band in result.bands]
    table = Table()
    table["ifu"] = np.array([-1 if cube.ifu is None else cube.ifu for cube, _, _ in rows], dtype=int)
    table["target"] = np.array([cube.name for cube, _, _ in rows], dtype=str)
    table["method"] = np.array([method for _, method, _ in rows], dtype=str)
    table["band"] = np.array([band.name for _, _, band in rows], dtype=str)
    for name, unit in (
        ("start_um", u.um),
        ("end_um", u.um),
        ("factor", None),
        ("rms_before", None),
        ("rms_after", None),
    ):
        table[name] = np.array([getattr(band, name) for _, _, band in rows], dtype=float)
        table[name].unit = unit
        table[name].info.format = ".6g"
    table["n_line_pixels"] = np.array([band.n_line_pixels for _, _, band in rows], dtype=int)
    table["fitted"] = np.array([band.fitted for _, _, band in rows], dtype=bool)
    return table


def _shade_bands(axes: Axes, bands: tuple[BandFit, ...]) -> None:
    """Shade every other band."""
    for band in bands[::2]:
        axes.axvspan(band.start_um, band.end_um, color=_SHADE, linewidth=0, zorder=0)


def _draw_spectra(axes: Axes, result: SkyResult) -> None:
    """Mean spectra of the sky spaxels."""
    axes.plot(result.wavelength_um, result.object_spectrum, color=_OBJECT, linewidth=0.7, label="object")
    axes.plot(result.wavelength_um, result.model_spectrum, color=_MODEL, linewidth=0.7, label="sky model", alpha=0.8)
    axes.set_ylabel(f"mean of {np.count_nonzero(result.sky_mask)} sky spaxels{_unit(result)}")
    axes.legend(loc="upper right", fontsize="small")


def _draw_residuals(axes: Axes, result: SkyResult) -> None:
    """Residuals with the sky as it came and with the model."""
    before, after = result.object_spectrum - result.sky_spectrum, result.residual_spectrum
    axes.plot(result.wavelength_um, before, color=_BEFORE, linewidth=0.6, label="object - sky")
    axes.plot(result.wavelength_um, after, color=_AFTER, linewidth=0.7, label="object - model")
    axes.axhline(0, color="0.5", linewidth=0.5)
    shown = np.concatenate([before, after])
    if np.isfinite(shown).any():
        low, high = np.nanpercentile(shown, _SHOWN_PERCENTILES)
        margin = 0.1 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)
    axes.set_ylabel(f"residual{_unit(result)}")
    axes.legend(loc="upper right", fontsize="small")


def _draw_factors(axes: Axes, result: SkyResult) -> None:
    """Factor of the sky lines; bands by name, those without a fit of their own in brackets."""
    axes.plot(result.wavelength_um, result.scale, color=_MODEL, linewidth=1.0, drawstyle="steps-mid")
    axes.axhline(1, color="0.5", linewidth=0.5)
    low, high = float(np.min(result.scale)), float(np.max(result.scale))
    margin = 0.3 * (high - low) + 0.02
    axes.set_ylim(low - margin, high + 2 * margin)
    width = _NAMED_WIDTH * (result.wavelength_um[-1] - result.wavelength_um[0])
    for band in result.bands:
        if band.end_um - band.start_um < width:
            continue
        text = f"{band.name}\n{band.factor:.3f}"
        axes.annotate(
            text if band.fitted or result.method == "plain" else f"({text})",
            (0.5 * (band.start_um + band.end_um), 0.96), xycoords=("data", "axes fraction"),
            ha="center", va="top", fontsize="x-small", annotation_clip=True,
        )  # fmt: skip
    axes.set_ylabel("factor of the lines")
    axes.set_xlabel("wavelength (µm)")


def _title(result: SkyResult) -> str:
    """Name, method and the main numbers."""
    parts = [result.cube.label, result.method, f"shift {result.shift_pix:+.3f} pix"]
    parts += [f"{group.name} rotation {group.factor:.3f}" for group in result.groups]
    if result.thermal is not None and result.thermal.sky_level > 0:
        parts.append(f"thermal x{result.thermal.object_level / result.thermal.sky_level:.3f}")
    if np.isfinite(result.rms_after):
        parts.append(f"line residual {_number(result.rms_before)} to {_number(result.rms_after)}")
    return "   ".join(parts)


def _unit(result: SkyResult) -> str:
    """Return the unit in brackets, if known."""
    return "" if result.cube.unit is None else f" ({result.cube.unit})"


def _number(value: Any) -> str:
    return f"{value:.3g}"
