"""The summary of a night on one page: the sky before and after, the fields with their apertures, the spectra."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.report.sky_panels import draw_marks
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_sky

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray

    from napari_kmos.aperture import Aperture
    from napari_kmos.cube import Image
    from napari_kmos.sky.views import LineMarks
    from napari_kmos.spectrum import StarSpectrum

    Floats = NDArray[np.float64]

_WIDTH_INCH = 12.0
_HEIGHTS_INCH = {"sky": 4.6, "white_light": 4.2, "spectra": 4.8}
_BY_HEADERS = "by headers"
#: Of the marks of lines, the sky before and after.
_SKY_HEIGHTS = (0.5, 1.5, 1.5)
_SMOOTHED_PLANES = 5
_LEVEL_PLANES = 101
#: Spectra in the picture; the others are in their files.
_MOST_SPECTRA = 9
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
img { width: 100%; height: auto; } figure { margin: 2rem 0; } figcaption { color: #555; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .3rem 1rem .3rem 0; vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; font-weight: 600; } code { font-size: .9em; }
"""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SkyPanel:
    """Spectrum of the dark spaxels of one IFU before and after the sky was subtracted.

    Parameters
    ----------
    title : str
        Which exposure and IFU.
    wavelength_um, before, after, noise : ndarray, shape (n_wavelength,)
        Noise is that of ``after``.
    unit : str
        Of the flux.
    marks : tuple of LineMarks
        Bright lines of the sky by band.
    """

    title: str
    wavelength_um: Floats
    before: Floats
    after: Floats
    noise: Floats
    unit: str = ""
    marks: tuple[LineMarks, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Summary:
    """What the page shows.

    Parameters
    ----------
    title : str
        Heading.
    numbers : tuple of (str, str, str)
        What was measured: name, value, meaning.
    sky : SkyPanel
        The sky before and after.
    fields : tuple of (Image, tuple of Aperture)
        White light of each combined cube, and the apertures on it.
    by_headers : tuple of Image
        White light of the same cubes as they are without offsets, in the same order; none if not given.
    spectra : tuple of StarSpectrum
        Spectra of stars.
    files : tuple of (str, str)
        Name relative to the page, and what it is.
    """

    title: str
    numbers: tuple[tuple[str, str, str], ...]
    sky: SkyPanel
    fields: tuple[tuple[Image, tuple[Aperture, ...]], ...]
    spectra: tuple[StarSpectrum, ...]
    files: tuple[tuple[str, str], ...] = ()
    by_headers: tuple[Image, ...] = ()


def summary_figures(summary: Summary) -> dict[str, Figure]:
    """Draw the page as one figure, ``"summary"``, and its parts, ``"sky"``, ``"white_light"`` and ``"spectra"``."""
    from matplotlib.figure import Figure

    figures = {}
    heights_inch = {**_HEIGHTS_INCH, "white_light": _HEIGHTS_INCH["white_light"] * (1 + bool(summary.by_headers))}
    for name, height in heights_inch.items():
        figures[name] = Figure(figsize=(_WIDTH_INCH, height), layout="constrained")
        _draw(name, figures[name], summary)
    heights = list(heights_inch.values())
    whole = Figure(figsize=(_WIDTH_INCH, sum(heights)), layout="constrained")
    whole.suptitle(summary.title)
    parts = np.atleast_1d(np.asarray(whole.subfigures(len(heights), 1, height_ratios=heights)))
    for name, part in zip(_HEIGHTS_INCH, parts, strict=True):
        _draw(name, part, summary)
    return {"summary": whole, **figures}


def summary_html(summary: Summary, pictures: dict[str, str]) -> str:
    """Return the page as HTML that needs nothing but its pictures.

    Parameters
    ----------
    summary : Summary
        What it shows.
    pictures : dict
        ``"sky"``, ``"white_light"`` and ``"spectra"`` to file names relative to the page.
    """
    captions = {
        "sky": f"The sky before and after: {summary.sky.title}. Grey: noise, 1 sigma, about the starlight there. "
        "Above: bright lines by vibrational band.",
        "white_light": "White light of the combined cubes with the apertures; north is up, east is left."
        + (" Below: the same exposures combined by their headers, without the offsets." if summary.by_headers else ""),
        "spectra": f"Spectra of {min(len(summary.spectra), _MOST_SPECTRA)} of {len(summary.spectra)} stars.",
    }
    rows = "\n".join(
        f'<tr><td>{_escaped(name)}</td><td class="number">{_escaped(value)}</td><td>{_escaped(meaning)}</td></tr>'
        for name, value, meaning in summary.numbers
    )
    figures = "\n".join(
        f'<figure><img src="{_escaped(pictures[name])}" alt="{_escaped(text)}">'
        f"<figcaption>{_escaped(text)}</figcaption></figure>"
        for name, text in captions.items()
    )
    files = "\n".join(
        f'<li><a href="{_escaped(name)}"><code>{_escaped(name)}</code></a> {_escaped(what)}</li>'
        for name, what in summary.files
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{_escaped(summary.title)}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body>\n<h1>{_escaped(summary.title)}</h1>\n<table>\n{rows}\n</table>\n"
        f"{figures}\n<h2>Files</h2>\n<ul>\n{files}\n</ul>\n</body>\n</html>\n"
    )


def _draw(name: str, figure: Figure | SubFigure, summary: Summary) -> None:
    """Draw one part of the page."""
    if name == "sky":
        _draw_sky(figure.subplots(3, sharex=True, height_ratios=_SKY_HEIGHTS), summary.sky)
    elif name == "white_light":
        axes = figure.subplots(1 + bool(summary.by_headers), max(len(summary.fields), 1), squeeze=False)
        for axis, (image, apertures) in zip(axes[0], summary.fields, strict=False):
            _draw_field(axis, image, apertures)
        for column, image, (right, _) in zip(axes.T, summary.by_headers, summary.fields, strict=False):
            _draw_field(column[-1], image, (), like=right)
            column[-1].set(xlim=column[0].get_xlim(), ylim=column[0].get_ylim())
    else:
        _draw_spectra(figure.subplots(), summary.spectra)


def _draw_sky(axes: Any, sky: SkyPanel) -> None:
    marks, above, below = axes
    marks.set_xlim(sky.wavelength_um[0], sky.wavelength_um[-1])
    draw_marks(marks, sky.marks)
    above.plot(sky.wavelength_um, sky.before, color="tab:orange", linewidth=0.7, label="before")
    level = _running_median(sky.after)
    low, high = level - sky.noise, level + sky.noise
    below.fill_between(sky.wavelength_um, low, high, color="0.8", linewidth=0, label="1 sigma noise")
    below.plot(sky.wavelength_um, sky.after, color="tab:blue", linewidth=0.7, label="after")
    shown = sky.after[np.isfinite(sky.after)]
    if len(shown):
        bottom, top = np.percentile(shown, (0.2, 99.8))
        margin = 0.4 * float(top - bottom) or 1.0
        below.set_ylim(bottom - margin, top + margin)
    marks.set_title(sky.title, fontsize="medium")
    for axis in (above, below):
        axis.set_ylabel(f"flux ({sky.unit})" if sky.unit else "flux")
        axis.legend(loc="upper left", fontsize="small")
    below.set_xlabel("wavelength (µm)")


def _draw_field(axes: Axes, image: Image, apertures: Sequence[Aperture], *, like: Image | None = None) -> None:
    """Draw an image on the sky, arcsec from its centre, whatever its rotation, with its apertures.

    One that is to be compared has the contrast and the place of the other.
    """
    from matplotlib.patches import Circle

    shown_like = image if like is None else like
    n_y, n_x = shown_like.data.shape
    centre = pixel_to_sky(shown_like.wcs, (n_y - 1) / 2, (n_x - 1) / 2)
    corners = np.indices((image.data.shape[0] + 1, image.data.shape[1] + 1)) - 0.5
    east, north = _from_centre(pixel_to_sky(image.wcs, corners[0], corners[1]), centre)
    finite = shown_like.data[np.isfinite(shown_like.data)]
    low, high = np.percentile(finite, (5, 99.5)) if len(finite) else (0.0, 1.0)
    unit = max((high - low) / 10, 1e-30)
    shown = np.ma.masked_invalid(np.arcsinh((image.data - low) / unit))
    brightest = np.arcsinh((finite.max(initial=low) - low) / unit)
    axes.pcolormesh(east, north, shown, cmap="gray", vmin=0, vmax=brightest or None, rasterized=True)
    for aperture in apertures:
        x, y = _from_centre((aperture.ra, aperture.dec), centre)
        colour = "tab:orange" if aperture.kind == "star" else "tab:cyan"
        axes.add_patch(Circle((float(x), float(y)), aperture.radius_arcsec, fill=False, color=colour))
        if aperture.kind == "star":
            axes.annotate(aperture.id, (float(x), float(y)), color=colour, fontsize="x-small", ha="center", va="center")
    axes.invert_xaxis()
    axes.set_aspect("equal")
    title = image.name if image.ifu is None else f"IFU {image.ifu} {image.name}"
    how = "" if like is None else f", {_BY_HEADERS}"
    axes.set_title(f'{title}, {pixel_scale_arcsec(image.wcs):.2g}"{how}', fontsize="medium")
    axes.set_xlabel("east (arcsec)")
    axes.set_ylabel("north (arcsec)")


def _draw_spectra(axes: Axes, spectra: Sequence[StarSpectrum]) -> None:
    """Draw normalised spectra above each other, the best first from below."""
    best = sorted(spectra, key=lambda s: -s.snr if np.isfinite(s.snr) else 0.0)[:_MOST_SPECTRA]
    for level, spectrum in enumerate(best):
        normal = _smoothed(spectrum.flux / np.nanmedian(spectrum.flux))
        axes.plot(spectrum.wavelength.to_value("um"), normal + level, linewidth=0.7)
        label = f"{spectrum.aperture.id}  SNR {spectrum.snr:.0f}" if np.isfinite(spectrum.snr) else spectrum.aperture.id
        axes.annotate(label, (1.005, 1 + level), xycoords=("axes fraction", "data"), fontsize="small", va="center")
    axes.set_ylim(0, len(best) + 1)
    axes.set_xlabel("wavelength (µm)")
    axes.set_ylabel("normalised flux + constant")


def _smoothed(values: Floats) -> Floats:
    """Return the running mean of a few planes, of those that have data."""
    kernel = np.ones(_SMOOTHED_PLANES)
    there = np.isfinite(values)
    total = np.convolve(np.where(there, values, 0.0), kernel, mode="same")
    return np.where(there, total / np.maximum(np.convolve(there, kernel, mode="same"), 1), np.nan)


def _running_median(values: Floats) -> Floats:
    """Return the level on which lines stand: the median of many planes, of those that have data."""
    padded = np.pad(values, _LEVEL_PLANES // 2, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _LEVEL_PLANES)
    level = np.full(len(values), np.nan)
    there = np.isfinite(windows).any(axis=1)
    level[there] = np.nanmedian(windows[there], axis=1)
    return level


def _from_centre(sky: Any, centre: Any) -> tuple[Any, Any]:
    """Return how far east and north, in arcsec, sky positions lie of a centre."""
    return offset_arcsec(float(centre[0]), float(centre[1]), sky[0], sky[1])


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)
