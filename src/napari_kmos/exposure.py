"""One exposure: what its headers say, and its arms with their targets and cubes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from astropy.io import fits

from napari_kmos.errors import KmosError

if TYPE_CHECKING:
    from astropy.time import Time

    from napari_kmos.cube import Cube


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Arm:
    """A pick-off arm and what it looked at.

    Parameters
    ----------
    number : int, optional
        1-24; None in a mosaic or where a combined cube does not tell.
    name : str
        Target; empty if the arm was not used.
    role : str
        ``"object"``, ``"sky"`` or ``"off"``, as the header has it: arms of a sky OB are often of type object.
    not_used : str
        The header's reason why the arm was not used.
    original : int, optional
        Arm to which the target was assigned before the rotator optimisation swapped arms.
    ra, dec : float, optional
        Target position in degrees.
    cube : Cube, optional
        None if the arm has no data.
    """

    number: int | None
    name: str = ""
    role: str = "object"
    not_used: str = ""
    original: int | None = None
    ra: float | None = None
    dec: float | None = None
    cube: Cube | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Exposure:
    """What one file holds: an exposure of 24 arms, or a combined cube or mosaic with one.

    Parameters
    ----------
    arms : tuple of Arm
        All 24 for an exposure; one, with its cube, for a combined cube or mosaic.
    kind : str
        ``"exposure"``, ``"combined"`` or ``"mosaic"``.
    path : Path, optional
        The file; None if made in memory.
    band : str
        IZ, YJ, H, K, HK, or empty if the header does not tell.
    date : Time, optional
        Start of the exposure.
    object_name, ob_name, template, category : str
        OBJECT, OB name, template and product category.
    dither_arcsec : tuple of float
        Planned telescope dither (east, north).
    rotation_deg : float
        Rotator offset angle.
    header : Header
        The primary header.
    unused : tuple of (str, str)
        Extensions of the file that are not read, and why not.
    """

    arms: tuple[Arm, ...]
    kind: str = "exposure"
    path: Path | None = None
    band: str = ""
    date: Time | None = None
    object_name: str = ""
    ob_name: str = ""
    template: str = ""
    category: str = ""
    dither_arcsec: tuple[float, float] = (0.0, 0.0)
    rotation_deg: float = 0.0
    header: fits.Header = field(default_factory=fits.Header)
    unused: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """Tell what is here, a line a cube."""
        facts = ", ".join(part for part in (self.kind, self.category, self.band) if part)
        return "\n".join([f"<Exposure {self.label}: {facts}>", *(f"    {cube!r}" for cube in self.cubes)])

    @property
    def label(self) -> str:
        """What to call this exposure in a message."""
        return self.path.name if self.path else self.object_name or "exposure"

    @property
    def cubes(self) -> tuple[Cube, ...]:
        """Cubes of the arms that have data, in the order of the arms."""
        return tuple(arm.cube for arm in self.arms if arm.cube is not None)

    def cube(self, ifu: int | None = None) -> Cube:
        """Return the cube of one IFU, or the only cube.

        Raises
        ------
        KmosError
            If there is no such IFU with data, or several cubes and no ``ifu`` to choose by.
        """
        cubes = self.cubes
        chosen = cubes if ifu is None else tuple(cube for cube in cubes if cube.ifu == ifu)
        if len(chosen) == 1:
            return chosen[0]
        have = ", ".join(str(cube.ifu) for cube in cubes if cube.ifu is not None) or "none"
        what = f"no data for IFU {ifu}" if ifu is not None else f"{len(cubes)} cubes where one was expected"
        msg = f"{self.label}: {what}; IFUs with data: {have}. Choose one of them with ifu (--ifu)."
        raise KmosError(msg)
