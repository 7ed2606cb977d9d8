"""Measure the spectra of many stars: ratios, velocities, lines, indices, classes; tables and regions."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.calls import recorded
from napari_kmos.errors import KmosWarning
from napari_kmos.io import (
    StarMark,
    check_free,
    output_dir,
    read_line_list,
    read_template,
    read_zero_points,
    write_latex,
    write_record,
    write_star_regions,
    write_table,
)
from napari_kmos.measure import MeasureParameters, StarMeasurement, late_template, measure_star
from napari_kmos.measure.star import BY_TEMPLATE
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.compare import read_or_parse_windows
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.star_spectra import GivenSpectrum, read_star_spectra
from napari_kmos.report.measurements import lines_table, measurements_table, paper_table
from napari_kmos.spectral.windows import Window, windows_text
from napari_kmos.spectral.zero_points import ZeroPoint

if TYPE_CHECKING:
    from napari_kmos.spectrum import SpectralLine, StarSpectrum, Template

#: Where zero points come from: the file or the sky lines in the spectrum, or nowhere; else a table.
AUTO, NONE = "auto", "none"
_UNKNOWN = ZeroPoint(shift_pix=math.nan)
_PRODUCTS = ("measure.ecsv", "measure_lines.ecsv", "measure.tex", "measure.reg")


@recorded()
def measure(
    spectra: Sequence[Path | str],
    out_dir: Path | str,
    *,
    lines: Sequence[SpectralLine] | Path | str | None = None,
    windows: Sequence[Window] | Path | str | None = None,
    template: Template | Path | str | None = None,
    zero_points: Path | str = AUTO,
    parameters: MeasureParameters | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Measure the spectra of stars, and write tables and regions.

    Parameters
    ----------
    spectra : sequence of path
        Spectra of `extract`, their tables, or folders of them (those in it and up to two below it). Sky spectra are
        left out, and what is named twice is taken once. A file that is no such spectrum, and an id that is of several
        stars, are warned of; the rows have notes.
    out_dir : path
        Folder of the products; made if missing.
    lines : sequence of SpectralLine, or path, optional
        Lines to fit; by default those of the packaged list that are marked and lie in the band of the first spectrum.
    windows : sequence of (start, end) in micron, text, or path, optional
        Where the SNR is measured; continuum windows of the band by default.
    template : Template or path, optional
        For velocities; the project's own of late types by default.
    zero_points : path or str
        ``"auto"``: what the files tell, else the sky lines in what was subtracted from the star; ``"none"``; or a table
        as `combine` takes, a row for each cube: ``file`` is then that of the cube.
    parameters : MeasureParameters, optional
        What is measured, and how; defaults if None.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told each spectrum; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products: ``measure.ecsv`` (a row a star), ``measure_lines.ecsv`` (a row a star and line), ``measure.tex``,
        ``measure.reg`` (id, SNR, the class as colour). Extras: the record. Measured: ``stars``, for each its id, file,
        class, ratio, velocity and note.

    Raises
    ------
    ExtractionError
        If there is no spectrum of a star.
    KmosError
        If lines, windows, template or zero points cannot be understood.
    NotKmosError
        If no file can be read.
    WriteError
        If a product exists and may not be replaced.
    """
    settings = parameters or MeasureParameters()
    chosen = read_or_parse_windows(windows)
    compared = _template(template) if settings.velocity == BY_TEMPLATE else None
    zero_of = _zero_points(zero_points)
    given = read_star_spectra(spectra, progress)
    listed = _lines(lines, given)
    folder = output_dir(out_dir)
    check_free(folder / "measure.json", overwrite)
    _check_products(folder, overwrite)
    stars = []
    for number, one in enumerate(given):
        progress(number, len(given) + 1, f"measuring {one.path.name}")
        how: dict[str, Any] = {"template": compared, "lines": listed, "windows": chosen, "parameters": settings}
        stars.append(_measured_star(one, zero_of, how))
    products = write_measurements(stars, folder, overwrite=overwrite)
    files = [Path(one) for one in (lines, template) if isinstance(one, Path | str)]
    files += [] if str(zero_points) in (AUTO, NONE) else [Path(zero_points)]
    step = _step([one.path for one in given if one.spectrum] + files, settings, windows_text(chosen or ()))
    record = write_record(products[0], step, products=products, overwrite=overwrite)
    return Outcome(products=products, extras=(record,), measured={"stars": [_told(star) for star in stars]})


