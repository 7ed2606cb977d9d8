"""What is set in the recipes that make the cubes, why, and what it costs.

The settings are those with which crowded fields in the K band, whose sky is taken apart, are reduced; the windows are
the default ranges of molecfit in K in three parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from napari_kmos.errors import EngineError
from napari_kmos.instrument import FIELD_ARCSEC, N_ARMS, N_PLANES, SPAXEL_ARCSEC

#: Ranges in micron that molecfit fits, by window.
WINDOWS: Mapping[str, tuple[tuple[float, float], ...]] = MappingProxyType(
    {
        "A": ((1.975, 1.987), (1.993, 2.010), (2.041, 2.060)),
        "B": ((2.269, 2.291), (2.308, 2.335), (2.360, 2.379)),
        "C": ((2.416, 2.440), (2.445, 2.475)),
    }
)
WINDOWS_BAND = "K"
FINE_PIX_SCALE, FINE_SAMPLES = 0.1, 3072
_SPECTRA = ("STAR_SPEC", "EXTRACT_SPEC", "SCIENCE", "SCI_RECONSTRUCTED")
_KERNEL = (
    "FALSE",
    "molecfit fits the width of the lines instead of taking it from a table; needs a bright star, and takes longer",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeSettings:
    """What a recipe is given.

    Parameters
    ----------
    needed : tuple of tuple of str
        Tags it cannot do without; of each group one.
    wished : tuple of str
        Tags without which it runs, and does less.
    settings : mapping of str to (str, str)
        Value of a parameter, and why and at what cost.
    has_windows : bool
        It fits windows of wavelengths.
    """

    needed: tuple[tuple[str, ...], ...]
    wished: tuple[str, ...] = ()
    settings: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    has_windows: bool = False


PREPARED: Mapping[str, RecipeSettings] = MappingProxyType(
    {
        "kmos_sci_red": RecipeSettings(
            needed=(("SCIENCE",), ("XCAL",), ("YCAL",), ("LCAL",), ("WAVE_BAND",), ("MASTER_FLAT",)),
            wished=("ILLUM_CORR",),
            settings={
                "no_subtract": (
                    "TRUE",
                    "keeps the sky in the cubes and writes those of the sky too: it is subtracted afterwards, that of "
                    "another block as well; the cubes are of no use before that",
                ),
                "sky_tweak": ("FALSE", "cannot be TRUE together with no_subtract"),
            },
        ),
        "kmos_molecfit_model": RecipeSettings(
            needed=(_SPECTRA,), settings={"use_input_kernel": _KERNEL}, has_windows=True
        ),
        "kmos_molecfit_calctrans": RecipeSettings(
            needed=(_SPECTRA, ("ATMOS_PARM",), ("BEST_FIT_PARM",)), settings={"use_input_kernel": _KERNEL}
        ),
        "kmos_molecfit_correct": RecipeSettings(needed=(_SPECTRA, ("TELLURIC_CORR", "TELLURIC_DATA"))),
        "kmos_gen_telluric": RecipeSettings(
            needed=(("RESPONSE",),),
            wished=("TELLURIC",),
            settings={
                "method": (
                    "2",
                    "the RESPONSE with the zero point of TELLURIC, or without one that of RESPONSE; absorption by the "
                    "atmosphere is left to molecfit",
                )
            },
        ),
    }
)


def sampling_settings(pix_scale: float, b_samples: int) -> dict[str, tuple[str, str]]:
    """Return what is set about the grid of the cubes, and what it costs against the default of the recipe.

    Parameters
    ----------
    pix_scale : float
        Side of a spaxel in arcsec.
    b_samples : int
        Planes of a cube.

    Raises
    ------
    EngineError
        If there is no such grid.
    """
    if not (0 < pix_scale <= FIELD_ARCSEC and b_samples > 0):
        msg = f"spaxels of {pix_scale:g} arcsec and {b_samples} planes; expected a side up to {FIELD_ARCSEC:g} arcsec "
        raise EngineError(msg + "and one plane or more (--pix-scale, --b-samples)")
    side, default = round(FIELD_ARCSEC / pix_scale), round(FIELD_ARCSEC / SPAXEL_ARCSEC)
    factor = side**2 / default**2
    megabytes = N_ARMS * 2 * 4 * side**2 * b_samples / 1e6
    finer = "stars and edges are followed more finely; " if factor > 1 else ""
    correlated = ", and neighbours share noise" if factor > 1 or b_samples > N_PLANES else ""
    return {
        "b_samples": (
            str(b_samples),
            f"{b_samples / N_PLANES:g} times the planes of the default; the standard star needs the same",
        ),
        "pix_scale": (
            f"{pix_scale:g}",
            f"{side} x {side} spaxels an IFU, {factor:g} times those of the default; {finer}an exposure with noise is "
            f"{megabytes:.0f} MB{correlated}",
        ),
    }


def window_settings(windows: str) -> dict[str, tuple[str, str]]:
    """Return the ranges that molecfit fits in one or several windows, such as ``"A"`` or ``"ABC"``.

    Raises
    ------
    EngineError
        If there is no such window.
    """
    if not windows or any(letter not in WINDOWS for letter in windows):
        msg = f"window {windows!r} is not known; expected {', '.join(WINDOWS)}, or several as one fit, such as ABC"
        raise EngineError(msg)
    ranges = [edge for letter in windows for pair in WINDOWS[letter] for edge in pair]
    reason = f"the part of the band that is fitted, window {windows}; the fit is best there, and not meant for the rest"
    return {"wave_range": (",".join(f"{edge:.3f}" for edge in ranges), reason)}


def find_settings(recipe: str) -> RecipeSettings:
    """Return what a recipe is given.

    Raises
    ------
    EngineError
        If nothing is known of it.
    """
    if recipe not in PREPARED:
        msg = f"recipe {recipe!r} cannot be prepared; there are {', '.join(PREPARED)}, and for kmos_sky_tweak and "
        raise EngineError(msg + "kmos_combine `sky-tweak` and `combine` with --engine esorex --dry-run")
    return PREPARED[recipe]


def config_text(recipe: str, settings: Mapping[str, tuple[str, str]]) -> str:
    """Return the parameter file of a recipe, for ``esorex --recipe-config``."""
    lines = [f"# Parameters of {recipe}, written by napari-kmos; what is not here keeps its default."]
    for name, (value, reason) in settings.items():
        lines += ["", f"# {reason}"] if reason else [""]
        lines.append(f"kmos.{recipe}.{name}={value}")
    return "\n".join(lines) + "\n"
