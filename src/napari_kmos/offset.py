"""Offsets: what to add to the header WCS of an exposure so that it is right."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_kmos.errors import AlignmentError

#: What a person can decide of an offset; first, that nobody did.
DECISIONS = ("", "accepted", "rejected", "skipped")
#: What can be done with exposures whose offset is missing or not accepted.
UNACCEPTED = ("error", "header", "skip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """Correction of one IFU of one exposure: added to its header WCS, zero means that the header is right.

    Corrections of one cube add up, number by number and in any order: the rotation is about its own centre, which is
    what the shift moves. `napari_kmos.spatial.correction` applies them.

    Parameters
    ----------
    exposure : int
        0-based, in the order the files were given.
    file : str
        File of the exposure; matched by its last part. Empty for all exposures of its epoch, half and IFU, where these
        are told: such a correction is added to those of the files.
    ifu : int, optional
        1-24; None for a mosaic.
    dra_arcsec, ddec_arcsec : float
        Correction (dRA cos Dec east positive, dDec north positive).
    err_arcsec : float
        1 sigma of each of the two.
    method : str
        How it was found: any text.
    accepted : bool
        Whether it may be used.
    note : str
        Remark, such as the runner-up and the margin.
    epoch : str
        Group of exposures averaged together; empty if not told.
    half : int, optional
        1 before, 2 after the sky of the OB.
    score : float, optional
        Evidence for the offset, as the logarithm of odds; the method says of what.
    margin : float, optional
        How much more of it there is than for the runner-up; None also where no other offset comes near.
    runner_up : tuple of float, optional
        The next best offset, (dRA cos Dec, dDec) in arcsec.
    decision : str
        What a person decided: accepted, rejected or skipped; empty if nobody did.
    against : str
        What it is counted from: the name of the exposure whose header it keeps to, of an image, or of a catalogue.
        Empty if nobody told. Offsets against different things do not belong together.
    rotation_deg : float
        By how much the position angle of the y axis, from north through east, grows: the field is turned about the
        centre of its pixels. 0 is as the header says.
    rotation_err_deg : float, optional
        1 sigma of it; None where nobody measured it.
    """

    exposure: int
    file: str = field(metadata={"is_file": True})
    ifu: int | None
    dra_arcsec: float
    ddec_arcsec: float
    err_arcsec: float
    method: str
    accepted: bool = True
    note: str = ""
    epoch: str = ""
    half: int | None = None
    score: float | None = None
    margin: float | None = None
    runner_up: tuple[float, float] | None = None
    decision: str = ""
    against: str = ""
    rotation_deg: float = 0.0
    rotation_err_deg: float | None = None

    def __post_init__(self) -> None:
        if self.decision not in DECISIONS:
            msg = f"decision is {self.decision!r}, expected {', '.join(DECISIONS[1:])} or nothing"
            raise AlignmentError(msg)
