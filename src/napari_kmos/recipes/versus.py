"""Compare two subsets of exposures, combined, against each other and against their union."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.calls import recorded
from napari_kmos.combine import CombineParameters, VersusParameters
from napari_kmos.io import (
    check_free,
    forget_record,
    output_dir,
    safe_name,
    write_figure,
    write_image,
    write_record,
    write_table,
)
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.combine_tasks import CombineChoice
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.recipes.versus_work import VersusWork
from napari_kmos.report.versus import versus_figure, versus_table, versus_text

if TYPE_CHECKING:
    from napari_kmos.aperture import Aperture
    from napari_kmos.recipes.versus_work import Compared

_NO_PARAMETERS, _NO_CHOICE, _NO_STARS = CombineParameters(), CombineChoice(), VersusParameters()


@recorded()
def versus(
    files: Sequence[Path | str],
    out_dir: Path | str,
    *,
    subsets: str,
    choice: CombineChoice = _NO_CHOICE,
    parameters: CombineParameters = _NO_PARAMETERS,
    apertures: Sequence[Aperture] | Path | str | None = None,
    stars: VersusParameters = _NO_STARS,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Combine two subsets of exposures and tell what each is worth; no cube is written.

    Parameters
    ----------
    files : sequence of path
        Exposures, combined cubes or mosaics.
    out_dir : path
        Folder of the products; made if missing.
    subsets : str
        ``"half1:half2"``, ``"half1:all"``, ``"epoch1:epoch2"``, ``"1,3-5"`` (against the rest), ``"without:FILE"``
        (against all), and what else `Subsets.pair` takes.
    choice : CombineChoice, optional
        What is combined into a product and what is known of it, as in `combine`.
    parameters : CombineParameters, optional
        How exposures are placed and merged, as in `combine`.
    apertures : path or sequence of Aperture, optional
        Stars whose signal-to-noise ratio is compared; those outside a product are left out. By default the stars of
        its white light.
    stars : VersusParameters, optional
        How these are found; apertures of a file without a radius have the one of these.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told the planes; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products: for each ``VERSUS_<name>_<a>_<b>.ecsv``, a row a star, with the noise in its meta. Extras: the figure
        (``.png``), the images (``.fits``: the difference, its noise, SIGMA, A, B and UNION) and the record (``.json``).
        Measured, for each: exposures, noise over that of the union, difference, stars.

    Raises
    ------
    KmosError
        If the subsets cannot be understood, or no target has exposures in both; and as `combine`.
    AlignmentError, GeometryError, WriteError
        As `combine`.

    Notes
    -----
    All is on the grid of all files, so that to leave out one more changes no other exposure.
    """
    work = VersusWork(files, choice=choice, parameters=parameters)
    work.subsets.pair(subsets)  # before there is a folder
    folder = output_dir(out_dir)
    outcomes = [
        write_comparison(one, folder, work=work, stars=stars, apertures=apertures, overwrite=overwrite)
        for one in work.compare(subsets, apertures=apertures, stars=stars, progress=progress)
    ]
    return join_outcomes(outcomes)


def write_comparison(
    compared: Compared,
    folder: Path,
    *,
    work: VersusWork,
    stars: VersusParameters = _NO_STARS,
    apertures: object = None,
    overwrite: bool = False,
) -> Outcome:
    """Write table, figure, images and record of a comparison; see `versus`."""
    stem = "_".join(safe_name(name) for name in ("VERSUS", *compared.names))
    table, figure, image, record = (folder / f"{stem}.{ending}" for ending in ("ecsv", "png", "fits", "json"))
    for path in (table, figure, image, record):
        check_free(path, overwrite)
    found, told = compared.comparison, compared.told()
    given = [Path(apertures)] if isinstance(apertures, Path | str) else []
    used = {
        **parameters_of(stars),
        **parameters_of(work.parameters),
        **work.choice.given,
        "versus": ":".join(compared.texts),
    }
    step = Step(
        name="combine --versus",
        inputs=(*work.files, *work.choice.files, *given),
        parameters=used,
        defaults={**defaults_of(stars), **defaults_of(work.parameters), **CombineChoice().given},
        measured={"VERSUS SCATTER": round(found.scatter, 4), "VERSUS NSHARED": found.n_shared},
    )
    forget_record(table)
    write_figure(versus_figure(found, told), figure, overwrite=overwrite)
    sides = {"SIGMA": dataclasses.replace(found.difference, data=found.sigma, unit=None)}
    sides |= {"A": found.a.image, "B": found.b.image, "UNION": found.union.image}
    write_image(found.difference, image, step=step, category="VERSUS_IMAGE", others=sides, overwrite=overwrite)
    write_table(versus_table(told), table, overwrite=overwrite)  # last: where it is, the rest is
    write_record(table, step, products=(table, figure, image), overwrite=overwrite)
    return Outcome(products=(table,), extras=(figure, image, record), measured={table.name: told})


def describe_versus(outcome: Outcome) -> str:
    """Return what was compared as text; empty if nothing was."""
    return "\n\n".join(versus_text(told) for told in outcome.measured.values() if "snr_over_union" in told)
