"""Verdicts on what was done to a file: its sky, the absorption of the atmosphere, its fluxes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from astropy import units as u

from napari_kmos.esorex import NATIVE
from napari_kmos.esorex.settings import WINDOWS, window_settings
from napari_kmos.instrument import key_quality
from napari_kmos.recipes.evidence import BAD, DOUBT, GOOD, UNKNOWN, CheckLine, Evidence, judging
from napari_kmos.words import shortened

if TYPE_CHECKING:
    from napari_kmos.io import RecipeBlock

SCIENCE_RECIPE = "kmos_sci_red"
_TWEAKS = ("napari-kmos sky-tweak", "kmos_sky_tweak")
_TELLURIC, _CALIBRATE, _SPLICE = (f"napari-kmos {name}" for name in ("telluric", "calibrate", "splice"))
_MOLECFIT = "kmos_molecfit_correct"
_MOLECFIT_MODELS = ("kmos_molecfit_model", "kmos_molecfit_calctrans", _MOLECFIT)
_TRANSMISSIONS = ("TELLURIC", "TELLURIC_GEN", "TELLURIC_CORR", "TELLURIC_DATA")
_CORRECTED = "SINGLE_CUBES"
_RESPONSE = "RESPONSE"
_FLUX = u.Unit("erg s-1 cm-2 Angstrom-1")
_WINDOW_KEYS = tuple(key_quality(f"TELLURIC WIN{number} UM") for number in (1, 2, 3))
_SUBTRACTED = re.compile(r"sky[_\- ]?(?:tweak|sub|corr)|(?:no|without|minus)[_\- ]?sky(?![a-z])", re.IGNORECASE)
_PREPARE = "run kmos_sci_red again with no_subtract TRUE and sky_tweak FALSE (napari-kmos prepare kmos_sci_red)"


def is_subtracted(e: Evidence) -> bool:
    """Tell whether the pipeline says that it has subtracted the sky."""
    return e.flag("no_subtract", SCIENCE_RECIPE) is False or bool(e.flag("sky_tweak", SCIENCE_RECIPE))


def sky_subtraction(e: Evidence) -> CheckLine:
    """Whether the sky is still in the cubes."""
    judge, done = judging("sky"), e.block(*_TWEAKS)
    if done:
        return judge(GOOD, f"subtracted by {_with_engine(done)}", "the cubes had their sky, and one was scaled to it")
    kept, tweaked = (e.flag(name, SCIENCE_RECIPE) for name in ("no_subtract", "sky_tweak"))
    told = f"no_subtract {_said(kept)}, sky_tweak {_said(tweaked)}"
    if kept and tweaked:
        return judge(BAD, told, "the recipe does not take both: the header is not that of one run", _PREPARE)
    if kept and e.is_merged:
        reason = "exposures were combined with their sky, which differed in each of them"
        todo = "subtract it from the exposures first (napari-kmos sky-tweak), then combine"
        return judge(DOUBT, f"in the cubes ({told})", reason, todo)
    if kept:
        reason = "the sky of any block can be scaled and subtracted"
        return judge(GOOD, f"in the cubes ({told})", reason, "napari-kmos sky-tweak, before anything is combined")
    if is_subtracted(e):
        reason = "the recipe took the sky of the same block; that of another can no longer be scaled and subtracted"
        todo = f"{_PREPARE}; or go on without: napari-kmos sky-second-pass takes out what is left"
        return judge(BAD, f"subtracted by the pipeline ({told})", reason, todo)
    reason = f"no step of the history is a {SCIENCE_RECIPE} that says so"
    names = [name for block in e.blocks for name in (*block.inputs, *(used for _, used in block.calibrations))]
    if speaking := next((name for name in names if _SUBTRACTED.search(name)), ""):
        reason += f"; the name {speaking} speaks of a subtraction, which proves nothing"
    return judge(UNKNOWN, told, reason, "look at a spectrum where no star is: bright OH lines are the sky")


def sky_cubes(e: Evidence) -> CheckLine:
    """Whether there are cubes of the sky to subtract."""
    judge = judging("sky cubes")
    if e.block(*_TWEAKS):
        return judge(GOOD, "not needed any more", "the sky is subtracted already")
    if is_subtracted(e):
        return judge(DOUBT, "of no use", "the pipeline has subtracted a sky already, see sky")
    if e.skies is None:
        return judge(UNKNOWN, "not told", "it is looked for beside exposures, and this is none any more")
    if e.skies:
        names = shortened([path.name for path in e.skies])
        reason = "exposures of the sky, of the same band, here"
        return judge(GOOD, names, reason, "name them to napari-kmos sky-tweak by --sky")
    reason = "no file here is an exposure of the sky, of the same band, with its sky in it"
    if e.flag("no_subtract", SCIENCE_RECIPE):
        return judge(DOUBT, "none here", reason, "kmos_sci_red has written them too: name them by --sky")
    return judge(UNKNOWN, "none here", reason, "kmos_sci_red writes them with no_subtract TRUE and sky_tweak FALSE")


def telluric_method(e: Evidence) -> CheckLine:
    """By what the absorption of the atmosphere was taken out."""
    judge = judging("telluric")
    ours, molecfit = e.block(_TELLURIC), e.block(_MOLECFIT)
    used = e.calibrations(*_TRANSMISSIONS)
    if ours:
        return judge(
            GOOD, f"{ours.recipe}, from {shortened(ours.inputs[1:]) or 'a model'}", "its block is in the history"
        )
    if molecfit:
        return judge(GOOD, f"{_MOLECFIT} with {shortened(used) or 'a transmission not named'}", "it is in the history")
    if e.block(_SPLICE):
        return judge(GOOD, "cubes of several corrections, joined", f"{_SPLICE} is in the history")
    if used:
        reason = "the pipeline divided by it as it is: airmass and water may have been others"
        return judge(
            DOUBT, shortened(used), reason, "where bands are left, molecfit or napari-kmos telluric fits better"
        )
    if e.exposure.category == _CORRECTED:
        return judge(DOUBT, f"category {_CORRECTED}", f"{_MOLECFIT} makes that category, but is not in the history")
    if e.block(SCIENCE_RECIPE):
        reason = f"{SCIENCE_RECIPE} used no spectrum of a standard star, and nothing in the history came after"
        return judge(BAD, "not corrected", reason, "molecfit (napari-kmos prepare), or napari-kmos telluric")
    return judge(UNKNOWN, "not told", "no step of the history would tell", "look whether bands of H2O and CO2 are left")


def telluric_windows(e: Evidence) -> CheckLine:
    """Over which wavelengths that was fitted."""
    judge = judging("telluric windows")
    header = e.exposure.header
    fitted = [str(header[key]) for key in _WINDOW_KEYS if key in header]
    if e.block(_TELLURIC) and fitted:
        return judge(GOOD, f"{', '.join(fitted)} um", f"fitted by {_TELLURIC}")
    splice, ranges = e.block(_SPLICE), e.text("wave_range", *_MOLECFIT_MODELS)
    if splice:
        return judge(GOOD, f"joined at {splice.parameters.get('edges') or 'edges not told'}", f"by {_SPLICE}")
    if ranges:
        name = _window_name(ranges)
        reason = "a part of the band is fitted best and not meant for the rest" if name else "by molecfit"
        todo = "make the cubes of the other windows too and join them: napari-kmos splice" if len(name) == 1 else ""
        return judge(GOOD, f"{f'window {name}: ' if name else ''}{ranges} um", reason, todo)
    if telluric_method(e).verdict == BAD:
        return judge(BAD, "none", "nothing was corrected", "see telluric")
    reason = "wave_range is in the products of kmos_molecfit_model, not in what is corrected by it"
    return judge(UNKNOWN, "not told", reason, "the header of ATMOS_PARM has it; or ask who fitted")


def flux_calibration(e: Evidence) -> CheckLine:
    """Whether the values are fluxes, and by which response."""
    judge = judging("flux calibration")
    ours, response = e.block(_CALIBRATE), e.calibrations(_RESPONSE)
    unit = e.exposure.cubes[0].unit
    by = "RESPONSE not named in the header" if not response else shortened(response)
    if ours:
        return judge(
            GOOD, f"by {ours.parameters.get('response') or 'a response not named'}", f"{_CALIBRATE} is in the history"
        )
    if unit is not None and _is_flux(unit):
        if response:
            return judge(GOOD, f"{unit}, {by}", "unit and response go together")
        reason = "the unit says flux; which response and zero point made it cannot be known from the header"
        return judge(DOUBT, f"{unit}, {by}", reason, "compare a star with its catalogue magnitude")
    todo = "napari-kmos calibrate with a RESPONSE and a zero point; velocities and line widths do not need it"
    if response:
        reason = "a RESPONSE was used, and the unit does not say flux"
        return judge(DOUBT, f"{by}, unit {'not told' if unit is None else unit}", reason, todo)
    if unit is not None:
        return judge(BAD, f"none, {unit}", "no RESPONSE in the history, and the unit is no flux", todo)
    reason = "no unit, and no RESPONSE among the calibrations that are named"
    return judge(UNKNOWN, "not told", reason, "compare a star with its catalogue magnitude")


def units(e: Evidence) -> CheckLine:
    """In which unit the values are."""
    judge = judging("units")
    found = {cube.unit for cube in e.exposure.cubes}
    if len(found) > 1:
        names = ", ".join(sorted("not told" if unit is None else str(unit) for unit in found))
        return judge(BAD, names, "cubes of one file differ in unit", "reduce again; do not combine them")
    unit = found.pop()
    if unit is None:
        reason = "neither BUNIT nor the pipeline's CUBE_UNIT, or not understood"
        return judge(UNKNOWN, "not told", reason, "ask who reduced it; combine only with cubes of the same run")
    return judge(GOOD, str(unit), "BUNIT, or the pipeline's CUBE_UNIT")


def _with_engine(step: RecipeBlock) -> str:
    """Return the name of a step, and of ours which engine did it: a recipe of ESO's is told with its version."""
    if not step.recipe.startswith("napari-kmos"):
        return step.recipe
    recipe = step.parameters.get("recipe")
    engine = step.parameters.get("engine", NATIVE)
    return f"{step.recipe}, engine {engine}{f' ({recipe})' if recipe else ''}"


def _said(flag: bool | None) -> str:
    return "not told" if flag is None else str(flag).lower()


def _is_flux(unit: u.UnitBase) -> bool:
    return any((unit * area).is_equivalent(_FLUX) for area in (u.one, u.arcsec**2))


def _window_name(ranges: str) -> str:
    """Return which of our windows ranges are, such as A or ABC; empty if others."""
    numbers = re.findall(r"\d+\.?\d*", ranges)
    for name in ("".join(WINDOWS), *WINDOWS):
        known = window_settings(name)["wave_range"][0].split(",")
        if [float(one) for one in numbers] == [float(one) for one in known]:
            return name
    return ""
