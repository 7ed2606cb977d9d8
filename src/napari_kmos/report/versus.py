"""Two subsets of exposures against each other: a table, lines of text, and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.cube import pixel_scale_arcsec

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray

    from napari_kmos.combine import Comparison
    from napari_kmos.cube import Image

_SIZE_INCH = (14.0, 7.2)
_SIDES = ("a", "b", "union")
_COLOURS = {"a": "tab:blue", "b": "tab:orange", "union": "0.6"}
#: Stretch of the white light, and least reach of the difference over its noise.
_PERCENTILES = (2.0, 99.0)
_LEAST_SIGMA = 5.0
#: The histogram of the difference reaches so many sigma at least.
_LEAST_SPAN = 6.0
#: So many stars have a name and bars of their own in the figure.
_MOST_STARS = 12
_FEWEST_BARS = 3
_NOISE = {
    "measured": "noise, measured",
    "propagated": "noise, from the exposures'",
    "by_number": "noise, from their number",
}


def versus_table(told: Mapping[str, Any]) -> Table:
    """Return the stars as a table, a row each: signal-to-noise ratios in A, B and the union; the rest in its meta.

    ``told`` is what the step tells of a comparison.
    """
    from astropy.table import Table

    table = Table(meta={key: value for key, value in told.items() if key != "stars"})
    stars = told["stars"]
    table["id"] = np.array([star["id"] for star in stars], dtype=str)
    for name in ("ra", "dec"):
        table[name] = np.array([star[name] for star in stars], dtype=float)
        table[name].unit, table[name].info.format = "deg", ".7f"
    for kind in ("snr", "snr_noise"):
        for number, side in enumerate(_SIDES):
            table[f"{kind}_{side}"] = np.array([star[kind][number] for star in stars], dtype=float)
            table[f"{kind}_{side}"].info.format = ".2f"
    return table


def versus_rows(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return what was found as rows of text: what, in A, in B, in the union."""
    sides = [told[side] for side in _SIDES]
    rows: list[tuple[str, ...]] = [("exposures", *(str(len(side["exposures"])) for side in sides))]
    rows += [(text, *(_ratio(side["noise_over_union"][kind]) for side in sides)) for kind, text in _NOISE.items()]
    whole = _ratio(1.0) if told["stars"] else "-"
    for name, key in (("SNR of stars, from noise", "snr_noise_over_union"), ("SNR, measured", "snr_over_union")):
        rows.append((name, *map(_ratio, told[key]), whole))
    for star in told["stars"]:
        both = zip(star["snr_noise"], star["snr"], strict=True)
        rows.append(
            (f"star {star['id']}: SNR / measured", *(f"{_plain(one)} / {_plain(other)}" for one, other in both))
        )
    return rows


