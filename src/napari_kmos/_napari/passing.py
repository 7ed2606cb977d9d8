"""A catalogue that is drawn over the cubes for a while, in place of what the user has drawn."""

from __future__ import annotations

from contextlib import suppress

from napari.components import ViewerModel

from napari_kmos._napari.catalogue import CatalogueView, hide_catalogue, show_catalogue, view_of
from napari_kmos.catalogue import Catalogue
from napari_kmos.errors import KmosError


class PassingCatalogue:
    """Draws the sources of a catalogue for a while, and then what was drawn before.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the cubes.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._mine: CatalogueView | None = None
        self._before: CatalogueView | None = None

    def show(self, catalogue: Catalogue | None) -> None:
        """Draw the sources of a catalogue, unless they are; without one, put back what was drawn before."""
        shown = view_of(self._viewer)
        is_mine = shown is not None and shown is self._mine
        if catalogue is not None and (shown is None or shown.catalogue is not catalogue):
            self._before = self._before if is_mine else shown
            self._mine = CatalogueView(catalogue=catalogue)
            self._draw(self._mine)
        elif catalogue is None and is_mine:
            hide_catalogue(self._viewer)
            if self._before is not None:
                self._draw(self._before)
            self._mine = self._before = None

    def _draw(self, view: CatalogueView) -> None:
        with suppress(KmosError):  # none lies there: the images tell
            show_catalogue(self._viewer, view)
