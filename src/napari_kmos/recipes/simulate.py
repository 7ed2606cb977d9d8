"""Write a simulated night: exposures in folders as users have them, and the truth beside them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from napari_kmos.io import check_free, output_dir, write_exposure, write_json, write_offsets, write_table
from napari_kmos.io.simulated import write_fits_table
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.simulate import SimulationParameters
from napari_kmos.simulate.detector import with_zeros
from napari_kmos.simulate.names import file_name
from napari_kmos.simulate.night import simulate_exposure
from napari_kmos.simulate.scene import Scene, make_scene
from napari_kmos.simulate.truth import (
    apertures_table,
    exposures_table,
    levels_table,
    spectra_tables,
    stars_table,
    true_offsets,
)

_TRUTH = (
    "truth.ecsv",
    "offsets_truth.ecsv",
    "spectra_truth.fits",
    "sky_truth.ecsv",
    "exposures_truth.ecsv",
    "apertures.ecsv",
)
_RECORD = "simulate.json"


def simulate(
    out_dir: Path | str,
    *,
    parameters: SimulationParameters | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Write a simulated night.

    Exposures stand in ``con<k>/{OB1,Sky,OB2}/<date>/KMOS.<start>_tpl/``, one k an epoch, under names that are unique
    in the night; the truth stands in ``out_dir`` itself.

    Parameters
    ----------
    out_dir : Path or str
        Folder of the night; made if missing.
    parameters : SimulationParameters, optional
        What the night is made of.
    overwrite : bool
        Replace files that exist.
    progress : Progress
        Told the exposures written.

    Returns
    -------
    Outcome
        Products: the object exposures, then the skies. Extras: ``truth.ecsv`` (stars; can be read as apertures),
        ``offsets_truth.ecsv`` (corrections of the header WCS), ``spectra_truth.fits``, ``sky_truth.ecsv`` (factor of
        each airglow level), ``exposures_truth.ecsv`` (seeing, wavelength shift, ...), ``apertures.ecsv`` (isolated
        stars inside every exposure) and the record ``simulate.json``.

    Raises
    ------
    WriteError
        If a file exists or cannot be written.
    """
    parameters = parameters or SimulationParameters()
    folder = output_dir(out_dir)
    scene = make_scene(parameters)
    paths = [folder / file_name(scene, conditions) for conditions in scene.exposures]
    for path in (*paths, *(folder / name for name in (*_TRUTH, _RECORD))):
        check_free(path, overwrite)
    for done, (conditions, path) in enumerate(zip(scene.exposures, paths, strict=True)):
        progress(done, len(paths), f"simulating {path.name}")
        write_exposure(with_zeros(simulate_exposure(scene, conditions)), path, overwrite=overwrite)
    progress(len(paths), len(paths), "writing the truth")
    truth = _write_truth(scene, folder, overwrite)
    measured = _measured(scene)
    record = {"step": "simulate", "parameters": dataclasses.asdict(parameters), "measured": measured}
    record["products"] = [path.relative_to(folder).as_posix() for path in paths]
    truth.append(write_json(record, folder / _RECORD, overwrite=overwrite))
    order = sorted(range(len(paths)), key=lambda k: scene.exposures[k].on_sky)
    return Outcome(products=tuple(paths[k] for k in order), extras=tuple(truth), measured=measured)


def _write_truth(scene: Scene, folder: Path, overwrite: bool) -> list[Path]:
    stars, offsets, spectra, sky, exposures, apertures = (folder / name for name in _TRUTH)
    return [
        write_table(stars_table(scene), stars, overwrite=overwrite),
        write_offsets(true_offsets(scene), offsets, overwrite=overwrite),
        write_fits_table(spectra_tables(scene), spectra, overwrite=overwrite),
        write_table(levels_table(scene), sky, overwrite=overwrite),
        write_table(exposures_table(scene), exposures, overwrite=overwrite),
        write_table(apertures_table(scene), apertures, overwrite=overwrite),
    ]


def _measured(scene: Scene) -> dict[str, Any]:
    """Return the numbers of exposures, IFUs and stars."""
    n_skies = sum(conditions.on_sky for conditions in scene.exposures)
    return {
        "n_objects": len(scene.exposures) - n_skies,
        "n_skies": n_skies,
        "ifus": list(scene.responses),
        "n_stars": len(scene.stars),
        "n_isolated": len(apertures_table(scene)),
    }
