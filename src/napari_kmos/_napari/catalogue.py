"""A catalogue over the cubes: its sources in the fields shown, bright ones large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from napari.components import ViewerModel
from napari.layers import Points
from numpy.typing import NDArray

from napari_kmos._napari.canvas_colours import KEY as COLOURS
from napari_kmos._napari.canvas_colours import follow_theme
from napari_kmos._napari.following import Follower, keep_on_top
from napari_kmos._napari.frames import AXIS_LABELS, UNITS, Frame
from napari_kmos._napari.layers import kmos_layers
from napari_kmos._napari.once import once_a_viewer
from napari_kmos._napari.under import fields_seen
from napari_kmos.catalogue import Catalogue
from napari_kmos.errors import KmosError
from napari_kmos.spatial.fields import centre_of, is_inside, rows_near

KEY = "kmos_catalogue"
LABELS = ("nothing", "id", "magnitude")
_COLOURS = ("#ffd166", "#a87800")
#: Diameter of the brightest in arcsec, or as a share of all there is where that would be too small to see; and that of
#: the faintest, and of sources without a magnitude, as a share of it.
_LARGEST_ARCSEC, _LARGEST_SHARE, _SMALLEST = 0.9, 1 / 35, 0.5
#: A circle that is kept from becoming smaller than a few pixels becomes a disc, and hides its star; of circles that are
#: kept from becoming larger, in a view of one IFU, none tells a magnitude.
_CANVAS_PIXELS = (2, 160)
_BORDER = 0.06
#: More points than this say nothing and make the viewer slow: the brightest are drawn.
_MOST_POINTS = 10_000


@dataclass(frozen=True, eq=False, kw_only=True)
class CatalogueView:
    """A catalogue and how it is shown; kept in the metadata of its layer.

    Parameters
    ----------
    catalogue : Catalogue
        All its sources, those outside the fields too.
    brightest, faintest : float
        Magnitudes drawn. Sources without a magnitude are drawn unless one of the two is finite.
    label : str
        One of `LABELS`: what is written beside each source.
    """

    catalogue: Catalogue
    brightest: float = -np.inf
    faintest: float = np.inf
    label: str = LABELS[0]


def catalogue_layer(viewer: ViewerModel) -> Points | None:
    """Return the layer of the catalogue, if one is shown."""
    return next((layer for layer in viewer.layers if KEY in layer.metadata), None)


def view_of(viewer: ViewerModel) -> CatalogueView | None:
    """Return what is shown of which catalogue."""
    layer = catalogue_layer(viewer)
    return None if layer is None else layer.metadata[KEY]


def show_catalogue(viewer: ViewerModel, view: CatalogueView) -> int:
    """Draw the sources that lie in the fields of the layers, in place of those of another catalogue.

    Returns
    -------
    int
        How many are drawn; at most the 10000 brightest.

    Raises
    ------
    KmosError
        If no cube or image is open, or none of them holds a source; what was shown before stays.
    """
    if not kmos_layers(viewer):
        msg = f"{view.catalogue.name}: there is no cube to lay it over; open one first"
        raise KmosError(msg)
    rows, places = _inside(viewer, view)
    if not len(rows):
        ra, dec = centre_of(fields_seen(viewer)[0][1])
        msg = (
            f"{view.catalogue.name}: none of its {len(view.catalogue)} sources, as bright as asked for, lies in the "
            f"fields shown (about RA {ra:.4f}, Dec {dec:.4f}); choose another file, columns or magnitudes"
        )
        raise KmosError(msg)
    _draw(viewer, view, rows, places)
    return len(rows)


def hide_catalogue(viewer: ViewerModel) -> None:
    """Remove the layer of the catalogue."""
    layer = catalogue_layer(viewer)
    if layer is not None:
        viewer.layers.remove(layer)


def _redraw(viewer: ViewerModel) -> bool:
    """Draw the sources anew after the fields changed, if they are shown; there may be none for a while."""
    view = view_of(viewer)
    if view is not None:
        _draw(viewer, view, *_inside(viewer, view))
    return view is not None


@once_a_viewer
def _follower_of(viewer: ViewerModel) -> Follower:
    """Return what has the drawing follow the cubes of a viewer."""
    return Follower(viewer, _redraw)


def _draw(viewer: ViewerModel, view: CatalogueView, rows: NDArray[np.intp], places: NDArray[np.float64]) -> None:
    """Fill the layer, made and put on top if there is none."""
    layer = catalogue_layer(viewer)
    if layer is None:
        layer = _make(view)
        active = viewer.layers.selection.active
        viewer.add_layer(layer)
        follow_theme(viewer)
        viewer.layers.selection.active = active
        _follower_of(viewer).follow()
    features = _features(view, rows)
    layer.name = view.catalogue.name
    layer.metadata = {**layer.metadata, KEY: view}
    layer.selected_data = set()
    layer.data = places
    layer.features = features
    layer.size = _sizes(features["magnitude"].to_numpy(), places)
    keep_on_top(viewer, layer)


def _inside(viewer: ViewerModel, view: CatalogueView) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the rows of the sources in the fields, and where they are drawn, shape (n, 2): once a frame."""
    fields = fields_seen(viewer)
    rows = rows_near([field for _, field in fields], view.catalogue.ra, view.catalogue.dec)
    rows = rows[_is_wanted(view, rows)]
    ra, dec = view.catalogue.ra[rows], view.catalogue.dec[rows]
    drawn: dict[Frame, NDArray[np.bool_]] = {}
    for frame, field in fields if len(rows) else ():
        drawn[frame] = drawn.get(frame, False) | is_inside(field, ra, dec)
    found = [rows[inside] for inside in drawn.values()]
    places = [np.stack(frame.to_canvas(ra[inside], dec[inside]), axis=1) for frame, inside in drawn.items()]
    together = np.concatenate([np.empty(0, dtype=np.intp), *found])
    order = np.argsort(view.catalogue.magnitude[together], kind="stable")[:_MOST_POINTS]
    return together[order], np.concatenate([np.empty((0, 2)), *places])[order]


