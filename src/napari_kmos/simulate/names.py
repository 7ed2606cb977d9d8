"""How the exposures of a night are called, in their headers and on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from astropy.time import Time

from napari_kmos.io import safe_name
from napari_kmos.io.simulated import ExposureFacts

if TYPE_CHECKING:
    from napari_kmos.simulate.conditions import Conditions
    from napari_kmos.simulate.scene import Scene

CATEGORY = "SCI_RECONSTRUCTED"
TEMPLATE = "KMOS_spec_obs_freedither"


def file_name(scene: Scene, conditions: Conditions) -> str:
    """Return where an exposure is written: folders as for a concatenation of OBs, file names unique in the night."""
    folder = "Sky" if conditions.on_sky else f"OB{conditions.half}"
    name = f"{ob_name(scene, conditions)}_{CATEGORY}_KMOS.{_isot(conditions.mjd)}.fits"
    parts = (f"con{conditions.epoch + 1}", folder, epoch_name(conditions), f"KMOS.{_isot(conditions.ob_mjd)}_tpl", name)
    return "/".join(safe_name(part) for part in parts)


def epoch_name(conditions: Conditions) -> str:
    """Return the date of an epoch."""
    return _isot(conditions.ob_mjd)[:10]


def ob_name(scene: Scene, conditions: Conditions) -> str:
    """Return the name of the OB of an exposure."""
    part = "Sky" if conditions.on_sky else f"Half{conditions.half}"
    return f"sim_field_{scene.parameters.band}_{conditions.epoch + 1}_{part}"


def exposure_facts(scene: Scene, conditions: Conditions) -> ExposureFacts:
    """Return what the header of an exposure says beside its arms."""
    parameters = scene.parameters
    return ExposureFacts(
        object_name=f"sim_{'dark_cloud' if conditions.on_sky else 'field'}.cat",
        ob_name=ob_name(scene, conditions),
        ob_start=_isot(conditions.ob_mjd)[:19],
        number=conditions.number,
        total=conditions.total,
        exptime_s=parameters.exptime,
        seeing_arcsec=conditions.seeing_arcsec,
        recipe={"pix_scale": parameters.pix_scale, "b_samples": parameters.nz},
    )


def _isot(mjd: float) -> str:
    return str(Time(mjd, format="mjd").isot)
