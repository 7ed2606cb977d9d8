"""Parameters of the extraction of spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from napari_kmos.errors import ExtractionError

Sky = Literal["annulus", "areas", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractParameters:
    """How stars are told from the sky around them.

    Parameters
    ----------
    sky : str
        Sky to subtract: ``annulus``, the median of a ring around each star; ``areas``, the mean of the apertures of
        kind sky in the same cube, any number of them; ``none``.
    inner, outer : float
        Radii of the ring in units of the aperture's radius.
    min_coverage : float
        Share of an aperture's area that must have data; below it the wavelength is masked, above it the flux is
        scaled up to the whole area.

    Raises
    ------
    ExtractionError
        If a value makes no sense.
    """

    sky: Sky = "annulus"
    inner: float = 2.0
    outer: float = 3.0
    min_coverage: float = 0.8

    def __post_init__(self) -> None:
        if self.sky not in get_args(Sky):
            msg = f"sky is {self.sky!r}; expected one of {', '.join(get_args(Sky))}"
            raise ExtractionError(msg)
        if not 0 <= self.inner < self.outer < float("inf"):
            msg = f"the sky ring goes from {self.inner} to {self.outer} radii; expected 0 <= inner < outer"
            raise ExtractionError(msg)
        if not 0 < self.min_coverage <= 1:
            msg = f"min_coverage is {self.min_coverage}; expected a share above 0, at most 1"
            raise ExtractionError(msg)
