"""Compare the spectra of many stars: one plot, one table, one region file."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.table import Table, vstack

from napari_kmos.calls import recorded
from napari_kmos.errors import KmosWarning
from napari_kmos.io import (
    check_free,
    output_dir,
    plain_text,
    read_line_list,
    read_windows,
    safe_name,
    write_figure,
    write_record,
    write_star_regions,
    write_table,
)
from napari_kmos.measure import compare_pair
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import Step
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.star_spectra import GivenSpectrum, read_star_spectra, short_name
from napari_kmos.report.spectra import compare_figure, comparison_table, pairs_table
from napari_kmos.report.traces import Look, Sourced, prepare_traces
from napari_kmos.report.traces_figure import traces_figure
from napari_kmos.spectral.lines import vacuum_um
from napari_kmos.spectral.snr import Snr, measure_snr
from napari_kmos.spectral.windows import Window, are_windows, check_windows, parse_windows, windows_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_kmos.spectrum import SpectralLine, StarSpectrum


@recorded()
def compare(
    spectra: Sequence[Path | str],
    out_dir: Path | str,
    *,
    windows: Sequence[Window] | Path | str | None = None,
    lines: Sequence[SpectralLine] | Path | str | None = None,
    pairs: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Plot spectra above each other, measure their signal-to-noise ratios, and write all stars as ds9 regions.

    Parameters
    ----------
    spectra : sequence of path
        Spectra of `extract`, their tables, or folders of them (those in it and up to two below it). Sky spectra are
        left out, and what is named twice is taken once. A file that is no such spectrum, and an id that is of several
        stars, are warned of; the rows have notes.
    out_dir : path
        Folder of the products; made if missing.
    windows : sequence of (start, end) in micron, text, or path, optional
        Where the ratio is measured: ``"2.10-2.15,2.20-2.28"``, or a file of two columns. By default continuum windows
        of the band.
    lines : sequence of SpectralLine, or path, optional
        Lines to mark; the packaged list by default.
    pairs : bool
        Compare the spectra that have the same id, of epochs or reductions, with each other: the first with each of the
        others in a table, and all in a plot for each star, with their differences below.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told each spectrum; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products: ``compare.png``, ``compare.pdf``, ``compare.ecsv``, ``compare.reg``; of pairs ``compare_pairs.ecsv``
        and ``compare_<id>.png``. Extras: the record. Measured: ``spectra``, for each its id, IFU, target, file and
        ratios.

    Raises
    ------
    ExtractionError
        If there is no spectrum of a star.
    KmosError
        If windows or lines cannot be understood.
    NotKmosError
        If a file is no spectrum.
    WriteError
        If a product exists and may not be replaced.
    """
    chosen = read_or_parse_windows(windows)
    marked = read_line_list(lines) if lines is None or isinstance(lines, Path | str) else tuple(lines)
    given = read_star_spectra(spectra, progress)
    stars = [one.spectrum for one in given if one.spectrum]
    files = [one.path for one in given if one.spectrum]
    folder = output_dir(out_dir)
    products = tuple(folder / f"compare.{suffix}" for suffix in ("png", "pdf", "ecsv", "reg"))
    several = _several(files, stars) if pairs else {}
    figures = {name: folder / f"compare_{safe_name(name)}.png" for name in several}
    beside = (folder / "compare_pairs.ecsv", *figures.values()) if pairs else ()
    for path in (*products, *beside, folder / "compare.json"):
        check_free(path, overwrite)
    ratios = [_snr(star, chosen) for star in stars]
    _warn_of_missing(stars, ratios)
    png, pdf, table, regions = products
    progress(len(given), len(given) + 1, "drawing")
    figure = compare_figure(stars, ratios, marked)
    write_figure(figure, png, overwrite=overwrite)
    write_figure(figure, pdf, overwrite=overwrite)
    write_table(_table(given, ratios), table, overwrite=overwrite)
    entries = (
        (star.aperture.id, star.aperture.ra, star.aperture.dec, ratio.value)
        for star, ratio in zip(stars, ratios, strict=True)
    )
    write_star_regions(entries, regions, overwrite=overwrite)
    for path in beside[:1]:
        write_table(_pairs(several), path, overwrite=overwrite)
    for name, path in figures.items():
        write_figure(_pair_figure(several[name], marked), path, overwrite=overwrite)
    measured = [_measured(*row) for row in zip(files, stars, ratios, strict=True)]
    written = (*products, *beside)
    record = write_record(products[0], _step(files, chosen, lines), products=written, overwrite=overwrite)
    return Outcome(products=written, extras=(record,), measured={"spectra": measured})


