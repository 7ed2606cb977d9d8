"""What a frame of the pipeline is, raw, calibration or product: told by its primary header alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_kmos.instrument import BANDS, KEY_CATEGORY, key_band
from napari_kmos.io._extensions import legible, open_fits

_KEY_RAW_CATEGORY = "ESO DPR CATG"
_KEY_RAW_TYPE = "ESO DPR TYPE"
_DETECTORS = (1, 2, 3)
_SCIENCE = "SCIENCE"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFacts:
    """What the primary header of a frame tells.

    Parameters
    ----------
    path : Path
        Its file.
    tag : str
        What recipes call it: the category of a product, SCIENCE for raw science; empty if that is not told.
    band : str
        Its grating; empty if that is not told.
    raw_type : str
        Type of a raw frame.
    """

    path: Path
    tag: str
    band: str = ""
    raw_type: str = ""


def read_frame_facts(path: Path | str) -> FrameFacts:
    """Read what a frame is.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    """
    with open_fits(Path(path)) as hdus:
        header = legible(hdus[0])
        bands = (str(header.get(key_band(detector), "")).strip() for detector in _DETECTORS)
        is_science = str(header.get(_KEY_RAW_CATEGORY, "")).strip() == _SCIENCE
        return FrameFacts(
            path=Path(path),
            tag=str(header.get(KEY_CATEGORY, "")).strip() or (_SCIENCE if is_science else ""),
            band=next((band for band in bands if band in BANDS), ""),
            raw_type=str(header.get(_KEY_RAW_TYPE, "")).strip(),
        )