def _is_wanted(view: CatalogueView, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which rows are as bright as asked for."""
    magnitude = view.catalogue.magnitude[rows]
    if not np.isfinite([view.brightest, view.faintest]).any():
        return np.ones(len(rows), dtype=bool)
    return (magnitude >= view.brightest) & (magnitude <= view.faintest)


def _sizes(magnitude: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return diameters in arcsec, falling with magnitude from the brightest drawn to the faintest."""
    span = float(np.ptp(places, axis=0).max()) if len(places) else 0.0
    largest = max(_LARGEST_ARCSEC, _LARGEST_SHARE * span)
    known = magnitude[np.isfinite(magnitude)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    share = (high - magnitude) / (high - low) if high > low else np.full(len(magnitude), 0.5)
    return largest * np.where(np.isfinite(share), _SMALLEST + (1 - _SMALLEST) * share, _SMALLEST)


def _features(view: CatalogueView, rows: NDArray[np.intp]) -> pd.DataFrame:
    """All columns of the rows, and under names of our own what is drawn of them."""
    catalogue = view.catalogue
    plain = [name for name in catalogue.table.colnames if catalogue.table[name].ndim == 1]
    features = catalogue.table[plain][rows].to_pandas()
    features["id"] = np.array(catalogue.ids(rows), dtype=object)
    features["ra"], features["dec"] = catalogue.ra[rows], catalogue.dec[rows]
    features["magnitude"] = catalogue.magnitude[rows]
    labels = {"id": features["id"], "magnitude": [f"{one:.2f}" for one in features["magnitude"]]}
    features["label"] = np.array(labels.get(view.label, [""] * len(rows)), dtype=object)
    return features


def _make(view: CatalogueView) -> Points:
    """Make the layer, empty."""
    layer = Points(
        np.empty((0, 2)),
        ndim=2,
        features={"label": np.empty(0, dtype=object)},
        text={"string": "{label}", "size": 8, "anchor": "upper_left"},
        face_color="transparent",
        border_width=_BORDER,
        canvas_size_limits=_CANVAS_PIXELS,
        units=UNITS[1:],
        axis_labels=AXIS_LABELS[1:],
        metadata={KEY: view, COLOURS: _COLOURS},
    )
    layer.editable = False
    return layer
