"""Subsets of exposures compared from the dock: what was read and resampled serves the next comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.layers import add_layers, kmos_layers, kmos_of, layer_data
from napari_kmos._napari.line_maps import replace_image
from napari_kmos.aperture import Aperture
from napari_kmos.combine import CombineParameters
from napari_kmos.cube import Image
from napari_kmos.errors import KmosError
from napari_kmos.io import output_dir
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.combine_tasks import CombineChoice
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.recipes.versus import write_comparison
from napari_kmos.recipes.versus_work import Compared, VersusWork

#: In the metadata of a layer: of which product it shows a difference.
VERSUS = "kmos_versus"
#: Memory for resampled exposures.
KEEP_BYTES = 300 * 10**6
_LEAST_SIGMA = 5.0


@dataclass(frozen=True, eq=False)
class Answer:
    """What was compared, and which files are in each subset.

    Parameters
    ----------
    found : tuple of Compared
        A product each.
    files : tuple of frozenset of int
        Numbers of the files of each subset, from 0.
    """

    found: tuple[Compared, ...]
    files: tuple[frozenset[int], frozenset[int]]


class Comparer:
    """Compares subsets of the files that were compared last, or of others."""

    def __init__(self) -> None:
        self.work: VersusWork | None = None
        self.answer: Answer | None = None
        self._key: object = None

    def compare(
        self,
        files: Sequence[Path],
        subsets: str,
        *,
        choice: CombineChoice,
        parameters: CombineParameters,
        apertures: Sequence[Aperture] = (),
        progress: Progress = silent,
    ) -> Answer:
        """Compare subsets; in a thread.

        Raises
        ------
        KmosError
            If there are no two files, and as `VersusWork` says.
        """
        if len(files) < 2:
            msg = f"{len(files)} exposures to compare: add more to the list"
            raise KmosError(msg)
        try:
            state = [(path, path.stat().st_mtime_ns) for path in files]
        except OSError as err:
            msg = f"{err.filename}: cannot be read ({err.strerror})"
            raise KmosError(msg) from err
        key = state, choice, parameters
        if self._key != key:
            self._key = self.work = None  # its memory is free before another is made
            self.work = VersusWork(files, choice=choice, parameters=parameters, keep_bytes=KEEP_BYTES)
            self._key = key
        stars = tuple(one for one in apertures if one.kind == "star") or None
        found = tuple(self.work.compare(subsets, apertures=stars, progress=progress))
        self.answer = Answer(found, self.work.files_of(subsets))
        return self.answer

    def write(self, folder: Path, *, overwrite: bool, progress: Progress = silent) -> Outcome:
        """Write tables, figures and images of the last comparison; in a thread.

        Raises
        ------
        KmosError
            If there is none.
        WriteError
            As `write_comparison` says.
        """
        if self.answer is None or self.work is None:
            msg = "nothing is compared yet: choose the exposures of A and B, and compare them"
            raise KmosError(msg)
        progress(0, 1, "writing the comparison")
        found = self.answer.found
        written = [write_comparison(one, output_dir(folder), work=self.work, overwrite=overwrite) for one in found]
        return join_outcomes(written)


def show_difference(viewer: ViewerModel, compared: Compared) -> Layer:
    """Show the difference of a comparison in sigma, in place of that of the same product shown before."""
    found, name = compared.comparison, compared.task.name
    image = Image(data=found.sigma.astype(np.float32), wcs=found.difference.wcs, name=name, ifu=found.difference.ifu)
    before = [layer for layer in kmos_layers(viewer) if layer.metadata.get(VERSUS) == name]
    if before and before[0].data.shape == image.data.shape:
        layer = before[0]
        replace_image(layer, image)
    else:
        for layer in before:
            viewer.layers.remove(layer)
        known = [kmos_of(layer) for layer in kmos_layers(viewer)]
        (layer,) = add_layers(viewer, layer_data([image], path=None, known=known))
        layer.metadata = {**layer.metadata, VERSUS: name}
        layer.colormap = "coolwarm"
    finite = np.abs(image.data[np.isfinite(image.data)])
    span = max(float(np.percentile(finite, 99)) if finite.size else 0.0, _LEAST_SIGMA)
    layer.contrast_limits = (-span, span)
    layer.name = f"{name}: {' - '.join(compared.texts)} in sigma"
    return layer
