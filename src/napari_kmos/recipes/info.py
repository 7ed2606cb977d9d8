"""What files hold and how they were made, from their headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import NotKmosError
from napari_kmos.io import RecipeBlock, read_exposure, read_history, read_images, read_recipe_blocks
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.spatial.wcs import pixel_to_sky, position_angle_deg

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.io import fits
    from astropy.wcs import WCS

    from napari_kmos.cube import Cube, Image
    from napari_kmos.exposure import Arm, Exposure
    from napari_kmos.spectrum import StarSpectrum


def info(files: Sequence[Path]) -> Outcome:
    """Tell what files hold and how they were made; only headers are read.

    Parameters
    ----------
    files : sequence of Path
        Exposures, combined cubes, mosaics, collapsed images, exposure masks, spectra.

    Returns
    -------
    Outcome
        ``measured["files"]`` holds a mapping a file: ``file``, ``kind``, ``band``, ``date``, ..., ``cubes`` or
        ``images`` or ``spectrum``, ``unused_arms``, ``unused_extensions`` (``name`` and ``reason``), ``recipes`` (see
        `recipe_facts`) and ``history``.

    Raises
    ------
    NotKmosError
        If a file holds nothing we know.
    """
    return Outcome(measured={"files": [_facts(Path(path)) for path in files]})


def recipe_facts(block: RecipeBlock) -> dict[str, Any]:
    """Return what is told of a step: the parameters that were changed, and what they are if nothing is said."""
    return {
        "recipe": block.recipe,
        "version": block.version,
        "inputs": len(block.inputs),
        "changed": block.changed,
        "defaults": {name: block.defaults[name] for name in block.changed if name in block.defaults},
        "calibrations": [{"category": category, "name": name} for category, name in block.calibrations],
    }


def told_changes(step: Mapping[str, Any]) -> str:
    """Return the parameters of a step that differ from their defaults, with these, to be read by people.

    Parameters
    ----------
    step : mapping
        As `recipe_facts` returns it.
    """
    defaults = step["defaults"]
    return ", ".join(
        f"{name}={value or repr('')}" + (f" (default {defaults[name] or repr('')})" if name in defaults else "")
        for name, value in step["changed"].items()
    )


def told_calibrations(step: Mapping[str, Any]) -> str:
    """Return the calibrations of a step, by category and name, to be read by people; as `told_changes`."""
    return ", ".join(f"{one['category']} {one['name']}".strip() for one in step["calibrations"])


def _facts(path: Path) -> dict[str, Any]:
    """Return the facts of one file: a cube file, else an image, else a spectrum."""
    try:
        return _exposure_facts(path, read_exposure(path))
    except NotKmosError as no_cube:
        for read in (_images_facts, _spectrum_facts):
            try:
                return read(path)
            except NotKmosError:
                continue
        raise no_cube from None


def _exposure_facts(path: Path, exposure: Exposure) -> dict[str, Any]:
    return {
        "file": str(path.absolute()),
        "kind": exposure.kind,
        "band": exposure.band,
        "date": exposure.date.utc.isot if exposure.date is not None else "",
        "category": exposure.category,
        "object": exposure.object_name,
        "ob": exposure.ob_name,
        "template": exposure.template,
        "dither_arcsec": list(exposure.dither_arcsec),
        "rotation_deg": exposure.rotation_deg,
        "cubes": [_cube_facts(arm, arm.cube) for arm in exposure.arms if arm.cube is not None],
        "unused_arms": {
            arm.number: arm.not_used or arm.name or "no target" for arm in exposure.arms if arm.cube is None
        },
        "unused_extensions": [{"name": name, "reason": reason} for name, reason in exposure.unused],
        **_making(exposure.header),
    }


def _cube_facts(arm: Arm, cube: Cube) -> dict[str, Any]:
    n_planes, n_y, n_x = cube.shape
    wave = cube.wavelength_um
    noise = "none" if cube.noise is None else "estimated" if cube.noise_estimated else "stored"
    return {
        "ifu": cube.ifu,
        "target": cube.name,
        "role": arm.role,
        "original_arm": arm.original,
        "planes": n_planes,
        "wavelength_um": [float(wave[0]), float(wave[-1])],
        "step_um": float(wave[1] - wave[0]) if n_planes > 1 else None,
        "medium": cube.medium,
        **_field(cube.wcs, (n_y, n_x)),
        "unit": _unit(cube.unit),
        "noise": noise,
        "exptime_s": cube.exptime,
    }


def _images_facts(path: Path) -> dict[str, Any]:
    images = read_images(path)
    return {"file": str(path.absolute()), "kind": "image", "images": [_image_facts(image) for image in images]}


def _image_facts(image: Image) -> dict[str, Any]:
    return {
        "ifu": image.ifu,
        "target": image.name,
        **_field(image.wcs, (image.data.shape[0], image.data.shape[1])),
        "unit": _unit(image.unit),
        "noise": "none" if image.noise is None else "stored",
    }


def _spectrum_facts(path: Path) -> dict[str, Any]:
    from napari_kmos.io import read_spectrum

    return {"file": str(path.absolute()), "kind": "spectrum", "spectrum": _star_facts(read_spectrum(path))}


def _star_facts(spectrum: StarSpectrum) -> dict[str, Any]:
    wave = spectrum.wavelength.to_value("um")
    return {
        "id": spectrum.aperture.id,
        "kind": spectrum.aperture.kind,
        "ra_deg": spectrum.aperture.ra,
        "dec_deg": spectrum.aperture.dec,
        "radius_arcsec": spectrum.aperture.radius_arcsec,
        "target": spectrum.target,
        "ifu": spectrum.ifu,
        "planes": len(wave),
        "wavelength_um": [float(wave[0]), float(wave[-1])],
        "unit": _unit(spectrum.unit),
        "snr": spectrum.snr,
        "note": spectrum.note,
    }


def _field(wcs: WCS, shape: tuple[int, int]) -> dict[str, Any]:
    """Size, centre and orientation of a field."""
    n_y, n_x = shape
    ra, dec = pixel_to_sky(wcs, (n_y - 1) / 2, (n_x - 1) / 2)
    return {
        "size_yx": [n_y, n_x],
        "centre_deg": [float(ra), float(dec)],
        "scale_arcsec": pixel_scale_arcsec(wcs),
        "position_angle_deg": position_angle_deg(wcs),
    }


def _making(primary: fits.Header) -> dict[str, Any]:
    """How the file was made."""
    blocks = [recipe_facts(block) for block in read_recipe_blocks(primary)]
    return {"recipes": blocks, "history": list(read_history(primary))}


def _unit(unit: u.UnitBase | None) -> str:
    return "unknown" if unit is None else unit.to_string()
