"""Find the stars of cubes: one list of apertures, in which a star keeps its id from one time to the next."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from astropy import units as u

from napari_kmos.aperture import Aperture
from napari_kmos.calls import recorded
from napari_kmos.errors import KmosError
from napari_kmos.io import check_free, read_apertures, write_apertures, write_record
from napari_kmos.lazy import read_chosen_planes
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.extract_plan import read_cubes
from napari_kmos.recipes.offset_tables import read_tables
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.spatial.wcs import offset_arcsec
from napari_kmos.spectral.collapse import collapse_median, plane_range
from napari_kmos.spectral.nan import divide
from napari_kmos.spectral.noise import with_noise
from napari_kmos.spectral.windows import Window, check_windows, windows_text
from napari_kmos.stars import FindParameters, detect_stars
from napari_kmos.summary import noise_model, white_light
from napari_kmos.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Array, Cube, Image
    from napari_kmos.stars import FoundStar

#: Id of a star until all are known.
_NEW = "new"
_SUFFIXES = (".ecsv", ".reg")
#: Planes from which the noise of the white light is told; it varies slowly.
_NOISE_PLANES, _FEW_PLANES = 64, 8
#: What a median of many planes is noisier than their mean.
_MEDIAN_NOISE = math.sqrt(math.pi / 2)


@dataclasses.dataclass(slots=True)
class ListedStar:
    """A star of the list, and where it was seen."""

    aperture: Aperture
    is_known: bool
    sigma: float = math.nan
    cubes: list[str] = dataclasses.field(default_factory=list)

    def row(self) -> Aperture:
        """Return the aperture with the columns that tell how it was found."""
        told = {"sigma": round(self.sigma, 2), "n_cubes": len(self.cubes), "cubes": "; ".join(self.cubes)}
        return dataclasses.replace(self.aperture, extra=MappingProxyType({**self.aperture.extra, **told}))


@recorded(out="out")
def find(
    files: Sequence[Path | str],
    out: Path | str,
    *,
    parameters: FindParameters | None = None,
    wave_um: Window | None = None,
    link_arcsec: float = 0.3,
    known: Path | str | Iterable[Aperture] = (),
    ifu: int | None = None,
    offsets: Sequence[Path | str] = (),
    unaccepted: str = "error",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Find the stars in the white light of cubes and write them as one list of apertures.

    Parameters
    ----------
    files : sequence of path
        Exposures, combined cubes, mosaics; of a mosaic no more than a piece is in memory.
    out : path
        File of the list: ``.ecsv``, or ``.reg`` without the columns that tell how a star was found.
    parameters : FindParameters, optional
        How stars are found; defaults if None.
    wave_um : tuple of float, optional
        First and last wavelength in micron of the light that is looked at; all by default.
    link_arcsec : float
        What is closer than this in two cubes is one star; it stands where it stands out most.
    known : path, or iterable of Aperture
        A list from before: what is in it stays as it is, found again or not, sky areas too; new stars get ids that are
        free.
    ifu : int, optional
        This IFU only.
    offsets, unaccepted
        As in `extract`: corrections of the files' coordinates.
    overwrite : bool
        Replace a list that exists.
    progress : Progress
        Told each cube; it may raise `Cancelled`.

    Returns
    -------
    Outcome
        Product: the list, columns ``sigma`` (the largest), ``n_cubes`` and ``cubes`` among them. Extra: the record.
        Measured: ``n_stars``, ``n_new``, and the ids ``new`` and ``missed`` (known stars found in no cube).

    Raises
    ------
    KmosError
        If a file cannot be used, no star is found and none is known, or the list would have another suffix.
    WriteError
        If the list exists and may not be replaced.
    """
    chosen, path = parameters or FindParameters(), _checked(Path(out), overwrite)
    tables = tuple(map(Path, offsets))
    sources = read_cubes(files, ifu, tables=read_tables(tables), unaccepted=unaccepted)
    wanted = [source for source in sources if source.wanted]
    before = _read_known(known, chosen)
    window = None if wave_um is None else check_windows([wave_um])[0]
    stars = [ListedStar(row, is_known=True) for row in before if row.kind == "star"]
    for number, source in enumerate(wanted):
        part = part_of(progress, number, len(wanted))
        image = white_with_noise(source.cube, window, progress=part)
        found = detect_stars(image, chosen, correlation=source.cube.correlation)
        label = source.cube.source or source.cube.label
        link(stars, found, label, link_arcsec=link_arcsec, radius_arcsec=chosen.radius_arcsec)
    listed = _named(stars, before)
    rows = [*(star.row() for star in listed), *(row for row in before if row.kind == "sky")]
    if not rows:
        msg = f"no star in {counted(len(wanted), 'cube')} stands out by {chosen.threshold:g} sigma; lower --threshold"
        raise KmosError(msg)
    write_apertures(rows, path, overwrite=overwrite)
    lists = (Path(known),) if isinstance(known, Path | str) else ()
    settings = {"wave": "" if wave_um is None else windows_text([wave_um]), "link_arcsec": link_arcsec, "ifu": ifu or 0}
    step = Step(
        name="find",
        inputs=(*map(Path, files), *lists, *tables),
        parameters={**settings, "unaccepted": unaccepted, **parameters_of(chosen)},
        defaults={"wave": "", "link_arcsec": 0.3, "ifu": 0, "unaccepted": "error", **defaults_of(chosen)},
    )
    record = write_record(path, step, overwrite=overwrite)
    return Outcome(products=(path,), extras=(record,), measured=_measured(listed))


