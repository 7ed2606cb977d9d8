"""What the dock *Spectra* does with the whole list: finding stars, extracting them, writing them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos._napari import live
from napari_kmos._napari.errors import notified, notify, overheard
from napari_kmos._napari.extracting import (
    LINK_ARCSEC,
    Extracted,
    extract_list,
    find_in,
    show_residual,
    snr_by_id,
    stars_of_catalogue,
)
from napari_kmos._napari.layers import open_paths
from napari_kmos._napari.positions import warn_of_moved
from napari_kmos._napari.steps import write_spectra
from napari_kmos.aperture import Aperture, separation_arcsec
from napari_kmos.errors import KmosError, KmosWarning
from napari_kmos.extract import ExtractParameters
from napari_kmos.io import read_apertures, write_apertures
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.stars import FindParameters
from napari_kmos.words import counted

if TYPE_CHECKING:
    from napari_kmos._napari.widgets.spectra import SpectraDock

NO_CUBES = "there is no cube to find stars in; open one first"
#: So many warnings of a file stand in a line; all of them are notifications.
_MOST_TOLD = 3


class SpectraSteps:
    """Steps of a dock, most of them in its thread.

    Parameters
    ----------
    dock : SpectraDock
        Says what they have to say.
    """

    def __init__(self, dock: SpectraDock) -> None:
        self.dock, self.session = dock, dock.session

    def read(self, path: Path) -> None:
        """Read apertures, or the stars of a catalogue; say what was left out, and add what is not there yet."""
        with notified(self.dock.say):
            how = {"radius_arcsec": self.dock.sync.radius_arcsec, "wcs": live.only_wcs(self.dock.viewer)}
            with _told_later() as warned:
                found = read_apertures(path, **how)
            new = [one for one in found if not _is_known(one, self.session.apertures)]
            self.dock.sync.add(new, f"reading {path.name}")
            self.session.apertures_file = path if path.suffix in (".ecsv", ".reg") else self.session.apertures_file
            known = [f"{len(found) - len(new)} there already"] if len(new) < len(found) else []
            told = (*known, f"{len(self.session.apertures)} apertures now", *warned[:_MOST_TOLD])
            more = [f"and {len(warned) - _MOST_TOLD} warnings more"] if len(warned) > _MOST_TOLD else []
            self.dock.say(f"{path.name}: {'; '.join((*told, *more)).replace(f'{path}: ', '')}")

    def save(self, path: Path) -> None:
        """Write all apertures to an ECSV or region file."""
        with notified(self.dock.say):
            write_apertures(self.session.apertures, path, overwrite=True)
            self.session.apertures_file = path
            self.dock.say(f"Written: {path}")

    def find(self) -> None:
        """Find the stars of the visible cubes."""
        with notified(self.dock.say):
            if not (cubes := live.cubes_as_seen(self.dock.viewer)):
                raise KmosError(NO_CUBES)
            how = FindParameters(
                threshold=self.dock.sources.threshold.value(),
                fwhm_arcsec=self.session.fwhm_arcsec,
                radius_arcsec=self.dock.sync.radius_arcsec,
            )
            self.dock.start(find_in, cubes, self.session.apertures, parameters=how, done=self._on_found)

    def take_catalogue(self) -> None:
        """Add the sources of the catalogue that is shown."""
        with notified(self.dock.say):
            self._add(stars_of_catalogue(self.dock.viewer, self.dock.sync.radius_arcsec), "stars of the catalogue")

    def measure(self) -> None:
        """Measure the width of the selected star."""
        with notified(self.dock.say):
            self.session.fwhm_arcsec = self.dock.pointer.measure_fwhm()
            self.dock.say(f"FWHM {self.session.fwhm_arcsec:.2f}″")

    def extract(self) -> None:
        """Extract all stars in the visible cubes, and see what that changed."""
        cubes = live.cubes_as_seen(self.dock.viewer)
        how = {"method": self.session.extract_method, "parameters": self._parameters()}
        self.dock.start(extract_list, cubes, self.session.apertures, **how, done=self._on_extracted)

    def write(self, files: Sequence[Path] | None = None) -> None:
        """Write the spectra of all stars in some files, those chosen in the dock by default.

        Other files than all that are open have folders of their own: those of the same target have the same names.
        """
        with notified(self.dock.say):
            files = self.dock.output.files() if files is None else files
            with _told_later() as warned:
                warn_of_moved(self.dock.viewer, files)
            self.dock.start(
                write_spectra,
                files,
                self.session.apertures,
                method=self.session.extract_method,
                parameters=self._parameters(),
                out_dir=self.session.out_dir,
                apart=set(files) != set(open_paths(self.dock.viewer)),
                overwrite=self.dock.output.overwrite.isChecked(),
                done=partial(self._on_written, tuple(warned)),
            )

    def _parameters(self) -> ExtractParameters:
        return self.session.extract_parameters or ExtractParameters()

    def _add(self, stars: Sequence[Aperture], what: str) -> None:
        """Add stars that are not there yet, by their ids."""
        known = {one.id for one in self.session.apertures}
        new = [one for one in stars if one.id not in known]
        self.dock.sync.add(new, f"adding {what}")
        self.dock.say(f"{counted(len(new), 'star')} added, {len(self.session.apertures)} apertures now")

    def _on_found(self, found: Sequence[Aperture]) -> None:
        self.dock.sync.add_numbered(found, "finding stars")
        text = f"{counted(len(found), 'star')} found, {len(self.session.apertures)} apertures now"
        self.dock.say(text if found else "No other star stands out so far; lower the threshold")

    def _on_extracted(self, found: Extracted) -> None:
        self.session.snr_before = snr_by_id(self.session.spectra)
        self.session.spectra = found.spectra
        if found.residual is not None:
            show_residual(self.dock.viewer, found.residual)
        changes = _changes(snr_by_id(found.spectra), self.session.snr_before)
        known = snr_by_id(found.spectra)
        without = dict.fromkeys(one.aperture.id for one in found.spectra if one.aperture.id not in known)
        none = [f"none of {', '.join(without)}, see the remarks"] if without else []
        self.dock.say("; ".join((f"Spectra of {counted(len(known), 'star')}", *none, *changes, *found.problems)))

    def _on_written(self, warned: Sequence[str], outcome: Outcome) -> None:
        self.session.outcomes = {**self.session.outcomes, "extract": outcome}
        rows = outcome.measured["spectra"]
        now = {row["id"]: row["snr"] for row in rows if np.isfinite(row["snr"])}
        outside = outcome.measured["outside"]
        left_out = [f"outside every cube: {', '.join(outside)}"] if outside else []
        changes = _changes(now, snr_by_id(self.session.spectra))
        text = f"{len(outcome.products)} files written to {self.session.out_dir}"
        self.dock.say("; ".join((text, *changes, *left_out, *warned)))


@contextmanager
def _told_later() -> Iterator[list[str]]:
    """Collect the warnings of the block for the line of the dock; they are notifications, too."""
    with overheard() as warned:
        yield warned
    for text in warned:
        notify(KmosWarning(text))


def _is_known(one: Aperture, apertures: Sequence[Aperture]) -> bool:
    """Tell whether an aperture is there already: of the same kind and id, and at the same place."""
    same = (other for other in apertures if (other.kind, other.id) == (one.kind, one.id))
    return any(separation_arcsec(one, other) < LINK_ARCSEC for other in same)


def _changes(now: dict[str, float], before: dict[str, float]) -> list[str]:
    """Say how the SNR of the stars in both has changed."""
    ratios = [now[id_] / before[id_] for id_ in now if before.get(id_)]
    return [f"SNR x {np.median(ratios):.2f} against the last extraction (median of {len(ratios)})"] if ratios else []
