"""What is left of the sky after its subtraction: one figure a file, by wavelength and by line group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.instrument import detector_of
from napari_kmos.report.sky_panels import AFTER, BEFORE, NOISE
from napari_kmos.spectral.nan import nan_median

if TYPE_CHECKING:
    from astropy.units import UnitBase
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_kmos.sky import IfuResidual

_WIDTH_INCH, _SPECTRA_INCH, _ROW_INCH = 11.0, 5.5, 0.17
#: Colours of the rotational groups, of lines of no such group, and of planes of no line.
_COLOURS = {"low": "tab:blue", "mid": "tab:green", "high": "tab:orange"}
_NO_ROTATION = "tab:red"
_NO_LINES = ("other", "edge")
#: Percentiles of the spectra that are shown, and residuals over noise that have a colour of their own.
_SHOWN_PERCENTILES = (0.3, 99.7)
_LEAST, _LARGEST = 0.8, 20.0


def residual_figure(
    before: Sequence[IfuResidual],
    after: Sequence[IfuResidual | None],
    emptier: Sequence[int],
    title: str,
    *,
    unit: UnitBase | None = None,
) -> Figure:
    """Draw what is left in the spaxels without stars: spectra, line groups, and residual over noise by group.

    Parameters
    ----------
    before : sequence of IfuResidual
        An entry an IFU.
    after : sequence of IfuResidual or None
        The same after a second pass; None where there was none.
    emptier : sequence of int
        IFUs whose mean is drawn, by detector; all if empty.
    title : str
        What stands above.
    unit : Unit, optional
        Of the spectra; None where it is not known.

    Returns
    -------
    matplotlib.figure.Figure
        Without a window.
    """
    from matplotlib.figure import Figure

    rows_inch = max(2.5, _ROW_INCH * len(before) + 1.2)
    figure = Figure(figsize=(_WIDTH_INCH, _SPECTRA_INCH + rows_inch), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(_SPECTRA_INCH, rows_inch))
    upper, lower = parts
    spectra, marks = upper.subplots(2, sharex=True, height_ratios=(4, 1.6))
    chosen = [k for k, one in enumerate(before) if not emptier or one.ifu in emptier]
    _draw_spectra(spectra, [(before[k], after[k]) for k in chosen])
    spectra.set_ylabel(f"left in spaxels without stars{'' if unit is None else f' ({unit})'}\n(± 1 sigma expected)")
    _draw_groups(marks, before[chosen[0]])
    if len(before) == 1:
        _draw_bars(lower.subplots(), before[0], after[0])
    else:
        _draw_maps(lower, before, after)
    figure.suptitle(title, fontsize="medium")
    return figure


def _draw_spectra(axes: Axes, pairs: Sequence[tuple[IfuResidual, IfuResidual | None]]) -> None:
    """Median spectra of the IFUs of each detector before and after, one above the other."""
    detectors: dict[int, list[tuple[IfuResidual, IfuResidual | None]]] = {}
    for pair in pairs:
        number = 0 if pair[0].ifu is None else detector_of(pair[0].ifu)
        detectors.setdefault(number, []).append(pair)
    shown = np.concatenate([one.spectrum[np.isfinite(one.spectrum)] for one, _ in pairs])
    low, high = np.percentile(shown, _SHOWN_PERCENTILES)
    step = high - low
    for row, (number, members) in enumerate(sorted(detectors.items())):
        wave, error = members[0][0].wavelength_um, nan_median(np.stack([one.error for one, _ in members]))
        axes.fill_between(wave, row * step - error, row * step + error, color=NOISE, linewidth=0)
        for states, colour, name in ((0, BEFORE, "before"), (1, AFTER, "after")):
            known = [pair[states].spectrum for pair in members if pair[states] is not None]  # type: ignore[union-attr]
            if known:
                axes.plot(wave, row * step + nan_median(np.stack(known)), color=colour, linewidth=0.6, label=name)
        ifus = ", ".join(one.label if len(pairs) == 1 else str(one.ifu) for one, _ in members)
        text = ifus if len(pairs) == 1 else f"detector {number}, IFU {ifus}"
        axes.annotate(text, (wave[0], (row + 0.3) * step), xytext=(6, 0), textcoords="offset points", fontsize="small")
    for row in range(len(detectors)):
        axes.axhline(row * step, color="0.5", linewidth=0.5, linestyle=":")
    axes.set_ylim(low - 0.2 * step, max(high, 0.4 * step) + (len(detectors) - 0.8) * step)
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(handles.values(), handles.keys(), loc="upper right", fontsize="small")


def _draw_groups(axes: Axes, one: IfuResidual) -> None:
    """Mark the planes of each group: a row a vibrational band, a colour a rotational group."""
    names = [group.group for group in one.groups if group.group not in _NO_LINES]
    bands = list(dict.fromkeys(name.split()[0] for name in names))
    for name in names:
        row, colour = bands.index(name.split()[0]), _COLOURS.get(name.split()[-1], _NO_ROTATION)
        axes.fill_between(
            one.wavelength_um, row + 0.1, row + 0.9, where=one.member == name, step="mid", color=colour, linewidth=0
        )
    axes.set_yticks(np.arange(len(bands)) + 0.5, bands, fontsize="x-small")
    axes.set_ylim(0, max(len(bands), 1))
    axes.set_xlim(one.wavelength_um[0], one.wavelength_um[-1])
    axes.set_xlabel("wavelength (µm); rotation: blue low, green mid, orange high")


def _draw_bars(axes: Axes, before: IfuResidual, after: IfuResidual | None) -> None:
    """Residual over noise by group: of the mean spectrum, before and after, and per spaxel."""
    names = [group.group for group in before.groups]
    place = np.arange(len(names))
    axes.bar(place - 0.2, [group.mean for group in before.groups], 0.4, color=BEFORE, label="mean, before")
    if after is not None:
        found = {group.group: group.mean for group in after.groups}
        axes.bar(place + 0.2, [found.get(name, np.nan) for name in names], 0.4, color=AFTER, label="mean, after")
    axes.plot(place, [group.per_spaxel for group in before.groups], "k_", markersize=12, label="per spaxel, before")
    axes.axhline(1, color="0.5", linewidth=0.7)
    axes.set_xticks(place, names, rotation=60, ha="right", rotation_mode="anchor", fontsize="small")
    axes.set_ylabel("residual over noise")
    axes.legend(fontsize="small")


def _draw_maps(figure: Any, before: Sequence[IfuResidual], after: Sequence[IfuResidual | None]) -> None:
    """Residual over noise of the mean spectrum by IFU and group, before and after."""
    from matplotlib.colors import LogNorm

    scale = LogNorm(_LEAST, _LARGEST)
    found = dict.fromkeys(group.group for one in before for group in one.groups)
    names = sorted(found, key=_NO_LINES.__contains__)
    sides = figure.subplots(1, 2, sharey=True)
    for axes, states, title in zip(sides, (before, after), ("before", "after"), strict=True):
        image = axes.imshow(_means(states, names), norm=scale, aspect="auto", cmap="viridis")
        axes.set_title(f"mean residual over noise, {title}", fontsize="small")
        axes.set_xticks(
            np.arange(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize="x-small"
        )
    sides[0].set_yticks(np.arange(len(before)), [one.label for one in before], fontsize="x-small")
    figure.colorbar(image, ax=sides, pad=0.01, ticks=(1, 2, 5, 10, 20), format="%g")


def _means(states: Sequence[IfuResidual | None], names: Sequence[str]) -> NDArray[np.float64]:
    """Residual over noise by IFU and group; NaN where it is not known."""
    found = [{} if one is None else {group.group: group.mean for group in one.groups} for one in states]
    return np.array([[row.get(name, np.nan) for name in names] for row in found], dtype=float)
