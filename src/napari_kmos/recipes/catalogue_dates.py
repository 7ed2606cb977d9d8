"""Catalogues at the dates of exposures."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from napari_kmos.errors import KmosWarning

if TYPE_CHECKING:
    from napari_kmos.catalogue import Catalogue
    from napari_kmos.exposure import Exposure


def catalogue_at(catalogue: Catalogue, exposure: Exposure) -> Catalogue:
    """Return a catalogue with the positions of the date of an exposure, as far as proper motions are known.

    Warns
    -----
    KmosWarning
        If they are, but the exposure has no date.
    """
    if exposure.date is not None:
        return catalogue.at(float(exposure.date.jyear))
    if catalogue.motion is not None:
        text = f"{exposure.label}: has no date; proper motions of {catalogue.label} are not applied"
        warnings.warn(text, KmosWarning, stacklevel=2)
    return catalogue