def read_or_parse_windows(windows: Sequence[Window] | Path | str | None) -> tuple[Window, ...] | None:
    """Return windows in micron of a text such as ``"2.10-2.15,2.20-2.28"``, of a file, or as given; None stays None.

    Raises
    ------
    KmosError
        If the text is neither a list of windows nor a file, or a window does not go upwards.
    """
    if windows is None:
        return None
    if isinstance(windows, Path | str):
        text = str(windows)
        return parse_windows(text) if are_windows(text) else read_windows(text)
    return check_windows(windows)


def _table(given: Sequence[GivenSpectrum], ratios: Sequence[Snr]) -> Table:
    """Return the table of the spectra, and below the files that are none."""
    used, others = ([one for one in given if bool(one.spectrum) is is_used] for is_used in (True, False))
    stars = [
        dataclasses.replace(one.spectrum, note="; ".join(note for note in (one.spectrum.note, one.note) if note))
        for one in used
        if one.spectrum
    ]
    table = comparison_table(stars, [one.path.name for one in used], ratios)
    if others:
        refused = Table({"file": [one.path.name for one in others], "note": [plain_text(one.note) for one in others]})
        table = vstack([table, refused], metadata_conflicts="silent")
    return table


def _snr(star: StarSpectrum, windows: Sequence[Window] | None) -> Snr:
    """Measure the ratio of a spectrum in windows, which are in vacuum."""
    return measure_snr(vacuum_um(star.wavelength, star.medium), star.flux, windows, noise=star.noise)


def _several(files: Sequence[Path], stars: Sequence[StarSpectrum]) -> dict[str, list[Sourced]]:
    """Return the spectra of each star that has more than one, by id, named by folder and file."""
    groups: dict[str, list[Sourced]] = {}
    for path, star in zip(files, stars, strict=True):
        groups.setdefault(star.aperture.id, []).append(Sourced(spectrum=star, source=short_name(path)))
    several = {name: group for name, group in groups.items() if len(group) > 1}
    if not several:
        warnings.warn("no two spectra have the same id: there is no pair to compare", KmosWarning, stacklevel=3)
    return several


def _pairs(several: Mapping[str, Sequence[Sourced]]) -> Table:
    """Return the table of pairs."""
    rows = [
        ((first.source, other.source), first.spectrum, compare_pair(first.spectrum, other.spectrum))
        for first, *others in several.values()
        for other in others
    ]
    return pairs_table(rows)


def _pair_figure(group: Sequence[Sourced], lines: Sequence[SpectralLine]) -> Figure:
    """Draw the spectra of a star together, and their differences."""
    look = Look(normalised=True, compared=True)
    return traces_figure(prepare_traces(group, look=look), look=look, lines=[line for line in lines if line.marked])


def _warn_of_missing(stars: Sequence[StarSpectrum], ratios: Sequence[Snr]) -> None:
    """Name the spectra whose ratio could not be measured."""
    missing = [star.aperture.id for star, ratio in zip(stars, ratios, strict=True) if not math.isfinite(ratio.value)]
    if missing:
        text = f"no SNR of {', '.join(missing)}: too little data or no continuum in the windows"
        warnings.warn(text, KmosWarning, stacklevel=3)


def _step(files: Sequence[Path], windows: Sequence[Window] | None, lines: Any) -> Step:
    """Describe what was done."""
    text = windows_text(windows or ())
    inputs = (*files, *([Path(lines)] if isinstance(lines, Path | str) else []))
    return Step(name="compare", inputs=inputs, parameters={"windows": text}, defaults={"windows": ""})


def _measured(path: Path, star: StarSpectrum, ratio: Snr) -> dict[str, Any]:
    """Return what is told of one star."""
    return {
        "id": star.aperture.id,
        "ifu": star.ifu,
        "target": star.target,
        "file": path.name,
        "snr": ratio.value,
        "snr_noise": ratio.propagated,
        "windows_um": [list(window) for window in ratio.windows],
    }
