"""What can go wrong, in types: every `KmosError` tells the user what to do about it."""

from __future__ import annotations


class KmosError(Exception):
    """Anything the user can act on: what was found, what was expected, what to do."""


class NotKmosError(KmosError, ValueError):
    """A file that is not FITS, or FITS that holds nothing we can use."""


class GeometryError(KmosError, ValueError):
    """Shapes, world coordinates, wavelength grids or units that do not fit together."""


class SkyError(KmosError, ValueError):
    """A sky subtraction that cannot be done with what was given."""


class AlignmentError(KmosError, ValueError):
    """Offsets that cannot be measured, or do not belong to the files given."""


class ExtractionError(KmosError, ValueError):
    """Apertures or spectra that cannot be used."""


class EngineError(KmosError, RuntimeError):
    """The external pipeline is missing, or its recipe failed."""


class WriteError(KmosError, OSError):
    """An output that cannot be written, or that would overwrite something."""


class KmosWarning(UserWarning):
    """Usable, but doubtful: the user should look."""
