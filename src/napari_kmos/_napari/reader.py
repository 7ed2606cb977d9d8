"""The reader: exposures, combined cubes, mosaics, collapsed images and images of the sky as layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import napari
from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.commands import sheet_if_scattered
from napari_kmos._napari.errors import notify
from napari_kmos._napari.layers import KEY, LayerData, add_layers, kmos_layers, kmos_of, layer_data
from napari_kmos._napari.shown import KmosLayer
from napari_kmos._napari.watch import watch
from napari_kmos.cube import Cube, Image
from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.exposure import Exposure
from napari_kmos.io import FITS_ENDINGS, axes_held, read_exposure, read_images
from napari_kmos.recipes.sky_images import read_image_under

#: With so many layers of cubes napari still steps through the planes fluently; more exposures come as a layer each.
_MOST_LAYERS = 30
#: Of an image of the sky, what is shown about the fields that are open.
_MARGIN_ARCSEC = 10.0
_UNTOUCHED = ("SCI_RECONSTRUCTED", "SINGLE_CUBES")


def napari_get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """Return the reader, or None if a path is surely none of ours."""
    paths = [path] if isinstance(path, str) else list(path)
    return _read_or_tell if paths and all(str(one).lower().endswith(FITS_ENDINGS) for one in paths) else None


def _read_or_tell(path: str | Sequence[str]) -> list[LayerData] | list[tuple[None]]:
    """Read for napari: in a viewer, what cannot be read is told in a line, without napari's traceback."""
    try:
        return read(path)
    except KmosError as err:
        if napari.current_viewer() is None:
            raise
        notify(err)
        return [(None,)]  # napari's word for a file without layers


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Read files: a layer for each cube or image, lazy, without the noise.

    Raises
    ------
    KmosError
        If a file cannot be used; which, why, and what to do.
    """
    viewer = napari.current_viewer()
    known = [] if viewer is None else [kmos_of(layer) for layer in kmos_layers(viewer)]
    found = files_data([Path(one) for one in ([path] if isinstance(path, str) else path)], known)
    if viewer is not None:
        watch(viewer)
        _arrange_when_added(viewer, len(found))
    return found


def files_data(paths: Sequence[Path], known: Sequence[KmosLayer]) -> list[LayerData]:
    """Return the layers of files: a layer a cube or image; one an exposure where that would make too many.

    Raises
    ------
    KmosError
        As `read_exposure` says, if a file holds neither cubes nor images, or an image lies elsewhere than what is open.
    """
    contents = [_products(path, known) for path in paths]
    n_layers = sum(layer.parts[0].cube is not None for layer in known)
    n_layers += sum(isinstance(product, Cube) for products, _ in contents for product in products)
    together = list(known)
    found: list[LayerData] = []
    for path, (products, tag) in zip(paths, contents, strict=True):
        joined = n_layers > _MOST_LAYERS
        new = layer_data(products, path=path.absolute(), tag=tag, known=together, joined=joined)
        together += [options["metadata"][KEY] for _, options, _ in new]
        found += new
    return found


def _products(path: Path, known: Sequence[KmosLayer]) -> tuple[Sequence[Cube | Image], str]:
    """Read the cubes of a file or, where it has none, its images; and what tells them from others."""
    try:
        exposure = read_exposure(path)
    except NotKmosError as err:
        with suppress(KmosError):
            return read_images(path), path.stem
        if max(axes_held(path), default=3) > 2:
            raise err from None
        return [_sky_image(path, known)], path.stem
    if not exposure.cubes:
        msg = f"{path}: none of its arms has data; expected at least one active IFU"
        raise NotKmosError(msg)
    return exposure.cubes, tag_of(exposure)


def _sky_image(path: Path, known: Sequence[KmosLayer]) -> Image:
    """Read an image by another telescope, which may be large: about the fields that are open, if there are some."""
    fields = [(part.product.wcs, part.shape) for layer in known for part in layer.parts]
    return read_image_under(path, *fields, reach_arcsec=_MARGIN_ARCSEC)


def tag_of(exposure: Exposure) -> str:
    """Return what tells an exposure from another of the same target: what was done to it, or when it began."""
    if exposure.kind != "exposure":
        is_named_so = any(cube.name == exposure.kind for cube in exposure.cubes)
        return exposure.path.stem if is_named_so and exposure.path else exposure.kind
    done = "" if exposure.category in _UNTOUCHED else exposure.category.lower().replace("_", " ")
    time = "" if exposure.date is None else str(exposure.date.isot)[5:16].replace("T", " ")
    return " ".join(part for part in (done, time) if part) or (exposure.path.stem if exposure.path else "")


def add_file(viewer: ViewerModel, path: Path) -> list[Layer]:
    """Add the cubes or images of a file to a viewer, on the sky or sheet that is shown."""
    watch(viewer)
    known = [kmos_of(layer) for layer in kmos_layers(viewer)]
    return add_layers(viewer, files_data([path], known))


def _arrange_when_added(viewer: ViewerModel, n_layers: int) -> None:
    """Once all layers are there, lay them out; and bring all into view: napari looks at the first one only."""
    was_empty = not viewer.layers
    added: list[Layer] = []

    def on_inserted(event: object) -> None:
        added.append(event.value)
        if len(added) == n_layers:
            viewer.layers.events.inserted.disconnect(on_inserted)
            sheet_if_scattered(viewer, added)
            if was_empty:
                viewer.reset_view()

    viewer.layers.events.inserted.connect(on_inserted)
