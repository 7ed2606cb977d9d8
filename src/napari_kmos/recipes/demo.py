"""The whole job on a simulated night, and how well it was done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_kmos.errors import KmosError
from napari_kmos.io import check_free, output_dir, read_json, read_table, write_apertures, write_json
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.demo_clicks import click_list
from napari_kmos.recipes.demo_page import image_of, write_page
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.plan import make_plan
from napari_kmos.recipes.plan_file import set_in_plan
from napari_kmos.recipes.run import run_plan
from napari_kmos.recipes.simulate import simulate
from napari_kmos.recipes.truth import measure_fluxes, measure_noise, measure_offsets, measure_sharpness, measure_sky
from napari_kmos.simulate import SimulationParameters
from napari_kmos.simulate.scene import Scene, make_scene

#: Stars per 3 x 3 arcsec: crowded, with a star in each IFU that an aperture can measure.
_DENSITY = 8.0


def demo(
    out_dir: Path | str,
    *,
    seed: int = 1,
    parameters: SimulationParameters | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Simulate a night, plan and run it, and compare the products with the truth.

    Parameters
    ----------
    out_dir : Path
        Folder: ``night`` (the exposures and their truth), ``night.toml``, ``stars.ecsv`` (stars and dark
        places as a user would click on them), ``products``, ``by_headers`` (cubes combined without the offsets),
        ``summary.html``, ``summary.png`` and ``summary.json``.
    seed : int
        Seed of the night.
    parameters : SimulationParameters, optional
        Another night than 3 IFUs, 4 exposures in 2 epochs with a sky each, 2048 planes; its own seed counts.
    overwrite : bool
        Replace an earlier demo.
    progress : Progress
        Told every part.

    Returns
    -------
    Outcome
        The summary page, then the products of the run. Measured: ``sky``, ``offsets``, ``sharpness``, ``flux``,
        ``noise`` (see `napari_kmos.recipes.truth`) and ``seconds``.

    Raises
    ------
    WriteError
        If an earlier demo is in the way.
    """
    out = output_dir(out_dir)
    parameters = parameters or SimulationParameters(seed=seed, density=_DENSITY)
    clock = _Clock()
    for name in ("night.toml", "stars.ecsv", "summary.html", "summary.png", "summary.json"):
        check_free(out / name, overwrite)
    if overwrite:
        _remove_night(out / "night")
    night = clock.time(
        "simulate", lambda: simulate(out / "night", parameters=parameters, overwrite=overwrite, progress=progress)
    )
    scene = make_scene(parameters)
    write_apertures(click_list(scene), out / "stars.ecsv", overwrite=overwrite)
    plan_file = clock.time("plan", lambda: _plan(out, overwrite, progress))
    run = clock.time("run", lambda: run_plan(plan_file, out / "products", overwrite=overwrite, progress=progress))
    by_headers = clock.time("combine by headers", lambda: _by_headers(out, run, overwrite, progress))
    progress(0, 0, "comparing with the truth")
    measured = clock.time("compare with the truth", lambda: _measure(scene, night, run, by_headers))
    measured["seconds"] = clock.seconds
    page = _page(out, night, run, measured, by_headers=by_headers, overwrite=overwrite)
    record = write_json(measured, out / "summary.json", overwrite=overwrite)
    return Outcome(
        products=(*page, *run.products),
        extras=(record, plan_file, out / "stars.ecsv", *run.extras, *night.products, *night.extras),
        measured=measured,
    )


def text_of_numbers(measured: Mapping[str, Any]) -> str:
    """Return the measured truth as text, a line a number."""
    rows = [*numbers(measured), ("time", f"{sum(measured['seconds'].values()):.0f} s", _parts(measured["seconds"]))]
    return "\n".join(f"  {name:<28} {value:>16}   {meaning}" for name, value, meaning in rows)