def versus_text(told: Mapping[str, Any]) -> str:
    """Return what was found as lines of text."""
    lines = [("", "A", "B", "union"), *versus_rows(told)]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    aligned = [
        "  ".join(
            [line[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    ]
    return "\n".join([heading(told), *aligned, difference_line(told), verdict(told)])


def heading(told: Mapping[str, Any]) -> str:
    """Return what is compared in a line."""
    shared = f", {told['n_shared']} in both" if told["n_shared"] else ""
    a, b, union = (len(told[side]["exposures"]) for side in _SIDES)
    sides = f"A = {told['a']['subset']} ({a}) against B = {told['b']['subset']} ({b})"
    return f"{told['target']}: {sides}; union {union}{shared}"


def difference_line(told: Mapping[str, Any]) -> str:
    """Return what the difference says in a line."""
    found = told["difference"]
    text = f"difference: its scatter is {found['scatter']:.2f} times its noise; {found['outstanding']} of "
    return text + f"{found['spaxels']} spaxels differ by more than 5 sigma"


def verdict(told: Mapping[str, Any]) -> str:
    """Return in a line what it means to have A instead of B: more or less noise, and SNR of the stars.

    The noise is measured; the SNR is that of the exposures' noise: measured in the few wavelengths of a continuum, its
    ratio is good to 10 % a star.
    """
    a, b = (told[side]["noise_over_union"]["measured"] for side in ("a", "b"))
    found = [("noise", _divided(a, b)), ("SNR of the stars", _divided(*told["snr_noise_over_union"]))]
    changes = ", ".join(f"{name} {100 * (ratio - 1):+.1f} %" for name, ratio in found if np.isfinite(ratio))
    return f"{told['a']['subset']} instead of {told['b']['subset']}: {changes or 'not known'}"


def versus_figure(comparison: Comparison, told: Mapping[str, Any]) -> Figure:
    """Draw the images of both subsets and of the union, their difference over its noise, and bars of noise and SNR.

    Parameters
    ----------
    comparison : Comparison
        What is drawn.
    told : mapping
        What the step tells of it.

    Returns
    -------
    matplotlib.figure.Figure
        Without a window.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCH, layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.1, 1))
    _draw_images(parts[0], comparison, told)
    noise, stars, spread = parts[1].subplots(1, 3, width_ratios=(1, 1.6, 1))
    _draw_noise(noise, told)
    _draw_stars(stars, told)
    _draw_spread(spread, comparison.sigma)
    figure.suptitle(f"{heading(told)}\n{verdict(told)}", fontsize="medium")
    return figure


def _draw_images(figure: SubFigure, comparison: Comparison, told: Mapping[str, Any]) -> None:
    """White light of A, B and the union alike, and the difference, as it is and in sigma."""
    panels = figure.subplots(1, 5, sharex=True, sharey=True)
    shown = comparison.union.image.data
    limits = np.nanpercentile(shown, _PERCENTILES) if np.isfinite(shown).any() else (0.0, 1.0)
    for axes, side in zip(panels, _SIDES, strict=False):
        image: Image = getattr(comparison, side).image
        drawn = axes.imshow(image.data, origin="lower", cmap="gray", vmin=limits[0], vmax=limits[1])
        name = side if side == "union" else f"{side.upper()} = {_short(told[side]['subset'])}"
        axes.set_title(name, fontsize="small", color="0.2" if side == "union" else _COLOURS[side])
    unit = comparison.union.image.unit
    text = "" if unit is None else str(unit)
    figure.colorbar(drawn, ax=list(panels[:3]), location="bottom", shrink=0.5, aspect=40, label=text)
    _draw_difference(figure, panels[3], comparison.difference.data, title="A - B", label=text)
    title = "A - B over its noise"
    _draw_difference(figure, panels[4], comparison.sigma, title=title, label="sigma", least=_LEAST_SIGMA)
    for axes in panels:
        axes.set_facecolor("0.9")
        axes.tick_params(labelsize="x-small")
    _mark_stars(panels[2], comparison)


def _draw_difference(
    figure: SubFigure,
    axes: Axes,
    data: NDArray[Any],
    *,
    title: str,
    label: str,
    least: float = 0.0,
) -> None:
    """Draw what is as often above zero as below; the scale reaches as far as most of it."""
    largest = np.nanpercentile(np.abs(data), _PERCENTILES[1]) if np.isfinite(data).any() else 0.0
    span = max(float(largest), least) or 1.0
    drawn = axes.imshow(data, origin="lower", cmap="RdBu_r", vmin=-span, vmax=span)
    axes.set_title(title, fontsize="small")
    bar = figure.colorbar(drawn, ax=axes, location="bottom", shrink=0.9, aspect=24, label=label)
    bar.ax.locator_params(nbins=5)


def _mark_stars(axes: Axes, comparison: Comparison) -> None:
    """Draw the apertures of the stars, with their ids beside them."""
    from matplotlib.patches import Circle

    wcs = comparison.union.image.wcs
    scale = pixel_scale_arcsec(wcs)
    for star in comparison.stars[:_MOST_STARS]:
        x, y = (float(one) for one in wcs.wcs_world2pix(star.aperture.ra, star.aperture.dec, 0))
        axes.add_patch(Circle((x, y), star.aperture.radius_arcsec / scale, fill=False, edgecolor="tab:red"))
        text = star.aperture.id
        axes.annotate(text, (x, y), xytext=(7, 5), textcoords="offset points", color="tab:red", fontsize="small")


def _draw_noise(axes: Axes, told: Mapping[str, Any]) -> None:
    """Bars of the noise of A and B over that of the union."""
    names = ("measured", "from the\nexposures'", "from their\nnumber")
    values = {side: [told[side]["noise_over_union"][kind] for kind in _NOISE] for side in ("a", "b")}
    _draw_bars(axes, names, values, title="noise over that of the union")


def _draw_stars(axes: Axes, told: Mapping[str, Any]) -> None:
    """Bars of the signal-to-noise ratio of the stars over that in the union."""
    stars = [star for star in told["stars"] if np.isfinite(star["snr_noise"]).all() and star["snr_noise"][2] > 0]
    stars = stars[:_MOST_STARS]
    names = [f"{star['id']}\n{_plain(star['snr_noise'][2])}" for star in stars]
    ratios = [[_divided(star["snr_noise"][side], star["snr_noise"][2]) for star in stars] for side in (0, 1)]
    medians = (f"{side} {_ratio(one)}" for side, one in zip("AB", told["snr_noise_over_union"], strict=True))
    title = f"SNR of the stars over that in the union; median {', '.join(medians)}"
    _draw_bars(axes, names, dict(zip(("a", "b"), ratios, strict=True)), title=title)
    axes.set_xlabel("star, and its SNR in the union" if stars else "no star", fontsize="small")


def _draw_bars(axes: Axes, names: Sequence[str], values: Mapping[str, Sequence[float]], *, title: str) -> None:
    """Bars of A and B beside each other, their height written on them, and a line at 1."""
    places = np.arange(len(names))
    for shift, (side, heights) in zip((-0.2, 0.2), values.items(), strict=True):
        bars = axes.bar(places + shift, np.maximum(heights, 0.0), width=0.38, color=_COLOURS[side], label=side.upper())
        if len(names) <= _MOST_STARS // 2:
            axes.bar_label(bars, [_ratio(height) for height in heights], fontsize="x-small", padding=1)
    axes.axhline(1, color="0.3", linewidth=0.8, linestyle=":")
    axes.set_xticks(places, names, fontsize="x-small")
    axes.set_xlim(-0.6, max(len(names), _FEWEST_BARS) - 0.4)
    axes.tick_params(axis="y", labelsize="small")
    axes.set_title(title, fontsize="small")
    axes.margins(y=0.15)
    if len(names):
        axes.legend(fontsize="x-small", loc="lower right", framealpha=0.9)


def _draw_spread(axes: Axes, sigma: NDArray[np.float64]) -> None:
    """Histogram of the difference in sigma beside what noise alone would give."""
    known = sigma[np.isfinite(sigma)]
    span = max(_LEAST_SPAN, float(np.percentile(np.abs(known), 98))) if known.size else _LEAST_SPAN
    edges = np.linspace(-span, span, 61)
    if known.size:
        axes.hist(np.clip(known, -span, span), bins=list(edges), color="0.7")
        normal = np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi) * known.size * (edges[1] - edges[0])
        axes.plot(edges, normal, color="tab:red", linewidth=1, label="noise alone")
        axes.set_yscale("log")
        axes.set_ylim(0.5, 2 * known.size)
        axes.legend(fontsize="x-small", framealpha=0.9)
    axes.set_title("spaxels by A - B over its noise", fontsize="small")
    axes.set_xlabel("sigma", fontsize="small")
    axes.tick_params(labelsize="small")


def _divided(top: float, bottom: float) -> float:
    return top / bottom if bottom > 0 else np.nan


def _ratio(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "-"


def _plain(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "-"


def _short(text: str) -> str:
    """Return a name that has room above an image."""
    longest = 24
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
