"""Headers as real exposures have them, for exposures that were simulated, and the truth that goes with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.io import fits

from napari_kmos import instrument
from napari_kmos.io._arms import deg_to_sexagesimal
from napari_kmos.io._cards import set_card
from napari_kmos.io.atomic import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astropy.table import Table

    from napari_kmos.exposure import Arm, Exposure

_TYPES = {"object": "O", "sky": "S"}
#: Optical seeing over that at 2.2 micron.
_OPTICAL = (2.2 / 0.5) ** 0.2
#: Parameters of kmos_sci_red, two-OB procedure: name, value, default.
_RECIPE = (
    ("imethod", "CS", "CS"),
    ("smethod", "CS", "CS"),
    ("method", "none", "none"),
    ("edge_nan", "false", "false"),
    ("b_samples", "2048", "2048"),
    ("b_start", "-1", "-1"),
    ("b_end", "-1", "-1"),
    ("pix_scale", "0.2", "0.2"),
    ("no_combine", "true", "false"),
    ("no_subtract", "true", "false"),
    ("sky_tweak", "false", "false"),
    ("tbsub", "true", "true"),
    ("discard_subband", "false", "false"),
    ("stretch", "false", "false"),
    ("stretch_degree", "8", "8"),
    ("stretch_resampling", "spline", "spline"),
    ("oscan", "true", "true"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureFacts:
    """What a primary header says of an exposure beside its arms.

    Parameters
    ----------
    object_name, ob_name, ob_start : str
        OBJECT, name and start of the OB.
    number, total : int
        1-based number in its OB, and exposures of the OB.
    exptime_s : float
        Exposure time.
    seeing_arcsec : float
        FWHM at 2.2 micron.
    recipe : mapping
        Parameters of the recipe that made the cubes, where they differ from its defaults.
    """

    object_name: str
    ob_name: str
    ob_start: str
    number: int
    total: int
    exptime_s: float
    seeing_arcsec: float
    recipe: Mapping[str, Any]


def primary_header(exposure: Exposure, facts: ExposureFacts) -> fits.Header:
    """Return the primary header of a simulated exposure, with the keywords of real ones."""
    header = fits.Header()
    for key, value, comment in (*_pointing_cards(exposure, facts), *_run_cards(exposure, facts)):
        _set(header, key, value, comment)
    for detector in (1, 2, 3):
        set_card(header, f"ESO INS FILT{detector} ID", exposure.band, "Filter unique id")
        set_card(header, instrument.key_band(detector), exposure.band, "Grating unique ID")
    for arm in exposure.arms:
        for key, value in _arm_cards(arm):
            set_card(header, key, value)
    set_card(header, instrument.KEY_CATEGORY, exposure.category, "Category of pipeline product frame")
    set_card(header, "ESO PRO TYPE", "REDUCED", "Product type")
    for key, value, comment in _recipe_cards(facts):
        _set(header, key, value, comment)
    return header


def extension_header(exposure: Exposure, arm: Arm, *, detector: int) -> fits.Header:
    """Return the cards of an arm's extensions beside name, axes and unit, which the writer adds."""
    header = fits.Header()
    set_card(header, "INHERIT", True, "Extension inherits primary header")
    set_card(header, instrument.KEY_CUBE_UNIT, "ADU/sec", "Unit of cubes")
    set_card(header, "ESO DET ID", "KMOS", "Detector system Id")
    set_card(header, instrument.KEY_DETECTOR, detector, "Chip index")
    set_card(header, "ESO DET CHIP GAIN", instrument.GAIN_E_PER_ADU, "[e-/ADU] Gain")
    set_card(header, f"ESO INS FILT{detector} ID", exposure.band, "Filter unique id")
    set_card(header, instrument.key_band(detector), exposure.band, "Grating unique ID")
    for key, value in _arm_cards(arm):
        if key.endswith((" NAME", " ALPHA", " DELTA")):
            set_card(header, key, value)
    return header


