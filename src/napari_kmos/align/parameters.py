"""Parameters of the alignment."""

from __future__ import annotations

from dataclasses import dataclass

from napari_kmos.align.star_parameters import CatalogueParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignParameters(CatalogueParameters):
    """How offsets are searched, measured and judged.

    Parameters
    ----------
    max_shift_arcsec : float
        Largest correction searched, in each axis.
    candidates : int
        How many of the best whole-spaxel shifts are refined.
    min_overlap : float
        Smallest part of the smaller field that must overlap.
    model_error : float
        Part of the star light by which two exposures may differ for other reasons than noise.
    min_evidence : float
        Evidence, the logarithm of odds, from which on a match is accepted. Fields that are poor in stars give less, and
        then errors are too small as well.
    margin : float
        How much more of it there must be than for the next best shift.
    turned_margin : float
        How much more of it there must be than where the moving image is turned or mirrored and cannot belong.
    max_error_arcsec : float
        An offset with a larger error is not accepted.
    passes : int
        1 measures against the reference exposure alone; with 2 or more all pairs of exposures are solved together, and
        what they leave alone is measured against the sum of the others, in all passes but the first.
    pointing_error_arcsec : float
        What a header is trusted to, 1 sigma in each axis; shifts of several times that need more evidence.
    gain_error : float
        By how much the throughput of two exposures may differ, 1 sigma of the logarithm of the ratio. Images
        in other units, or without noise, are scaled to each other first.
    agreement_arcsec : float
        A pair that misses what the other pairs say by more contradicts them and is left out.
    gap_minutes : float
        Shortest time without an exposure of an OB that is its interruption for the sky, between its halves.
    refine_rotation : bool
        Whether the rotation of exposures is measured too, by three or more stars in common with what is right, two in a
        field at least. All IFUs of an exposure are turned alike, as by the rotator of the instrument, each about its
        centre; then shifts are measured again. Targets measured one by one have no rotation.
    rotation_sigma : float
        A rotation of fewer standard deviations is told in the note, and that of the header is kept.
    """

    max_shift_arcsec: float = 1.2
    candidates: int = 4
    min_overlap: float = 0.3
    model_error: float = 0.04
    min_evidence: float = 8.0
    margin: float = 2.0
    turned_margin: float = 3.0
    max_error_arcsec: float = 0.025
    passes: int = 2
    pointing_error_arcsec: float = 0.25
    gain_error: float = 0.15
    agreement_arcsec: float = 0.1
    gap_minutes: float = 3.0
    refine_rotation: bool = False
    rotation_sigma: float = 3.0

    def __post_init__(self) -> None:
        CatalogueParameters.__post_init__(self)
        self._check("max_shift_arcsec", self.max_shift_arcsec > 0, "a positive number of arcsec")
        self._check("candidates", self.candidates >= 1, "one or more")
        self._check("min_overlap", 0 < self.min_overlap < 1, "a number between 0 and 1")
        self._check("model_error", self.model_error > 0, "a positive number")
        self._check("margin", self.margin >= 0, "zero or more")
        self._check("passes", self.passes >= 1, "one or more")
        self._check("pointing_error_arcsec", self.pointing_error_arcsec > 0, "a positive number of arcsec")
        self._check("turned_margin", self.turned_margin >= 0, "zero or more")
        self._check("max_error_arcsec", self.max_error_arcsec > 0, "a positive number of arcsec")
        self._check("gain_error", self.gain_error > 0, "a positive number")
        self._check("agreement_arcsec", self.agreement_arcsec > 0, "a positive number of arcsec")
        self._check("gap_minutes", self.gap_minutes >= 0, "zero or more")
        self._check("rotation_sigma", self.rotation_sigma >= 0, "zero or more")
