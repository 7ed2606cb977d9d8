"""Which stars are extracted from which cube, and what the products are called."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import ExtractionError, KmosWarning
from napari_kmos.extract import PSF_METHODS, ExtractParameters, apertures_around, apertures_inside, split_usable
from napari_kmos.io import fits_stem, read_exposure, safe_name
from napari_kmos.io.names import names_apart
from napari_kmos.recipes.mosaic_fields import halves_by_time
from napari_kmos.recipes.offset_rows import corrected_cube
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_sky
from napari_kmos.words import shortened

if TYPE_CHECKING:
    from napari_kmos.aperture import Aperture
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.offset import Offset
    from napari_kmos.provenance import Step
    from napari_kmos.report.spectra import TableRow

OUTSIDE = "outside every cube"
#: Warnings about more stars name so many, and tell how many more there are.
MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractHow:
    """How spectra are extracted, and what is written beside them; see `extract`."""

    method: str = "aperture"
    parameters: ExtractParameters = field(default_factory=ExtractParameters)
    residual: bool = False
    text: bool = False
    apart: bool = False
    overwrite: bool = False

    @property
    def reach_arcsec(self) -> float:
        """How far outside a cube stars matter."""
        return max(self.parameters.outside_arcsec if self.method in PSF_METHODS else 0.0, self.parameters.avoid_arcsec)


@dataclass(frozen=True, slots=True, eq=False)
class CubeInFile:
    """One cube of one file, and whether its stars are wanted."""

    path: Path
    exposure: Exposure
    cube: Cube
    wanted: bool

    @property
    def name(self) -> str:
        """What the names of its products share: target and IFU."""
        target = safe_name(self.cube.name or fits_stem(self.path))
        return f"{target}_mosaic" if self.cube.ifu is None else f"{target}_ifu{self.cube.ifu}"


@dataclass(slots=True, eq=False)
class ExtractTask:
    """The stars and sky areas in one cube, where its products go, and what came of it.

    ``elsewhere`` are stars outside every cube to which this cube is the nearest: its table says so. ``neighbours`` lie
    outside this cube, and their light may reach into it. ``refused`` are stars that it cannot take, with the reason.
    """

    source: CubeInFile
    folder: Path
    stars: tuple[Aperture, ...]
    skies: tuple[Aperture, ...]
    neighbours: tuple[Aperture, ...] = ()
    refused: tuple[tuple[Aperture, str], ...] = ()
    how: ExtractHow = field(default_factory=ExtractHow)
    elsewhere: list[Aperture] = field(default_factory=list)
    step: Step | None = None
    rows: list[TableRow] = field(default_factory=list)
    products: list[Path] = field(default_factory=list)
    extras: list[Path] = field(default_factory=list)
    sky_file: Path | None = None

    @property
    def table(self) -> Path:
        """Table of the spectra."""
        return self.folder / f"spectra_{self.source.name}.ecsv"

    @property
    def regions(self) -> Path:
        """Region file of the stars."""
        return self.table.with_suffix(".reg")

    @property
    def sky(self) -> Path:
        """File of the mean sky."""
        return self.folder / f"sky_{self.source.name}.fits"

    @property
    def residual(self) -> tuple[Path, Path]:
        """Files of what a fit of the stars leaves: cube and image."""
        stem = f"residual_{self.source.name}"
        return self.folder / f"{stem}.fits", self.folder / f"{stem}_IMAGE.fits"

    def star(self, aperture: Aperture) -> Path:
        """File of one star."""
        return self.folder / f"spec_{self.source.name}_{safe_name(aperture.id)}.fits"

    def outputs(self) -> list[Path]:
        """All files that may be written."""
        paths = [*map(self.star, self.stars), self.table, self.table.with_suffix(".json"), self.regions]
        paths += self.residual if self.how.residual else ()
        paths += [path.with_suffix(".txt") for path in map(self.star, self.stars)] if self.how.text else ()
        return [*paths, self.sky] if self.skies else paths


def read_cubes(
    files: Sequence[Path | str],
    ifu: int | None,
    *,
    tables: Sequence[Sequence[Offset]] = (),
    unaccepted: str = "error",
) -> list[CubeInFile]:
    """Read the headers of all files: their cubes, with corrected coordinates if offset tables are given.

    Where one IFU is asked for, it must be in each file, and it alone is corrected.

    Raises
    ------
    ExtractionError
        If there is no cube.
    AlignmentError
        If a cube has no offset that may be used, and ``unaccepted`` is ``"error"``.
    """
    sources = []
    exposures = [read_exposure(path) for path in files]
    halves = halves_by_time(exposures) if tables else [None] * len(exposures)
    for path, exposure, half in zip(map(Path, files), exposures, halves, strict=True):
        wanted = exposure.cubes if ifu is None else (exposure.cube(ifu),)
        for cube in exposure.cubes:
            is_wanted = cube in wanted
            if is_wanted and tables:
                placed = corrected_cube(cube, exposure, tables, unaccepted=unaccepted, half=half)
                sources += [] if placed is None else [CubeInFile(path, exposure, placed, True)]
            else:
                sources.append(CubeInFile(path, exposure, cube, is_wanted))
    if not sources:
        msg = f"{len(files)} files given and no cube with data in them; give exposures, combined cubes or mosaics"
        raise ExtractionError(msg)
    return sources


def plan_tasks(
    sources: Sequence[CubeInFile], rows: Sequence[Aperture], out_dir: Path, how: ExtractHow
) -> tuple[list[ExtractTask], list[Aperture]]:
    """Give each aperture to the cubes that hold it; return the work, and the stars outside every cube."""
    names = [source.name for source in sources]
    apart = how.apart or len(set(names)) < len(names)
    folders = _folders_of([source.path for source in sources])
    tasks: list[ExtractTask] = []
    held: set[str] = set()
    for source in sources:
        usable, refused = split_usable(source.cube, rows, method=how.method, parameters=how.parameters)
        inside = apertures_inside(source.cube, usable)
        stars = tuple(row for row in inside if row.kind == "star")
        skies = tuple(row for row in inside if row.kind == "sky")
        stars_refused = tuple((row, told) for row, told in refused if row.kind == "star")
        held.update(row.id for row in (*stars, *(row for row, _ in stars_refused)))
        if (stars or stars_refused) and source.wanted:
            near = apertures_around(source.cube, usable, how.reach_arcsec)
            folder = out_dir / folders[source.path] if apart else out_dir
            tasks.append(ExtractTask(source, folder, stars, skies, near, stars_refused, how))
            _warn_of_refused(refused)
    all_stars = [row for row in rows if row.kind == "star"]
    outside = [row for row in all_stars if row.id not in held]
    _check(tasks, all_stars, sources, how.parameters)
    if outside:
        text = f"{OUTSIDE}: {shortened([row.id for row in outside], MOST_NAMED)}"
        warnings.warn(text, KmosWarning, stacklevel=3)
    for row in outside:
        min(tasks, key=lambda task: _distance(task.source.cube, row)).elsewhere.append(row)
    return tasks, outside


def _folders_of(paths: Sequence[Path]) -> dict[Path, str]:
    """Name a folder after each file; after those the file is in, too, where several have one name, as epochs do."""
    files = list(dict.fromkeys(paths))
    names = (safe_name(fits_stem(Path(safe_name(name)))) for name in names_apart(files))
    return dict(zip(files, names, strict=True))


def _warn_of_refused(refused: Sequence[tuple[Aperture, str]]) -> None:
    """Name the apertures that a cube cannot take."""
    for row, told in refused:
        warnings.warn(f"{row.kind} aperture {row.id!r}: {told}; it is left out", KmosWarning, stacklevel=4)


def _check(
    tasks: Sequence[ExtractTask],
    stars: Sequence[Aperture],
    sources: Sequence[CubeInFile],
    parameters: ExtractParameters,
) -> None:
    """Refuse what cannot give a spectrum, or would give two of one name."""
    if not stars:
        msg = "all apertures are of kind sky; expected at least one of kind star"
        raise ExtractionError(msg)
    if not tasks:
        wanted = [source for source in sources if source.wanted]
        ra, dec = _centre(wanted[0].cube)
        where = f"the first of {len(wanted)} cubes is at RA {ra:.5f}, Dec {dec:.5f}"
        msg = f"none of the {len(stars)} star apertures lies in any cube ({where}); give positions in degrees"
        raise ExtractionError(msg)
    if parameters.sky == "areas" and not any(task.skies for task in tasks):
        msg = "no aperture of kind sky lies in a cube with stars; pick some, or take the sky from an annulus"
        raise ExtractionError(msg)
    taken: dict[Path, CubeInFile] = {}
    for task in tasks:
        for path in task.outputs():
            if path in taken:
                _refuse_clash(path, taken[path], task)
            taken[path] = task.source


def _refuse_clash(path: Path, first: CubeInFile, task: ExtractTask) -> None:
    """Tell what would have the same file."""
    same = [repr(row.id) for row in task.stars if task.star(row) == path]
    what = f"the stars {' and '.join(same)}" if len(same) > 1 else f"{first.path} and {task.source.path}"
    msg = f"{what} would both become {path.name}; rename one, or extract them into different folders (-o)"
    raise ExtractionError(msg)


def _centre(cube: Cube) -> tuple[float, float]:
    """Sky position of the middle of a cube."""
    n_y, n_x = cube.shape[1:]
    ra, dec = pixel_to_sky(cube.wcs, (n_y - 1) / 2, (n_x - 1) / 2)
    return float(ra), float(dec)


def _distance(cube: Cube, aperture: Aperture) -> float:
    """Distance of an aperture from the middle of a cube; exact enough to find the nearest cube."""
    return math.hypot(*offset_arcsec(*_centre(cube), aperture.ra, aperture.dec))