def write_measurements(
    stars: Sequence[StarMeasurement], out_dir: Path | str, *, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write the tables of what was measured, and regions: the products of `measure`.

    Raises
    ------
    WriteError
        If one exists and may not be replaced; nothing is written then.
    """
    products = _check_products(output_dir(out_dir), overwrite)
    table, lines, paper, regions = products
    write_table(measurements_table(stars), table, overwrite=overwrite)
    write_table(lines_table(stars), lines, overwrite=overwrite)
    write_latex(paper_table(stars), paper, overwrite=overwrite)
    marks = [StarMark(star.id, star.ra, star.dec, star.snr.value, None, star.category) for star in stars if star.snr]
    write_star_regions(marks, regions, overwrite=overwrite)
    return products


def _check_products(folder: Path, overwrite: bool) -> tuple[Path, ...]:
    """Return where the products go, if they may."""
    products = tuple(folder / name for name in _PRODUCTS)
    for path in products:
        check_free(path, overwrite)
    return products


def _template(template: Template | Path | str | None) -> Template:
    """Return the template that is meant."""
    if template is None:
        return late_template(read_line_list())
    return read_template(template) if isinstance(template, Path | str) else template


def _lines(
    lines: Sequence[SpectralLine] | Path | str | None, given: Sequence[GivenSpectrum]
) -> tuple[SpectralLine, ...]:
    """Return the lines to fit: those given, else the marked ones that the spectra reach."""
    if lines is not None:
        chosen = read_line_list(lines) if isinstance(lines, Path | str) else tuple(lines)
        counts = Counter(line.name for line in chosen)
        repeated = [name for name, count in counts.items() if count > 1]
        if repeated:
            text = f"more than one line is named {', '.join(repeated)}: the table of stars has the first of them"
            warnings.warn(text, KmosWarning, stacklevel=3)
        return chosen
    ranges = [one.spectrum.wavelength_um[[0, -1]] for one in given if one.spectrum]
    start, end = min(pair[0] for pair in ranges), max(pair[1] for pair in ranges)
    marked = (line for line in read_line_list() if line.marked and line.kind != "head")
    return tuple(line for line in marked if start < line.wavelength_um < end)


def _zero_points(source: Path | str) -> Callable[[StarSpectrum], ZeroPoint | None]:
    """Return what tells the zero point of a spectrum; None of it leaves that to the spectrum."""
    if str(source) in (AUTO, NONE):
        return lambda _: None if str(source) == AUTO else _UNKNOWN
    rows = read_zero_points(source)

    def in_table(spectrum: StarSpectrum) -> ZeroPoint:
        name = Path(spectrum.source.partition("[")[0]).name
        fitting = [row for row in rows if Path(row.file).name == name and row.ifu in (spectrum.ifu, None)]
        fitting.sort(key=lambda row: row.ifu is None)
        if fitting:
            return ZeroPoint(shift_pix=fitting[0].zero_pix, err_pix=fitting[0].err_pix)
        text = f"{spectrum.label}: no zero point of its cube {spectrum.source} in {source}"
        warnings.warn(text, KmosWarning, stacklevel=4)
        return _UNKNOWN

    return in_table


def _measured_star(
    given: GivenSpectrum, zero_of: Callable[[StarSpectrum], ZeroPoint | None], how: dict[str, Any]
) -> StarMeasurement:
    """Measure one spectrum; of a file that is none, tell why."""
    if given.spectrum is None:
        return StarMeasurement(id="", file=given.path.name, notes=(given.note,))
    star = measure_star(given.spectrum, zero_point=zero_of(given.spectrum), **how)
    notes = (*star.notes, *([given.note] if given.note else []))
    return dataclasses.replace(star, file=given.path.name, notes=notes)


def _step(inputs: Sequence[Path], settings: MeasureParameters, windows: str) -> Step:
    """Describe what was done."""
    return Step(
        name="measure",
        inputs=tuple(inputs),
        parameters={"windows": windows, **parameters_of(settings)},
        defaults={"windows": "", **defaults_of(settings)},
    )


def _told(star: StarMeasurement) -> dict[str, Any]:
    """Return what is told of one star."""
    return {
        "id": star.id,
        "file": star.file,
        "class": star.category,
        "snr": star.snr.value if star.snr else math.nan,
        "snr_noise": star.snr.propagated if star.snr else math.nan,
        "snr_der": star.snr.der if star.snr else math.nan,
        "velocity_kms": star.velocity.kms,
        "velocity_err_kms": star.velocity.err_kms,
        "velocity_frame": star.velocity.frame,
        "note": "; ".join((*star.notes, star.velocity.reason or star.velocity.note)).strip("; "),
    }
