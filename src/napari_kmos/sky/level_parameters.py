"""What can be set in the method `levels`, a class for each part of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MeanParameters:
    """Levels: mean spectra and continuum.

    Parameters
    ----------
    voxel_clip : float
        Voxels off by this many sigma are left out of means and of the fits of spaxels.
    continuum_percentile : float
        The continuum of the sky is this running percentile: low, so that it takes no wings of lines.
    continuum_width : int
        Planes over which it is taken, and then smoothed.
    bright_sigma : float
        Line pixels whose light stands out of the noise of the mean sky by this many sigma count as bright; with fewer
        than ``min_pixels`` of them `davies` is taken.
    sky_crowded : float
        Where stars stand out in more than this share of the sky cube's spaxels, its darkest ``dark_share`` is taken for
        the mean sky: the wings of the stars are in the others.
    """

    voxel_clip: float = 5.0
    continuum_percentile: float = 10.0
    continuum_width: int = 101
    bright_sigma: float = 6.0
    sky_crowded: float = 0.1


@dataclass(frozen=True, kw_only=True)
class CombParameters:
    """Levels: the comb of the sky lines.

    Parameters
    ----------
    comb_cells : int
        Cells of a plane in the comb.
    comb_reach : int
        Planes to either side over which the light of a line is followed.
    comb_rounds : int
        Rounds of Richardson-Lucy that make the comb.
    comb_power : float
        Power of its corrections: 1 is the plain algorithm, towards 2 it is faster.
    comb_narrowing : float
        Width of the line spread function of the comb over that of single lines, so that wings find a place.
    comb_blur : float
        Sigma in planes of the known lines with which the comb begins.
    comb_flat : float
        Share of the comb at the beginning that is the same everywhere, for lines that are not known.
    fwhm_usual : float
        FWHM of lines in planes where there are too few to measure it.
    fwhm_lines : int
        Brightest lines from which the FWHM is measured.
    """

    comb_cells: int = 3
    comb_reach: int = 7
    comb_rounds: int = 300
    comb_power: float = 1.9
    comb_narrowing: float = 0.9
    comb_blur: float = 0.4
    comb_flat: float = 0.2
    fwhm_usual: float = 1.9
    fwhm_lines: int = 60


@dataclass(frozen=True, kw_only=True)
class LabelParameters:
    """Levels: which light belongs to which known line.

    Parameters
    ----------
    list_shift : float
        Known lines may all lie this many planes off in the sky cube.
    list_error, list_strength : float
        A single line of the list may be off by this many planes, and by this in the logarithm of its strength, 1
        sigma; how far off they really are is told by the bright ones.
    list_rounds : int
        Rounds in which they are measured in the sky.
    list_model_error : float
        Error of the model meanwhile, as a share of the lines, which are not quite Gaussian.
    list_huber : float
        Residuals beyond this many sigma have less weight there.
    faintest : float
        Known lines fainter than this times the brightest are not looked at.
    label_sigma : float
        Sigma in planes about a known line in which light is taken to be its.
    label_wing, label_wing_sigma : float
        Share of a line's light in broad wings, and their sigma in planes, for the same purpose.
    label_floor : float
        Light below this times the brightest known line belongs to no known line.
    doubt_share : float
        How much the ratio of lines that lie together may be off, 1 sigma.
    doubt_sigma : float
        Lines within this sigma, in planes, lie together.
    doubt_least : float
        Light that may be wrong by less than this many sigma of the mean spectrum is not looked at.
    """

    list_shift: float = 3.0
    list_error: float = 0.7
    list_strength: float = 0.3
    list_rounds: int = 8
    list_model_error: float = 0.03
    list_huber: float = 3.0
    faintest: float = 1e-5
    label_sigma: float = 0.4
    label_wing: float = 0.03
    label_wing_sigma: float = 3.0
    label_floor: float = 1e-4
    doubt_share: float = 1.0
    doubt_sigma: float = 0.8
    doubt_least: float = 1.0


@dataclass(frozen=True, kw_only=True)
class FitParameters:
    """Levels: the fit of the mean spectrum.

    Parameters
    ----------
    prior_band, prior_rotation, prior_f2, prior_level, prior_other : float
        How much the logarithm of the factors may differ from 0: of a vibrational level, of a rotational level, of the
        upper spin component, of a single level on top of these, and of light of no known line; 1 sigma.
    prior_shift, prior_stretch, prior_width : float
        The same for shift and stretch in planes and for the logarithm of the line width.
    fit_rounds : int
        Largest number of rounds of the fit.
    fit_knots : int
        Knots of the continuum beside the lines in the mean spectrum.
    huber : float
        Residuals beyond this many sigma have less weight.
    model_error : float
        Error of the model as a share of the lines.
    star_templates : int
        Spectra of stars, taken from the brighter spaxels, that may be in the mean of the dark ones.
    star_smoothing : float
        These are smoothed by a Gaussian of this sigma in planes.
    star_continua : int
        Spectra of starlight, smoothed alike, that the fit of the thermal background tells from heat.
    star_knot_planes : float
        Features of starlight in the dark spaxels that these spectra do not tell are looked for with a spline every so
        many planes: narrower than features, broader than lines of the sky.
    doubt : float
        Where lines of a band are left with more than this many times the expected error, `davies` is tried as well.
    """

    prior_band: float = 0.5
    prior_rotation: float = 0.2
    prior_f2: float = 0.1
    prior_level: float = 0.05
    prior_other: float = 0.3
    prior_shift: float = 1.0
    prior_stretch: float = 0.3
    prior_width: float = 0.1
    fit_rounds: int = 6
    fit_knots: int = 24
    huber: float = 2.5
    model_error: float = 0.003
    star_templates: int = 4
    star_smoothing: float = 3.0
    star_continua: int = 4
    star_knot_planes: float = 8.0
    doubt: float = 3.0


@dataclass(frozen=True, kw_only=True)
class SpaxelParameters:
    """Levels: gain, shift and width of the spaxels.

    Parameters
    ----------
    spaxel_knots : int
        Knots of the continuum beside the lines in a spaxel.
    spaxel_gain, spaxel_shift, spaxel_width : float
        How much gain, shift (planes) and logarithm of the line width of a spaxel may differ from those in the sky cube,
        1 sigma; there they may differ from their mean by three times that.
    spaxel_free : float
        Those of the spaxels of the sky cube may differ from the mean by this many times as much.
    spaxel_rounds : int
        Rounds of the fit of the spaxels.
    star_features : float
        Depth of stellar features: a spaxel's own lines count for less the more star light it has, those of the same
        spaxel in the sky cube count instead. In the mean of the dark spaxels the light of stars may have features of
        this depth.
    """

    spaxel_knots: int = 40
    spaxel_gain: float = 0.02
    spaxel_shift: float = 0.03
    spaxel_width: float = 0.03
    spaxel_free: float = 3.0
    spaxel_rounds: int = 2
    star_features: float = 0.05


@dataclass(frozen=True, kw_only=True)
class LevelParameters(SpaxelParameters, FitParameters, LabelParameters, CombParameters, MeanParameters):
    """Parameters of the method `levels`, on top of those that all methods share."""


#: These are at least 1, at least 2, and more than 0.
COUNTS = (
    "comb_cells", "comb_reach", "comb_rounds", "fwhm_lines", "list_rounds", "fit_rounds", "spaxel_rounds",
    "star_templates", "star_continua",
)  # fmt: skip
KNOTS = ("fit_knots", "spaxel_knots")
POSITIVE = (
    "comb_power", "comb_narrowing", "comb_blur", "fwhm_usual", "list_shift", "list_error", "list_strength", "faintest",
    "label_sigma", "label_floor", "doubt_sigma", "prior_band", "prior_rotation", "prior_f2", "prior_level",
    "prior_other", "prior_shift", "prior_stretch", "prior_width", "huber", "model_error", "star_smoothing",
    "star_knot_planes", "spaxel_gain", "spaxel_shift", "spaxel_width", "star_features", "doubt", "bright_sigma",
    "comb_flat", "list_model_error", "list_huber", "spaxel_free",
)  # fmt: skip