def numbers(measured: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Return name, value and meaning of what was measured."""
    sky, offsets, sharpness, flux, noise = (measured[key] for key in ("sky", "offsets", "sharpness", "flux", "noise"))
    return (
        (
            "sky residual per spaxel",
            f"{sky['before']:.1f} to {sky['after']:.2f}",
            "RMS on airglow lines over the noise of the object, before and after; object less sky has 1.41 at best",
        ),
        (
            "sky residual per aperture",
            f"{sky['mean_before']:.0f} to {sky['mean_after']:.1f}",
            "the same for the mean of 36 spaxels, over its own noise",
        ),
        (
            "lines over noise, as told",
            f"{sky['told']:.2f}",
            f"median of the bands by sky-tweak itself, without the truth; largest {sky['told_largest']:.2f}",
        ),
        (
            "offset error",
            f"{offsets['median_spaxels']:.3f} spaxel",
            f"median; {offsets['accepted']} of {offsets['total']} accepted, largest error {offsets['max_spaxels']:.3f}",
        ),
        (
            "sharper by the offsets",
            f"{sharpness['peak_ratio']:.2f} times",
            f"peaks of {sharpness['stars']} isolated stars over those in cubes combined by their headers, median; FWHM "
            f"{sharpness['fwhm_by_headers']:.2f} to {sharpness['fwhm_by_offsets']:.2f} arcsec",
        ),
        (
            "star flux error",
            f"{100 * flux['median_error']:.1f} %",
            f"median of {flux['stars']} isolated stars, corrected for the light outside the aperture",
        ),
        ("noise over scatter", f"{noise['over_scatter']:.3f}", "stated noise of the combined cubes over their scatter"),
    )


def step_products(run: Outcome, step: str) -> list[Path]:
    """Return what a step of a run has made, main products only, in the order of its jobs."""
    return [Path(path) for job in run.measured["jobs"] if job["step"] == step for path in job["products"]]


def _page(
    out: Path,
    night: Outcome,
    run: Outcome,
    measured: Mapping[str, Any],
    *,
    by_headers: Sequence[Path],
    overwrite: bool,
) -> tuple[Path, ...]:
    """Write the summary page."""
    compared = [(path, "spectra together") for path in step_products(run, "compare") if path.suffix == ".pdf"]
    regions = [(path, "all stars, for ds9") for path in step_products(run, "compare") if path.suffix == ".reg"]
    cubes = combined_cubes(run)
    return write_page(
        out,
        numbers=numbers(measured),
        sky=(night.products[0], step_products(run, "sky-tweak")[0]),
        cubes=cubes,
        by_headers=by_headers,
        spectra=star_spectra(run),
        files=[
            (out / "night.toml", "the plan: edit it and run it again"),
            *((path, "combined cube") for path in cubes),
            *((path, "how well the sky was subtracted, an IFU") for path in _sky_figures(run)),
            *((path, "offsets") for path in step_products(run, "align")),
            *regions,
            *compared,
            (out / "night" / "truth.ecsv", "the true stars"),
        ],
        overwrite=overwrite,
    )


def combined_cubes(run: Outcome) -> list[Path]:
    """Return the combined cubes of a run, without the table of the offsets used."""
    return [path for path in step_products(run, "combine") if path.suffix == ".fits"]


def star_spectra(run: Outcome) -> list[Path]:
    """Return the spectra of the stars of a run."""
    return [path for path in step_products(run, "extract") if path.name.startswith("spec_") and path.suffix == ".fits"]


class _Clock:
    """Times the parts of the demo."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, name: str, call: Callable[[], Any]) -> Any:
        """Call and keep the time it took."""
        start = time.monotonic()
        result = call()
        self.seconds[name] = round(time.monotonic() - start, 1)
        return result


def _plan(out: Path, overwrite: bool, progress: Progress) -> Path:
    """Plan the night; the click list is beside the plan."""
    plan_file = make_plan([out / "night"], out / "night.toml", overwrite=overwrite, progress=progress).products[0]
    return set_in_plan(plan_file, "extract", apertures="stars.ecsv", sky="areas")


def _by_headers(out: Path, run: Outcome, overwrite: bool, progress: Progress) -> list[Path]:
    """Combine what the run has combined, as the headers say; return the cubes in the order of those of the run."""
    files, names = step_products(run, "sky-tweak"), [cube.name for cube in combined_cubes(run)]
    made = combine(files, out / "by_headers", overwrite=overwrite, progress=progress).products
    return sorted(made, key=lambda cube: names.index(cube.name))


def _measure(scene: Scene, night: Outcome, run: Outcome, by_headers: Sequence[Path]) -> dict[str, Any]:
    """Compare the products with the truth."""
    n_objects = sum(not conditions.on_sky for conditions in scene.exposures)
    cubes = combined_cubes(run)
    offsets = step_products(run, "align")[0]
    return {
        "sky": {
            **measure_sky(scene, night.products[:n_objects], step_products(run, "sky-tweak")),
            **_told_of_sky(step_products(run, "sky-tweak")),
        },
        "offsets": measure_offsets(scene, offsets),
        "sharpness": measure_sharpness(scene, [*map(image_of, cubes)], [*map(image_of, by_headers)], click_list(scene)),
        "flux": measure_fluxes(scene, cubes, star_spectra(run), click_list(scene)),
        "noise": measure_noise(scene, cubes),
    }


def _told_of_sky(products: Sequence[Path]) -> dict[str, float]:
    """Return what sky-tweak said of its bands: median and largest of what is left over the noise."""
    tables = [read_table(product.with_name(f"{product.stem}_bands.ecsv")) for product in products]
    left = np.concatenate([np.asarray(table["residual_over_noise"], dtype=float) for table in tables])
    known = left[np.isfinite(left)]
    return {
        "told": float(np.median(known)) if known.size else float("nan"),
        "told_largest": float(known.max(initial=0.0)) if known.size else float("nan"),
    }


def _sky_figures(run: Outcome) -> list[Path]:
    """Return the figures of the first exposure whose sky was subtracted."""
    first = step_products(run, "sky-tweak")[0]
    return sorted(first.parent.glob(f"{first.stem}_IFU*.png"))


def _parts(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items())


def _remove_night(folder: Path) -> None:
    """Remove the exposures of an earlier night, as its record names them."""
    try:
        record = read_json(folder / "simulate.json")
    except KmosError:
        return
    for name in record.get("products", ()):
        (folder / str(name)).unlink(missing_ok=True)
