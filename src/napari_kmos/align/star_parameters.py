"""Parameters of the methods that go by stars: lists of them, and models of a catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from napari_kmos.errors import KmosError


@dataclass(frozen=True, slots=True, kw_only=True)
class StarParameters:
    """Parameters of stars and catalogues.

    Parameters
    ----------
    star_fwhm_arcsec : float
        Width of a star: that which is looked for in star lists, and from which the fit of a catalogue starts.
    star_power : float
        Power of the Moffat profile of a star.
    star_threshold : float
        How far the stars of a list stand out, in units of the noise.
    star_match_arcsec : float
        Stars of two lists closer than this can be the same.
    star_most : int
        The brightest of so many are used of each list.
    flux_error : float
        Part by which the fluxes of a catalogue differ from those of the image: another band, variable stars.
    position_error_arcsec : float
        1 sigma of each coordinate of a catalogue.
    star_evidence : float
        Evidence, the logarithm of odds, from which on an offset by star lists is accepted.
    catalogue_evidence : float
        The same for the model of a catalogue. Of fields that have nothing to do with the catalogue fewer than one in a
        hundred have so much.
    """

    star_fwhm_arcsec: float = 0.75
    star_power: float = 2.5
    star_threshold: float = 5.0
    star_match_arcsec: float = 0.2
    star_most: int = 300
    flux_error: float = 0.2
    position_error_arcsec: float = 0.02
    star_evidence: float = 7.0
    catalogue_evidence: float = 22.0

    def __post_init__(self) -> None:
        names = ("star_fwhm_arcsec", "star_threshold", "star_match_arcsec", "flux_error", "position_error_arcsec")
        for name in (*names, "star_evidence", "catalogue_evidence"):
            self._check(name, getattr(self, name) > 0, "a positive number")
        self._check("star_power", self.star_power > 1, "more than 1")
        self._check("star_most", self.star_most >= 1, "one or more")

    def _check(self, name: str, is_fine: bool, expected: str) -> None:
        """Refuse a value that cannot be meant."""
        if not is_fine:
            msg = f"{name} is {getattr(self, name)}, expected {expected}"
            raise KmosError(msg)
