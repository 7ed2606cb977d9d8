"""The one place that makes layers: from cubes and images to what napari draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari import frames
from napari_kmos._napari.composite import Composite
from napari_kmos._napari.frames import SHEET, SKY
from napari_kmos._napari.planes import Planes
from napari_kmos._napari.shown import CompositeLayer, KmosLayer, shape_of
from napari_kmos.cube import Cube, Image
from napari_kmos.errors import GeometryError
from napari_kmos.spatial.fields import centre_of
from napari_kmos.spatial.wcs import offset_arcsec

LayerData = tuple[Any, dict[str, Any], str]

KEY = "kmos"
_N_SAMPLED = 5
_PERCENTILES = (2.0, 99.5)
#: Of more values only every second, third, ... counts: that tells as much, and sooner.
_MOST_SAMPLED = 25_000


def kmos_of(layer: Layer | None) -> KmosLayer | None:
    """Return what a layer shows, or None if it is none of ours."""
    found = layer.metadata.get(KEY) if layer is not None else None
    return found if isinstance(found, KmosLayer) else None


def kmos_layers(viewer: ViewerModel) -> list[Layer]:
    """Return our image layers, lowest first."""
    return [layer for layer in viewer.layers if kmos_of(layer) is not None]


def cube_layers(viewer: ViewerModel) -> list[Layer]:
    """Return the layers that show cubes, lowest first."""
    return [layer for layer in kmos_layers(viewer) if kmos_of(layer).parts[0].cube is not None]


def ifu_layers(viewer: ViewerModel) -> list[Layer]:
    """Return the layers that show one cube each, lowest first."""
    return [layer for layer in cube_layers(viewer) if kmos_of(layer).cube is not None]


def layers_by_identity(viewer: ViewerModel) -> dict[tuple[str, int | None], Layer]:
    """Return a layer of each IFU of each file that has one, the lowest."""
    return {kmos_of(layer).identity: layer for layer in reversed(ifu_layers(viewer))}


def planes_of(layer: Layer) -> tuple[tuple[KmosLayer, Planes], ...]:
    """Return the cubes that a layer shows, each with what napari is shown of it."""
    data = layer.data.parts if isinstance(layer.data, Composite) else (layer.data,)
    return tuple(zip(kmos_of(layer).parts, data, strict=True))


def part_near(layer: Layer, moving: KmosLayer) -> KmosLayer:
    """Return what a layer shows at the place of another: of all IFUs of an exposure, the nearest."""
    here = centre_of((moving.product.wcs, moving.shape))
    fields = [(part, (part.product.wcs, part.shape)) for part in kmos_of(layer).parts]
    return min(fields, key=lambda one: np.hypot(*offset_arcsec(*here, *centre_of(one[1]))))[0]


def active_layer(viewer: ViewerModel) -> Layer | None:
    """Return the cube layer the user looks at: the active one, else the topmost visible one."""
    cubes = cube_layers(viewer)
    if viewer.layers.selection.active in cubes:
        return viewer.layers.selection.active
    return next((layer for layer in reversed(cubes) if layer.visible), cubes[-1] if cubes else None)


def open_paths(viewer: ViewerModel) -> tuple[Path, ...]:
    """Return the files whose cubes are open, in the order they were opened."""
    paths = (kmos_of(layer).path for layer in cube_layers(viewer))
    return tuple(dict.fromkeys(path for path in paths if path is not None))


def layer_data(
    products: Sequence[Cube | Image],
    *,
    path: Path | None,
    tag: str = "",
    known: Sequence[KmosLayer] = (),
    joined: bool = False,
) -> list[LayerData]:
    """Return the layers of the products of one file, as napari's readers do.

    Parameters
    ----------
    products : sequence of Cube or Image
        Each becomes a layer named by IFU and target.
    path : Path, optional
        Their file.
    tag : str
        What tells their exposure from others; added to the names of targets that are open already.
    known : sequence of KmosLayer
        What is open already: the new layers are drawn on the same sky or sheet.
    joined : bool
        Make one layer of several cubes, if they have a common grid.
    """
    shown = [dataclasses.replace(one, path=path, tag=tag) for one in _homed(products, known)]
    if joined and len(shown) > 1 and (composite := composite_of(shown)):
        return [one_layer(composite)]
    taken = [part for layer in known for part in layer.parts]
    return [one_layer(one, taken) for one in shown]


def _homed(products: Sequence[Cube | Image], known: Sequence[KmosLayer]) -> list[KmosLayer]:
    """Give each product its place on the sky and on the sheet."""
    fields = [(product.wcs, shape_of(product)) for product in products]
    before = [part for layer in known for part in layer.parts]
    sky = frames.sky_frame(fields, [part.homes[SKY] for part in before])
    sheet = frames.sheet_frames(fields, [part.homes[SHEET] for part in before])
    layout = known[0].layout if known else SHEET if frames.is_scattered(fields) else SKY
    return [
        KmosLayer(product=product, homes={SKY: sky, SHEET: cell}, layout=layout)
        for product, cell in zip(products, sheet, strict=True)
    ]


def composite_of(shown: Sequence[KmosLayer]) -> CompositeLayer | None:
    """Return the cubes of an exposure as one layer: on the sheet if the sky is too wide; None if neither is possible.

    Cubes of different lengths, or turned against each other, cannot be one layer.
    """
    if any(one.cube is None for one in shown) or len({one.cube.shape[0] for one in shown}) > 1:
        return None
    first = shown[0]
    whole = CompositeLayer(path=first.path, layout=first.layout, tag=first.tag, pieces=tuple(shown))
    for one in (whole, whole.laid_out(SHEET)):
        try:
            _ = one.grid
        except GeometryError:
            continue
        return one
    return None


def add_layers(viewer: ViewerModel, data: Iterable[LayerData]) -> list[Layer]:
    """Add layers to a viewer; the last becomes the active one."""
    made = [Layer.create(*one) for one in data]
    with activated_once(viewer):
        for layer in made:
            add_image(viewer, layer)
    return made


def add_image(viewer: ViewerModel, layer: Layer) -> None:
    """Add a layer of ours over those there are, but below what is drawn over them: apertures, outlines, sources."""
    ours = [viewer.layers.index(one) for one in kmos_layers(viewer)]
    viewer.layers.insert(ours[-1] + 1 if ours else len(viewer.layers), layer)


@contextmanager
def activated_once(viewer: ViewerModel) -> Iterator[None]:
    """Make only the last of many layers added the active one: napari's controls are built anew for each that is."""
    selection = viewer.layers.selection
    before, known = set(selection), set(viewer.layers)
    with selection.events.blocker_all():
        yield
        selection.clear()
        selection.update(before)
    added = [layer for layer in viewer.layers if layer not in known]
    if added:
        selection.active = added[-1]


