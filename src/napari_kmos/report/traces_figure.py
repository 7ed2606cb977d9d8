"""The figure of spectra as they are looked at, to be written as PNG, PDF or SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from napari_kmos.report.line_marks import mark_lines
from napari_kmos.report.traces import STACK
from napari_kmos.spectral.lines import lines_between
from napari_kmos.spectral.sky_ranges import airglow_ranges, telluric_ranges

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_kmos.report.traces import Look, Trace, Traces
    from napari_kmos.spectral.windows import Window
    from napari_kmos.spectrum import SpectralLine

FIGURE_FORMATS = ("png", "pdf", "svg")
_WIDTH_INCH, _HEIGHT_INCH, _BELOW_INCH = 11.0, 5.0, 2.2
_DPI = 150
_LINE = 0.7
#: A legend of more is left out: names stand at the spectra of a stack.
_MOST_NAMED = 16
_BANDS = 2
TELLURIC, AIRGLOW = "telluric", "airglow"
_SHADES = MappingProxyType({TELLURIC: "tab:orange", AIRGLOW: "0.5"})


def traces_figure(
    traces: Traces,
    *,
    look: Look,
    lines: Sequence[SpectralLine] = (),
    selected: Sequence[str] = (),
    view: tuple[Window, Window] | None = None,
) -> Figure:
    """Draw spectra as they are looked at.

    Parameters
    ----------
    traces : Traces
        At least one spectrum.
    look : Look
        What of it is drawn beside them: marks, shades, errors.
    lines : sequence of SpectralLine
        In vacuum, moved to the velocity of the stars.
    selected : sequence of str
        Ids of the stars with error bands, at most two spectra; those of the first star without one.
    view : ((float, float), (float, float)), optional
        Ranges of both axes; all of the spectra without.

    Returns
    -------
    matplotlib.figure.Figure
        Without a window; the differences, where there are some, below the spectra.
    """
    from matplotlib.figure import Figure

    below = bool(traces.differences)
    figure = Figure(figsize=(_WIDTH_INCH, _HEIGHT_INCH + below * _BELOW_INCH), layout="constrained", dpi=_DPI)
    ratios = [_HEIGHT_INCH, _BELOW_INCH][: 1 + below]
    panels = figure.subplots(1 + below, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    _draw(panels[0], traces.spectra, banded(traces.spectra, selected) if look.errors else ())
    if view is not None:
        panels[0].set_xlim(*view[0])
        panels[0].set_ylim(*view[1])
    if look.arrangement == STACK:
        _name_beside(panels[0], traces.spectra)
    else:
        _name_all(panels[0])
    for axes in panels:
        _shade(axes, sky_shades(traces.spectra, look))
    if look.marks:
        start, end = panels[0].get_xlim()
        mark_lines(panels[0], lines_between(lines, start * u.um, end * u.um, marked=True))
    panels[0].set_ylabel(f"{traces.label} ({traces.unit})" if traces.unit else traces.label)
    if below:
        _draw(panels[1], traces.differences, banded(traces.differences, selected) if look.errors else ())
        _name_all(panels[1])
        panels[1].axhline(0, color="0.5", linewidth=0.5, zorder=0)
        panels[1].set_ylabel("difference")
    panels[-1].set_xlabel("wavelength in vacuum (µm)")
    return figure


def banded(traces: Sequence[Trace], selected: Sequence[str]) -> tuple[int, ...]:
    """Return the places of the traces that have an error band: the first two of the selected stars, or of the first."""
    meant = {trace.id for trace in traces} & set(selected) or {trace.id for trace in traces[:1]}
    return tuple([number for number, trace in enumerate(traces) if trace.id in meant][:_BANDS])


def sky_shades(traces: Sequence[Trace], look: Look) -> dict[str, tuple[Window, ...]]:
    """Return the ranges, in micron, in which the sky disturbs some spectra, as far as they are looked at; by kind."""
    if not traces:
        return {}
    start = min(float(trace.wavelength_um[0]) for trace in traces)
    end = max(float(trace.wavelength_um[-1]) for trace in traces)
    shades = {}
    if look.telluric:
        shades[TELLURIC] = telluric_ranges(start, end)
    if look.airglow:
        shades[AIRGLOW] = airglow_ranges(start, end)
    return shades


def _draw(axes: Axes, traces: Sequence[Trace], bands: Sequence[int]) -> None:
    """Draw lines, and the bands of some."""
    for number, trace in enumerate(traces):
        style: dict[str, Any] = {"color": f"C{trace.place}", "linewidth": _LINE, "label": _plain(trace.name)}
        (line,) = axes.plot(trace.wavelength_um, trace.flux, **style)
        if number in bands and np.isfinite(trace.noise).any():
            low, high = trace.flux - trace.noise, trace.flux + trace.noise
            axes.fill_between(trace.wavelength_um, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
    axes.margins(x=0.01)


def _name_all(axes: Axes) -> None:
    """Name the lines in a legend beside the axes, where it covers none; unless they are too many."""
    handles, names = axes.get_legend_handles_labels()
    if len(names) <= _MOST_NAMED:
        where: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.0}
        axes.legend(handles, names, fontsize="x-small", frameon=False, **where)


def _name_beside(axes: Axes, traces: Sequence[Trace]) -> None:
    """Name each spectrum of a stack at its height, to the right of the axes."""
    low, high = axes.get_ylim()
    for line, trace in zip(axes.lines, traces, strict=True):
        height = float(np.nanmedian(trace.flux)) if np.isfinite(trace.flux).any() else np.nan
        if low <= height <= high:
            style: dict[str, Any] = {"color": line.get_color(), "fontsize": "x-small", "va": "center"}
            axes.text(1.005, height, _plain(trace.name), transform=axes.get_yaxis_transform(), **style)


def _plain(name: str) -> str:
    """Return a name that matplotlib neither sets as a formula nor leaves out of a legend."""
    return name.replace("$", r"\$").lstrip("_")


def _shade(axes: Axes, shades: Mapping[str, Sequence[Window]]) -> None:
    """Shade where the sky disturbs; limits stay."""
    limits = axes.get_xlim()
    for name, ranges in shades.items():
        for first, last in ranges:
            axes.axvspan(first, last, color=_SHADES[name], alpha=0.15, linewidth=0, zorder=0)
    axes.set_xlim(*limits)
