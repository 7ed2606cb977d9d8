"""The one place that makes layers: from cubes and images to what napari draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari import frames
from napari_kmos._napari.frames import SHEET, SKY, Frame
from napari_kmos._napari.planes import Planes
from napari_kmos.cube import Cube, Image

LayerData = tuple[Any, dict[str, Any], str]

KEY = "kmos"
_N_SAMPLED = 5
_PERCENTILES = (2.0, 99.5)


@dataclass(frozen=True, eq=False, kw_only=True)
class KmosLayer:
    """What a layer shows; kept in its metadata.

    Parameters
    ----------
    product : Cube or Image
        The data with their WCS and wavelengths; lazy.
    path : Path, optional
        File; None if made in memory.
    homes : mapping of str to Frame
        Where the header puts it: on the common ``"sky"`` and on the contact ``"sheet"``.
    layout : str
        Which of the two is drawn.
    """

    product: Cube | Image
    path: Path | None = None
    homes: Mapping[str, Frame] = field(default_factory=dict)
    layout: str = SKY

    @property
    def frame(self) -> Frame:
        """The frame it is drawn in."""
        return self.homes[self.layout]

    @property
    def cube(self) -> Cube | None:
        """The cube, if it shows one."""
        return self.product if isinstance(self.product, Cube) else None

    @property
    def ifu(self) -> int | None:
        """Its IFU."""
        return self.product.ifu

    @property
    def identity(self) -> tuple[str, int | None]:
        """What tells it from other files and IFUs."""
        return str(self.path) if self.path else self.product.source or self.product.name, self.ifu

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return _shape(self.product)

    def home(self) -> tuple[float, np.ndarray]:
        """Return the pixel size in arcsec and the 3 x 3 matrix, applied after it, that draw it as its header says."""
        return self.frame.transform((self.product.wcs, self.shape))


def kmos_of(layer: Layer | None) -> KmosLayer | None:
    """Return what a layer shows, or None if it is none of ours."""
    found = layer.metadata.get(KEY) if layer is not None else None
    return found if isinstance(found, KmosLayer) else None


def kmos_layers(viewer: ViewerModel) -> list[Layer]:
    """Return our image layers, lowest first."""
    return [layer for layer in viewer.layers if kmos_of(layer) is not None]


def cube_layers(viewer: ViewerModel) -> list[Layer]:
    """Return the layers that show cubes, lowest first."""
    return [layer for layer in kmos_layers(viewer) if kmos_of(layer).cube is not None]


def active_layer(viewer: ViewerModel) -> Layer | None:
    """Return the cube layer the user looks at: the active one, else the topmost visible one."""
    if (shown := kmos_of(viewer.layers.selection.active)) and shown.cube is not None:
        return viewer.layers.selection.active
    cubes = cube_layers(viewer)
    return next((layer for layer in reversed(cubes) if layer.visible), cubes[-1] if cubes else None)


def open_paths(viewer: ViewerModel) -> tuple[Path, ...]:
    """Return the files whose cubes are open, in the order they were opened."""
    paths = (kmos_of(layer).path for layer in cube_layers(viewer))
    return tuple(dict.fromkeys(path for path in paths if path is not None))


def layer_data(
    products: Sequence[Cube | Image], *, path: Path | None, tag: str = "", known: Sequence[KmosLayer] = ()
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
    """
    fields = [(product.wcs, _shape(product)) for product in products]
    sky = frames.sky_frame(fields, [layer.homes[SKY] for layer in known])
    sheet = frames.sheet_frames(fields, [layer.homes[SHEET] for layer in known])
    layout = known[0].layout if known else SHEET if frames.is_scattered(fields) else SKY
    made = [
        _one(KmosLayer(product=product, path=path, homes={SKY: sky, SHEET: cell}, layout=layout))
        for product, cell in zip(products, sheet, strict=True)
    ]
    taken = {_name(layer.product) for layer in known}
    for _, options, _ in made:
        options["name"] += f" {tag}" if tag and options["name"] in taken else ""
    return made


def add_layers(viewer: ViewerModel, data: Iterable[LayerData]) -> list[Layer]:
    """Add layers to a viewer."""
    return [viewer.add_layer(Layer.create(*one)) for one in data]


def add_derived(viewer: ViewerModel, source: Layer, image: Image, name: str) -> Layer:
    """Add an image made from a layer, drawn exactly over it, wherever the user has moved it."""
    shown = dataclasses.replace(kmos_of(source), product=image)
    data, options, kind = _one(shown)
    options |= {"name": name, "affine": source.affine.affine_matrix[-3:, -3:]}
    return viewer.add_layer(Layer.create(data, options, kind))


def _one(shown: KmosLayer) -> LayerData:
    """Layer of one product at its home."""
    product = shown.product
    cube = shown.cube
    data = product.data if cube is None else Planes(cube.flux)
    scale, matrix = shown.home()
    options = {
        "name": _name(product),
        "scale": (1.0, scale, scale)[-data.ndim :],
        "affine": embedded(matrix, data.ndim),
        "units": frames.UNITS[-data.ndim :],
        "axis_labels": frames.AXIS_LABELS[-data.ndim :],
        "contrast_limits": contrast_limits(data),
        "colormap": "inferno",
        "metadata": {KEY: shown},
    }
    return data, options, "image"


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
    finite = [plane[np.isfinite(plane)] for plane in planes]
    limits = [np.percentile(values, _PERCENTILES) for values in finite if values.size]
    if not limits:
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.median(limits, axis=0))
    return (low, high) if high > low else (low, low + max(abs(low), 1.0))


def _shape(product: Cube | Image) -> tuple[int, int]:
    shape = product.shape if isinstance(product, Cube) else product.data.shape
    return shape[-2], shape[-1]


def _name(product: Cube | Image) -> str:
    """Name of the layer."""
    if isinstance(product, Cube):
        return product.label
    ifu = "" if product.ifu is None else f"IFU {product.ifu}"
    return " ".join(part for part in (ifu, product.name, "image") if part)