def one_layer(shown: KmosLayer, taken: Sequence[KmosLayer] = (), *, data: Any = None) -> LayerData:
    """Return the layer of what shall be shown, at its home.

    Parameters
    ----------
    shown : KmosLayer
        A cube, an image, or all cubes of an exposure.
    taken : sequence of KmosLayer
        What has layers of its own: where a name is theirs, it gets the tag of its exposure.
    data : array-like, optional
        What is drawn, if there is such a thing already.
    """
    data = _drawn(shown) if data is None else data
    scale, matrix = shown.home()
    options = {
        "name": _name(shown, taken),
        "scale": (1.0, scale, scale)[-data.ndim :],
        "affine": embedded(matrix, data.ndim),
        "units": frames.UNITS[-data.ndim :],
        "axis_labels": frames.AXIS_LABELS[-data.ndim :],
        "contrast_limits": contrast_limits(data),
        "colormap": "inferno",
        "metadata": {KEY: shown},
    }
    return data, options, "image"


def _drawn(shown: KmosLayer) -> Any:
    """Return the data of a layer."""
    if isinstance(shown, CompositeLayer):
        return Composite([Planes(piece.cube.flux) for piece in shown.pieces], shown.grid)
    return shown.product.data if shown.cube is None else Planes(shown.cube.flux)


def embedded(matrix: np.ndarray, ndim: int) -> np.ndarray:
    """Return a 3 x 3 matrix of the sky axes as the matrix of a layer with ``ndim`` axes."""
    whole = np.eye(ndim + 1)
    whole[-3:, -3:] = matrix
    return whole


def contrast_limits(data: Any) -> tuple[float, float]:
    """Return limits that show faint and bright: the median, over a few planes, of percentiles of each.

    A plane with a sky line, or without data, does not move them.
    """
    n_planes = data.shape[0] if data.ndim == 3 else 1
    chosen = np.unique(np.linspace(0, n_planes - 1, _N_SAMPLED + 2).astype(int)[1:-1])
    planes = [np.asarray(data[plane]) for plane in chosen] if data.ndim == 3 else [np.asarray(data)]
    finite = (plane[np.isfinite(plane)] for plane in planes)
    thinned = [values[:: 1 + values.size // _MOST_SAMPLED] for values in finite if values.size]
    limits = [np.percentile(values, _PERCENTILES) for values in thinned]
    if not limits:
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.median(limits, axis=0))
    return (low, high) if high > low else (low, low + max(abs(low), 1.0))


def _name(shown: KmosLayer, taken: Sequence[KmosLayer]) -> str:
    """Name of the layer: what it shows, and its exposure where others show the same."""
    if isinstance(shown, CompositeLayer):
        return f"{len(shown.pieces)} IFUs {shown.tag}".rstrip()
    is_taken = any(_plain_name(one.product) == _plain_name(shown.product) for one in taken)
    return f"{_plain_name(shown.product)} {shown.tag if is_taken else ''}".rstrip()


def _plain_name(product: Cube | Image) -> str:
    if isinstance(product, Cube):
        return product.label
    ifu = "" if product.ifu is None else f"IFU {product.ifu}"
    return " ".join(part for part in (ifu, product.name, "image") if part)