def white_with_noise(cube: Cube, window: Window | None = None, *, progress: Progress = silent) -> Image:
    """Return the white light of a cube, or the median of a band, with its noise.

    Parameters
    ----------
    cube : Cube
        In memory or lazy. Without noise, it is that by which neighbouring planes differ.
    window : tuple of float, optional
        First and last wavelength in micron.
    progress : Progress
        Told the pieces read; it may raise `Cancelled`.

    Returns
    -------
    Image
        Noise is that of a median of independent planes, from the noise of some of them.
    """
    band = None if window is None else u.Quantity(window, u.um)
    image = (
        white_light(cube, progress=progress) if band is None else collapse_median(cube, window=band, progress=progress)
    )
    planes = plane_range(cube, band)
    n_planes = planes.stop - planes.start
    noisy = cube if cube.noise is not None else with_noise(cube, noise_model(cube, progress=progress))
    chosen = np.unique(np.linspace(planes.start, planes.stop - 1, min(_NOISE_PLANES, n_planes)).astype(int))
    variance = _mean_variance(cast("Array", noisy.noise), chosen)
    return dataclasses.replace(image, noise=_MEDIAN_NOISE * np.sqrt(variance / n_planes))


def _mean_variance(noise: Array, planes: NDArray[np.int_]) -> NDArray[np.float64]:
    """Mean square of some planes, a few at a time, shape (n_y, n_x); NaN where none is known."""
    total, n_known = np.zeros(noise.shape[1:]), np.zeros(noise.shape[1:], dtype=int)
    for some in np.array_split(planes, -(-len(planes) // _FEW_PLANES)):
        values = read_chosen_planes(noise, some)
        known = np.isfinite(values)
        total += np.sum(np.square(np.where(known, values, 0), dtype=float), axis=0)
        n_known += np.count_nonzero(known, axis=0)
    return divide(total, n_known)


def link(
    stars: list[ListedStar], found: Sequence[FoundStar], cube: str, *, link_arcsec: float, radius_arcsec: float
) -> None:
    """Add what was found in a cube to a list: to the star that is there already, or as a new one.

    The most significant ones choose first, each the nearest; no two of one cube become the same. Stars that are new
    have no id yet. Known ones stay where they are.
    """
    places = np.array([(star.aperture.ra, star.aperture.dec) for star in stars]).reshape(-1, 2)
    taken = np.zeros(len(places), dtype=bool)
    for one in found:
        distances = np.where(taken, math.inf, np.hypot(*offset_arcsec(one.ra, one.dec, *places.T)))
        nearest = int(np.argmin(distances)) if len(places) else -1
        if nearest < 0 or distances[nearest] > link_arcsec:
            aperture = Aperture(id=_NEW, ra=one.ra, dec=one.dec, radius_arcsec=radius_arcsec)
            stars.append(ListedStar(aperture, is_known=False, sigma=one.sigma, cubes=[cube]))
            continue
        taken[nearest] = True
        star = stars[nearest]
        star.cubes.append(cube)
        if not one.sigma <= star.sigma:
            star.sigma = one.sigma
            if not star.is_known:
                star.aperture = dataclasses.replace(star.aperture, ra=one.ra, dec=one.dec)


def _checked(path: Path, overwrite: bool) -> Path:
    """Return the file of the list if it and its record may be written."""
    if path.suffix.lower() not in _SUFFIXES:
        msg = (
            f"{path}: stars are written as an ECSV table (.ecsv) or a ds9 region file (.reg); choose another name (-o)"
        )
        raise KmosError(msg)
    check_free(path.with_suffix(".json"), overwrite)
    return check_free(path, overwrite)


def _read_known(known: Path | str | Iterable[Aperture], parameters: FindParameters) -> tuple[Aperture, ...]:
    """Apertures of the list from before."""
    if isinstance(known, Path | str):
        return read_apertures(known, radius_arcsec=parameters.radius_arcsec)
    return tuple(known)


def _named(stars: Sequence[ListedStar], before: Sequence[Aperture]) -> list[ListedStar]:
    """Give new stars, the most significant first, the smallest numbers that are free; known ones come first."""
    used = {row.id for row in before}
    new = sorted((star for star in stars if not star.is_known), key=lambda star: -star.sigma)
    for star in new:
        id_ = next(str(number) for number in range(1, len(used) + 2) if str(number) not in used)
        used.add(id_)
        star.aperture = dataclasses.replace(star.aperture, id=id_)
    return [*(star for star in stars if star.is_known), *new]


def _measured(stars: Sequence[ListedStar]) -> dict[str, Any]:
    """Return what is told."""
    new = [star.aperture.id for star in stars if not star.is_known]
    missed = [star.aperture.id for star in stars if not star.cubes]
    return {"n_stars": len(stars), "n_new": len(new), "new": new, "missed": missed}
