"""The pair that is looked at: a row that moves, and what it is compared with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.align_rows import MOSAIC, AlignRow, Identity, read_file
from napari_kmos._napari.catalogue import view_of
from napari_kmos._napari.layers import add_layers, ifu_layers, kmos_layers, kmos_of, layer_data
from napari_kmos._napari.positions import move_to, offset_of
from napari_kmos._napari.reader import tag_of
from napari_kmos._napari.zero_points import zero_of
from napari_kmos.catalogue import Catalogue
from napari_kmos.cube import Cube, Image
from napari_kmos.spatial.wcs import shift_wcs


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A file that rows can be compared with.

    Parameters
    ----------
    path : Path, optional
        The file; None for the catalogue that is shown.
    label : str
        What to call it: its kind, night and half, or the number of the exposure.
    """

    path: Path | None
    label: str


class Pair:
    """Chooses the two layers of a pair, and makes those that a file or an exposure in one layer does not have.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the layers.

    Attributes
    ----------
    reference, moving : Layer, optional
        The layers of the pair.
    path : Path, optional
        File that rows are compared with, until another one is chosen.
    catalogue : Catalogue, optional
        What rows are compared with instead.
    is_choosing : bool
        True while layers are made or removed for a pair.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.reference: Layer | None = None
        self.moving: Layer | None = None
        self.path: Path | None = None
        self.catalogue: Catalogue | None = None
        self._dated: Catalogue | None = None
        self.is_choosing = False
        self._made: list[Layer] = []

    @property
    def identity(self) -> Identity | None:
        """Which row moves."""
        return None if self.moving is None else kmos_of(self.moving).identity

    @property
    def base(self) -> Identity | None:
        """Which row it is compared with."""
        return None if self.reference is None else kmos_of(self.reference).identity

    def choose(self, reference: Layer | None, moving: Layer | None) -> None:
        """Choose two layers."""
        self.reference, self.moving = reference, moving
        if reference is not None:
            self.path, self.catalogue = kmos_of(reference).path, None
        self._date()
        self._tidy()

    def choose_reference(self, path: Path | None) -> None:
        """Choose the file that rows are compared with; None for the catalogue that is shown, as it is read now."""
        view = view_of(self.viewer)
        if path is not None:
            self.path, self.catalogue = path, None
        elif view is not None and (self.catalogue is None or view.catalogue is not self._dated):
            self.path, self.catalogue = None, view.catalogue
            self._date()

    def shown(self) -> Layer | Catalogue | None:
        """Return what is shown with the moving layer: another layer, or the catalogue at the date of the exposure."""
        return self.reference if self.catalogue is None else self._dated

    def against(self) -> Cube | Image | Catalogue | None:
        """Return what the row is compared with, as it stands."""
        if self.catalogue is not None:
            return self.catalogue
        if self.reference is None or self.reference is self.moving:
            return None
        product = kmos_of(self.reference).turned
        return dataclasses.replace(product, wcs=shift_wcs(product.wcs, *offset_of(self.reference)))

    def all_against(self) -> tuple[Path | Cube | Image | Catalogue | None, tuple[float, float]]:
        """Return what all rows are compared with, the file of the reference if there is one, and where that stands.

        That of exposures the rows tell.
        """
        if self.catalogue is not None or self.path is None or not self.path.is_file():
            return self.against(), (0.0, 0.0)
        shown = None if self.reference is None else kmos_of(self.reference)
        is_one = shown is not None and (shown.cube is None or read_file(self.path).kind == MOSAIC)
        return self.path, offset_of(self.reference) if is_one else (0.0, 0.0)

    def zero_of(self, rows: Sequence[AlignRow], row: AlignRow) -> str:
        """Return what a row is counted from if it is measured with all others."""
        if self.catalogue is not None:
            return self.catalogue.label
        if self.path is not None and all(one.path != self.path for one in rows):
            return self.path.name
        base = row if row.path == self.path else counterpart(rows, row, self.path)
        if base is None or base.path != self.path:  # the file does not have its target: the first that has is right
            base = next(one for one in rows if _show_the_same(one, row))
        return zero_of(base)

    def zero_shown(self, rows: Sequence[AlignRow], row: AlignRow) -> str:
        """Return what a row is counted from if it is compared with what is shown."""
        base = next((one for one in rows if one.identity == self.base), None)
        is_shown = row.identity == self.identity and base is not None and self.catalogue is None
        return zero_of(base) if is_shown else self.zero_of(rows, row)

    def choose_row(self, rows: Sequence[AlignRow], row: AlignRow) -> None:
        """Choose a row, and what there is of its target in the file that rows are compared with, else in another."""
        if self.catalogue is not None:  # other columns may have been chosen meanwhile
            self.choose_reference(None)
        other = counterpart(rows, row, self.path)
        self.is_choosing = True
        try:
            self.moving = self._layer_of(row)
            self.reference = None if self.catalogue is not None else self._image_of(row)
            if self.reference is None and other is not None and self.catalogue is None:
                self.reference = self._layer_of(other)
            self._date()
            self._tidy()
        finally:
            self.is_choosing = False

    def other_told(self, rows: Sequence[AlignRow]) -> str:
        """Tell what is compared with, if that is not of the file that was chosen; nothing if it is."""
        base = next((one for one in rows if one.identity == self.base), None)
        is_chosen = base is None or self.path is None or base.path == self.path
        return "" if is_chosen else f"Compared with {base.label}: {self.path.name} is this row, or has no such target"

    def stays(self) -> bool:
        """Tell whether the layers of the pair are still there."""
        pair = (self.reference, self.moving)
        return self.moving is not None and all(one is None or one in self.viewer.layers for one in pair)

    def _image_of(self, row: AlignRow) -> Layer | None:
        """Return the image of the file that rows are compared with, if it has one; of several, that of this IFU."""
        found = [one for one in kmos_layers(self.viewer) if kmos_of(one).path == self.path and _is_image(one)]
        mine = [one for one in found if kmos_of(one).ifu == row.cube.ifu]
        return next(iter(mine or found), None)

    def _layer_of(self, row: AlignRow) -> Layer:
        """Return a layer of a row, made and put where the row says if there is none."""
        layer = next((one for one in ifu_layers(self.viewer) if kmos_of(one).identity == row.identity), None)
        if layer is None:
            known = [kmos_of(one) for one in kmos_layers(self.viewer)]
            data = layer_data([row.cube], path=row.path, tag=tag_of(read_file(row.path)), known=known)
            (layer,) = add_layers(self.viewer, data)
            move_to(layer, row.offset.dra_arcsec, row.offset.ddec_arcsec, row.offset.rotation_deg)
            self._made.append(layer)
        return layer

    def _date(self) -> None:
        """Put the stars of the catalogue where they were when the moving layer was exposed."""
        self._dated = self.catalogue
        path = None if self.moving is None else kmos_of(self.moving).path
        date = None if path is None or self.catalogue is None else read_file(path).date
        if date is not None:
            self._dated = self.catalogue.at(float(date.jyear))

    def _tidy(self) -> None:
        """Remove layers that were made for a pair that is looked at no more."""
        kept = [one for one in self._made if one in (self.reference, self.moving)]
        gone = [one for one in self._made if one not in kept and one in self.viewer.layers]
        self._made = kept
        for layer in gone:
            self.viewer.layers.remove(layer)


def counterpart(rows: Iterable[AlignRow], row: AlignRow, path: Path | None) -> AlignRow | None:
    """Return the row to compare another with: that of its target in a file, else in the first other file that has it.

    A file of one cube, as a mosaic, serves whatever its cube is called.
    """
    others = [one for one in rows if one.path != row.path]
    mine = [one for one in others if one.path == path]
    same = [one for one in others if _show_the_same(one, row)]
    chosen = [one for one in mine if _show_the_same(one, row)] or (mine if len(mine) == 1 else [])
    return next(iter(chosen or same or others), None)


def references_of(
    viewer: ViewerModel, rows: Iterable[AlignRow], *, catalogue: Catalogue | None = None
) -> tuple[Reference, ...]:
    """Return what rows can be compared with: their files, images, and a catalogue, or the one that is shown."""
    found = {row.path: _label(row) for row in rows}
    for layer in kmos_layers(viewer):
        if _is_image(layer) and kmos_of(layer).path is not None:
            found.setdefault(kmos_of(layer).path, f"image: {layer.name}")
    view = view_of(viewer)
    one = catalogue if catalogue is not None else None if view is None else view.catalogue
    listed = [Reference(path=path, label=label) for path, label in found.items()]
    return tuple(listed if one is None else [*listed, Reference(path=None, label=f"catalogue: {one.name}")])


def _show_the_same(first: AlignRow, second: AlignRow) -> bool:
    """Tell whether two rows are of one target; where that is not told, of one IFU."""
    if first.cube.name and second.cube.name:
        return first.cube.name == second.cube.name
    return first.cube.ifu == second.cube.ifu


def _is_image(layer: Layer) -> bool:
    return all(part.cube is None for part in kmos_of(layer).parts)


def _label(row: AlignRow) -> str:
    if row.kind != "exposure":
        return f"{row.kind}: {row.path.name}"
    half = "" if row.half is None else f" half {row.half}"
    return f"exposure {row.exposure}: {row.epoch}{half}".rstrip(": ")
