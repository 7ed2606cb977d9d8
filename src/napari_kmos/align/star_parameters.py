"""Parameters of the methods that go by stars: lists of them, and models of a catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from napari_kmos.errors import KmosError


@dataclass(frozen=True, slots=True, kw_only=True)
class StarListParameters:
    """Parameters of star lists.

    Parameters
    ----------
    star_fwhm_arcsec : float
        Width of a star: that which is looked for, and from which the fit of a catalogue starts.
    star_threshold : float
        How far the stars of a list stand out, in units of the noise.
    star_match_arcsec : float
        Stars of two lists closer than this can be the same.
    star_most : int
        The brightest of so many are used of each list.
    star_evidence : float
        Evidence, the logarithm of odds, from which on a match of star lists is accepted.
    """

    star_fwhm_arcsec: float = 0.75
    star_threshold: float = 5.0
    star_match_arcsec: float = 0.2
    star_most: int = 300
    star_evidence: float = 7.0

    def __post_init__(self) -> None:
        for name in ("star_fwhm_arcsec", "star_threshold", "star_match_arcsec", "star_evidence"):
            self._check(name, getattr(self, name) > 0, "a positive number")
        self._check("star_most", self.star_most >= 1, "one or more")

    def _check(self, name: str, is_fine: bool, expected: str) -> None:
        """Refuse a value that cannot be meant."""
        if not is_fine:
            msg = f"{name} is {getattr(self, name)}, expected {expected}"
            raise KmosError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueParameters(StarListParameters):
    """Parameters of the model of a catalogue.

    Parameters
    ----------
    star_power : float
        Power of the Moffat profile of a star.
    flux_error : float
        Part by which the fluxes of a catalogue differ from those of the image: another band, variable stars.
    position_error_arcsec : float
        1 sigma of each coordinate of a catalogue.
    catalogue_evidence : float
        Evidence, the logarithm of odds, from which on an offset by the model is accepted. Of crowded fields that have
        nothing to do with the catalogue one in a hundred has so much.
    """

    star_power: float = 2.5
    flux_error: float = 0.2
    position_error_arcsec: float = 0.02
    catalogue_evidence: float = 30.0

    def __post_init__(self) -> None:
        StarListParameters.__post_init__(self)
        for name in ("flux_error", "position_error_arcsec", "catalogue_evidence"):
            self._check(name, getattr(self, name) > 0, "a positive number")
        self._check("star_power", self.star_power > 1, "more than 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveParameters(StarListParameters):
    """How far coordinates may be off that are solved for.

    Parameters
    ----------
    max_shift_arcsec : float
        Largest shift searched, in each axis.
    max_rotation_deg : float
        Largest rotation searched, either way.
    max_scale : float
        Largest part by which the scale may be off, either way.
    star_margin : float
        A match is accepted if its evidence is so much more than that of the next best one elsewhere: stars that come in
        fields far from each other agree by chance more often than the evidence tells.
    """

    max_shift_arcsec: float = 8.0
    max_rotation_deg: float = 2.5
    max_scale: float = 0.025
    star_margin: float = 4.0

    def __post_init__(self) -> None:
        StarListParameters.__post_init__(self)
        self._check("max_shift_arcsec", self.max_shift_arcsec > 0, "a positive number of arcsec")
        self._check("max_rotation_deg", self.max_rotation_deg >= 0, "zero or more degrees")
        self._check("max_scale", 0 <= self.max_scale < 0.5, "a number from 0 to 0.5")
        self._check("star_margin", self.star_margin >= 0, "zero or more")
