"""Verdicts on the grid of a file: sampling, spaxels, rotation, and how the exposures cover the field."""

from __future__ import annotations

import re

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.esorex.settings import FINE_SAMPLES
from napari_kmos.instrument import (
    KEY_N_COMBINED,
    KEY_ROTATION,
    N_PLANES,
    SPAXEL_ARCSEC,
    key_quality,
    likeliest_band,
)
from napari_kmos.recipes.evidence import BAD, DOUBT, GOOD, UNKNOWN, CheckLine, Evidence, judging
from napari_kmos.spatial.wcs import position_angle_deg

_RECONSTRUCTING = ("kmos_sci_red", "kmos_reconstruct")
_KEY_HALF = key_quality("CUT HALF")
#: Planes a resolution element below which a line is not sampled: Nyquist.
_LEAST_PLANES = 2.0
#: Spaxels differ from what the recipe was told by rounding, and by this share at most.
_SAME_SCALE = 0.02
_LEAST_TURN_DEG = 0.05


def sampling(e: Evidence) -> CheckLine:
    """Whether lines are sampled."""
    judge, told = judging("sampling"), e.number("b_samples", *_RECONSTRUCTING)
    counts = sorted({cube.shape[0] for cube in e.exposure.cubes})
    samples = "b_samples not told" if told is None else f"b_samples {told:g}"
    if len(counts) > 1:
        return judge(BAD, f"{', '.join(map(str, counts))} planes", "cubes of one file differ", "reduce it again")
    wave = e.exposure.cubes[0].wavelength_um
    found = f"{counts[0]} planes, {samples}"
    if counts[0] < 2:
        return judge(UNKNOWN, found, "a single plane has no step")
    start, end = float(wave[0]), float(wave[-1])
    band = likeliest_band(start, end)
    step = (end - start) / (counts[0] - 1)
    planes = 0.5 * (start + end) / band.resolution / step
    found += f", {1000 * step:.3f} nm"
    reason = f"{planes:.1f} planes a resolution element of {band.name}, R = {band.resolution}"
    if told is not None and told != counts[0]:
        return judge(DOUBT, found, f"the cube is not the one that was reconstructed: cut, or joined; {reason}")
    if planes < _LEAST_PLANES:
        todo = f"for velocities, lines and molecfit: kmos_sci_red and the standard with b_samples {FINE_SAMPLES}"
        return judge(DOUBT, found, f"{reason}: fewer than {_LEAST_PLANES:g}; the default is {N_PLANES}", todo)
    return judge(GOOD, found, reason)


def spaxels(e: Evidence) -> CheckLine:
    """Whether spaxels are as fine as those of the instrument."""
    judge, told = judging("pixel scale"), e.number("pix_scale", *_RECONSTRUCTING)
    scale = pixel_scale_arcsec(e.exposure.cubes[0].wcs)
    found = f'{scale:.3f}", pix_scale {"not told" if told is None else f"{told:g}"}'
    if told and abs(scale / told - 1) > _SAME_SCALE:
        return judge(DOUBT, found, "the cube was resampled since it was reconstructed, or its coordinates changed")
    if scale > SPAXEL_ARCSEC * (1 + _SAME_SCALE):
        todo = f"kmos_sci_red with pix_scale {SPAXEL_ARCSEC:g} or finer"
        return judge(DOUBT, found, f'coarser than the {SPAXEL_ARCSEC:g}" of the instrument: stars are lost', todo)
    if scale < SPAXEL_ARCSEC * (1 - _SAME_SCALE):
        return judge(GOOD, found, "finer than the instrument: neighbours share noise")
    return judge(GOOD, found, "that of the instrument; 0.1 follows stars in crowded fields more finely")


def rotator(e: Evidence) -> CheckLine:
    """Whether north is up, and whether the exposures of the pipeline can be combined."""
    judge, told = judging("rotator"), e.exposure.header.get(KEY_ROTATION)
    angle = position_angle_deg(e.exposure.cubes[0].wcs)
    drawn = f"y axis {angle:.1f} deg east of north"
    if not isinstance(told, int | float) or isinstance(told, bool):
        return judge(UNKNOWN, f"offset not told, {drawn}", f"no number in {KEY_ROTATION}", "the coordinates hold")
    found = f"offset {told:g} deg, {drawn}"
    if abs(told) < _LEAST_TURN_DEG and abs(angle) < _LEAST_TURN_DEG:
        return judge(GOOD, found, "north is up")
    reason = "the field is turned; kmos_combine merges only exposures of one angle"
    return judge(DOUBT, found, reason, "napari-kmos combine turns what needs to be turned")


def mapping(e: Evidence) -> CheckLine:
    """Whether the exposures cover a field as a mosaic."""
    judge, template = judging("mapping"), e.exposure.template
    if not template:
        return judge(UNKNOWN, "not told", "no template in the header", "see where the IFUs lie: napari-kmos view")
    tiles = re.search(r"mapping(8|24)", template)
    if tiles is None:
        return judge(GOOD, f"none, {template}", "each arm has its own target", "napari-kmos combine, by target")
    reason = f"{tiles[1]} IFUs cover the field together; kmos_combine makes one map of all"
    return judge(GOOD, template, reason, "napari-kmos combine --mosaic, or --each ifu")


def halves(e: Evidence) -> CheckLine:
    """Which half of the block, before or after its sky."""
    judge, half = judging("halves"), e.exposure.header.get(_KEY_HALF)
    if half in (1, 2):
        return judge(GOOD, f"half {half}", "cut out by napari-kmos cut, which writes it")
    if e.exposure.kind == "exposure":
        todo = "napari-kmos plan, with the exposures of the sky, tells it by the times"
        return judge(
            UNKNOWN, "not told", "an exposure is before or after the sky of its block; one alone cannot tell", todo
        )
    number = e.exposure.header.get(KEY_N_COMBINED)
    found = f"{number} exposures" if isinstance(number, int) and number > 0 else "not told"
    todo = "napari-kmos cut MOSAIC --from EXPOSURES takes it apart" if e.exposure.kind == "mosaic" else ""
    return judge(UNKNOWN, found, "the header of a combined cube does not tell which exposures are of which half", todo)
