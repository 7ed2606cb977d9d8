"""Apertures move along with the IFU they were set on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from napari.components import ViewerModel

from napari_kmos._napari.align_rows import Identity
from napari_kmos._napari.layers import active_layer, ifu_layers, kmos_of
from napari_kmos._napari.points import show_points
from napari_kmos._napari.positions import offset_of
from napari_kmos.aperture import Aperture
from napari_kmos.session import Session
from napari_kmos.spatial.fields import is_inside
from napari_kmos.spatial.wcs import shift_wcs

_SAME_DEG = 1e-7


class Anchors:
    """Knows on which IFU each aperture was set: the one that was seen there when it was made or moved by hand.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the IFUs.
    session : Session
        Its ``apertures`` are what moves.
    """

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer, self._session = viewer, session
        self._known: dict[tuple[str, str], tuple[Aperture, Identity | None]] = {}

    def look(self) -> None:
        """Take note of apertures that are new or were moved by hand."""
        known = {}
        for one in self._session.apertures:
            key = one.kind, one.id
            before = self._known.get(key)
            stays = before is not None and _are_at_one_place(before[0], one)
            known[key] = one, before[1] if before is not None and stays else self._seen_at(one)
        self._known = known

    def keep(self) -> None:
        """Take note that apertures stand elsewhere, each on the IFU it was on."""
        known = {(one.kind, one.id): one for one in self._session.apertures}
        self._known = {key: (known[key], before[1]) for key, before in self._known.items() if key in known}
        self.look()

    def follow(self, moves: Mapping[Identity, tuple[float, float]]) -> None:
        """Move the apertures of IFUs that moved, each by (east, north) in arcsec."""
        moved = []
        for one in self._session.apertures:
            _, identity = self._known.get((one.kind, one.id), (one, None))
            moved.append(_moved(one, *moves[identity]) if identity in moves else one)
            self._known[one.kind, one.id] = moved[-1], identity
        if any(one is not before for one, before in zip(moved, self._session.apertures, strict=True)):
            show_points(self._viewer, moved)
            self._session.apertures = tuple(moved)

    def _seen_at(self, aperture: Aperture) -> Identity | None:
        """Return the IFU that is seen at an aperture: the one looked at, else the topmost visible one."""
        first = active_layer(self._viewer)
        visible = [layer for layer in reversed(ifu_layers(self._viewer)) if layer.visible]
        for layer in sorted(visible, key=lambda one: one is not first):
            shown = kmos_of(layer)
            field = shift_wcs(shown.turned.wcs, *offset_of(layer)), shown.shape
            if is_inside(field, [aperture.ra], [aperture.dec])[0]:
                return shown.identity
        return None


def _moved(aperture: Aperture, east: float, north: float) -> Aperture:
    ra = aperture.ra + east / 3600 / math.cos(math.radians(aperture.dec))
    return dataclasses.replace(aperture, ra=ra % 360, dec=aperture.dec + north / 3600)


def _are_at_one_place(first: Aperture, second: Aperture) -> bool:
    return abs(first.ra - second.ra) < _SAME_DEG and abs(first.dec - second.dec) < _SAME_DEG