def _pointing_cards(exposure: Exposure, facts: ExposureFacts) -> list[tuple[str, Any, str]]:
    """Return instrument, date and where the telescope points."""
    used = [arm for arm in exposure.arms if arm.ra is not None and arm.dec is not None]
    ra = sum(arm.ra or 0.0 for arm in used) / max(len(used), 1)
    dec = sum(arm.dec or 0.0 for arm in used) / max(len(used), 1)
    east, north = exposure.dither_arcsec
    date, mjd = ("", 0.0) if exposure.date is None else (str(exposure.date.isot), float(exposure.date.mjd))
    return [
        (instrument.KEY_INSTRUMENT, instrument.NAME, ""),
        ("ORIGIN", "SIMULATED", "made by napari-kmos, not observed"),
        ("TELESCOP", "ESO-VLT-U1", "ESO Telescope Name"),
        (instrument.KEY_OBJECT, facts.object_name, "Original target."),
        ("RA", ra, "[deg] pointing (J2000)"),
        ("DEC", dec, "[deg] pointing (J2000)"),
        ("EQUINOX", 2000.0, "Standard FK5"),
        (instrument.KEY_EXPTIME, facts.exptime_s, "Integration time"),
        (instrument.KEY_MJD, mjd, "Obs start"),
        (instrument.KEY_DATE, date, "Observing date"),
        ("ESO TEL IA FWHM", round(facts.seeing_arcsec, 3), "[arcsec] Delivered seeing corrected by airmass"),
        ("ESO TEL IA FWHMLIN", round(facts.seeing_arcsec, 3), "[arcsec] Delivered seeing on IA detector"),
        ("ESO TEL AMBI FWHM START", round(facts.seeing_arcsec * _OPTICAL, 3), "[arcsec] Seeing at start"),
        ("ESO TEL AMBI FWHM END", round(facts.seeing_arcsec * _OPTICAL, 3), "[arcsec] Seeing at end"),
        ("ESO OCS ROT NAANGLE", 190.9, "[deg] Rotator relative to nasmyth"),
        (instrument.KEY_ROTATION, exposure.rotation_deg, "[deg] Rotator offset angle"),
        ("ESO OCS TARG ALPHA", deg_to_sexagesimal(ra / 15), "[HHMMSS.TTT] Telescope alpha"),
        ("ESO OCS TARG DELTA", deg_to_sexagesimal(dec), "[DDMMSS.TTT] Telescope delta"),
        (instrument.KEY_DITHER_RA, east, "[arcsec] Telescope dither in ALPHA"),
        (instrument.KEY_DITHER_DEC, north, "[arcsec] Telescope dither in DELTA"),
    ]


def _run_cards(exposure: Exposure, facts: ExposureFacts) -> list[tuple[str, Any, str]]:
    """Return OB, template and detector set-up."""
    return [
        (instrument.KEY_OB_NAME, facts.ob_name, "OB name"),
        (instrument.KEY_OB_START, facts.ob_start, "OB start time"),
        ("ESO OBS TARG NAME", facts.object_name, "OB target name"),
        (instrument.KEY_TEMPLATE, exposure.template, "Template signature ID"),
        ("ESO TPL START", facts.ob_start, "TPL start time"),
        ("ESO TPL EXPNO", facts.number, "Exposure number within template"),
        ("ESO TPL NEXP", facts.total, "Number of exposures within template"),
        ("ESO DET SEQ1 DIT", facts.exptime_s, "[s] Integration Time"),
        ("ESO DET NDIT", 1, "# of Sub-Integrations"),
        ("ESO DET READ CURNAME", "Nondest", "Used readout mode name"),
    ]


def _arm_cards(arm: Arm) -> list[tuple[str, Any]]:
    number = arm.number or 0
    cards: list[tuple[str, Any]] = [
        (instrument.key_arm(number, "NAME"), arm.name),
        (instrument.key_arm(number, "ORIGARM"), arm.original or number),
    ]
    if arm.not_used or arm.ra is None or arm.dec is None:
        return [*cards, (instrument.key_arm(number, "NOTUSED"), arm.not_used or "Unused")]
    return [
        *cards,
        (instrument.key_arm(number, "ALPHA"), deg_to_sexagesimal(arm.ra / 15)),
        (instrument.key_arm(number, "DELTA"), deg_to_sexagesimal(arm.dec)),
        (instrument.key_arm(number, "TYPE"), _TYPES.get(arm.role, "O")),
        (instrument.key_arm(number, "PRIOR"), 1),
        (instrument.key_arm(number, "VIGNET"), False),
    ]


def _recipe_cards(facts: ExposureFacts) -> list[tuple[str, Any, str]]:
    """Return the block of the recipe that reconstructs the cubes."""
    cards = [
        (instrument.key_recipe(1, "ID"), "kmos_sci_red", "Pipeline recipe (unique) identifier"),
        (instrument.key_recipe(1, "PIPE ID"), "kmos/simulated", "Pipeline (unique) identifier"),
    ]
    for number, (name, value, default) in enumerate(_RECIPE, start=1):
        cards.append((instrument.key_recipe(1, f"PARAM{number} NAME"), name, ""))
        used = str(facts.recipe.get(name, value))
        cards.append((instrument.key_recipe(1, f"PARAM{number} VALUE"), used, f"Default: {default}"))
    return cards


def _set(header: fits.Header, key: str, value: Any, comment: str) -> None:
    """Set a card, the comment cut to what room there is."""
    set_card(header, key, value)
    room = 80 - len(str(header.cards[key]).rstrip()) - len(" / ")
    header.comments[key] = comment[: max(room, 0)]


def write_fits_table(tables: Iterable[tuple[str, Table]], path: Path | str, *, overwrite: bool = False) -> Path:
    """Write tables as extensions of a FITS file, atomically.

    Raises
    ------
    WriteError
        If the output exists or cannot be written.
    """
    hdus = [fits.PrimaryHDU()]
    for name, table in tables:
        hdu = fits.table_to_hdu(table)
        hdu.name = name
        hdus.append(hdu)
    with atomic_path(path, overwrite) as temporary:
        fits.HDUList(hdus).writeto(temporary, overwrite=True, checksum=True)
    return Path(path)
