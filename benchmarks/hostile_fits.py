"""Mutations of FITS files: of single cards, of whole extensions, of bytes. They need no reader that could refuse."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hostile_words import NUMBERS, TEXTS, cut_short, flipped, one_of

if TYPE_CHECKING:
    import numpy as np

_CARD, _BLOCK = 80, 2880
_STRUCTURE = (
    *("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "NAXIS4", "NAXIS999", "EXTEND", "GROUPS"),
    *("PCOUNT", "GCOUNT", "TFIELDS", "TFORM1", "TTYPE1", "TDIM1", "TNULL1", "TSCAL1", "THEAP", "END", "INHERIT"),
    *("ZIMAGE", "ZBITPIX", "ZNAXIS", "ZNAXIS1", "ZNAXIS3", "ZTILE1", "ZTILE3", "ZCMPTYPE", "ZVAL1", "ZBLANK"),
    *("BSCALE", "BZERO", "BLANK", "EXTVER", "DATASUM", "CHECKSUM", "BLOCKED"),
)
_AXES = (
    *(f"{key}{axis}" for key in ("CRVAL", "CRPIX", "CDELT", "CTYPE", "CUNIT", "CROTA") for axis in (1, 2, 3)),
    *(f"{key}{i}_{j}" for key in ("CD", "PC") for i in (1, 2, 3) for j in (1, 2, 3)),
    *("WCSAXES", "LONPOLE", "LATPOLE", "RADESYS", "EQUINOX", "PV1_1", "PV2_1", "PV2_99", "PS3_0", "A_ORDER", "A_0_0"),
    *("RESTFRQ", "RESTWAV", "VELREF", "SPECSYS", "CPDIS1", "DP1", "WCSNAME", "TELESCOP"),
)
_TYPES = (
    *("'RA---TAN'", "'DEC--TAN'", "'RA---TAB'", "'DEC--TPV'", "'RA---TAN-SIP'", "'GLON-CAR'", "'RA---ZZZ'", "'WAVE'"),
    *("'WAVE-TAB'", "'WAVE-LOG'", "'VELO-F2V'", "'FELO-HEL'", "'AWAV'", "'FREQ'", "'LINEAR'", "'STOKES'", "'RA--'"),
    *("'um'", "'Angstrom'", "'parsec'", "'m**999'", "'10**400 m'", "'deg deg deg'", "'hourangle'", "'K'"),
)
_TEXT_KEYS = (
    *("EXTNAME", "OBJECT", "INSTRUME", "DATE-OBS", "BUNIT", "STARID", "SRCCUBE", "NOTE", "APEXCL", "SNRWIN", "HISTORY"),
    *("HIERARCH ESO OBS NAME", "HIERARCH ESO PRO CATG", "HIERARCH ESO OCS ARM3 NAME", "HIERARCH ESO OCS ARM1 NAME"),
    *("HIERARCH ESO INS GRAT1 ID", "HIERARCH ESO DPR TYPE", "HIERARCH ESO PRO REC1 ID", "HIERARCH ESO QC CUBE_UNIT"),
    *("HIERARCH ESO PRO REC1 PARAM1 NAME", "HIERARCH ESO PRO REC1 RAW1 NAME", "HDUCLASS", "HDUCLAS2", "SCIDATA"),
)
_NUMBER_KEYS = (
    *("MJD-OBS", "EXPTIME", "IFUNR", "QUALMASK", "AIRMASS", "RA", "DEC", "APRADIUS", "APAREA", "NSKY", "PSFFWHM"),
    *("HIERARCH ESO TEL AIRM START", "HIERARCH ESO OCS ARM3 ALPHA", "HIERARCH ESO OCS ARM3 ORIGARM", "BLENDC1"),
    *("HIERARCH ESO PRO REC99999999 ID", "HIERARCH ESO QC ZERO POINT", "HIERARCH ESO DET SEQ1 DIT"),
)


@dataclass
class Unit:
    """One header with its data."""

    cards: list[bytes]
    data: bytes = b""
    has_end: bool = True

    def stored(self) -> bytes:
        """Return it as it stands in a file."""
        header = b"".join(self.cards) + (b"END".ljust(_CARD) if self.has_end else b"")
        return header + b" " * (-len(header) % _BLOCK) + self.data


@dataclass
class Parts:
    """A file in its units."""

    units: list[Unit] = field(default_factory=list)

    @classmethod
    def of(cls, content: bytes) -> Parts:
        """Take a sound file apart: a header begins where SIMPLE or XTENSION stands at a block."""
        starts = [at for at in range(0, len(content), _BLOCK) if content[at : at + 9] in (b"SIMPLE  =", b"XTENSION=")]
        parts = cls()
        for start, end in zip(starts, [*starts[1:], len(content)], strict=False):  # none, if it is packed
            parts.units.append(_unit(content[start:end]))
        return parts

    def stored(self) -> bytes:
        """Return the whole file."""
        return b"".join(unit.stored() for unit in self.units)


def mutate_fits(rng: np.random.Generator, content: bytes) -> tuple[str, bytes]:
    """Return what was done to a file, and the file."""
    parts = Parts.of(content)
    if not parts.units or rng.uniform() < 0.2:
        name, change = _of_bytes(rng)
        return name, change(rng, content)
    told = [_CHANGES[int(rng.integers(len(_CHANGES)))](rng, parts) for _ in range(int(rng.integers(1, 4)))]
    whole = parts.stored()
    if rng.uniform() < 0.1:
        name, change = _of_bytes(rng)
        told, whole = [*told, name], change(rng, whole)
    return "; ".join(told), whole


def _unit(content: bytes) -> Unit:
    end = next((at for at in range(0, len(content), _CARD) if content[at : at + _CARD].rstrip() == b"END"), None)
    if end is None:
        return Unit([content], has_end=False)
    cards = [content[at : at + _CARD] for at in range(0, end, _CARD)]
    return Unit(cards, content[end + _BLOCK - end % _BLOCK :])


def _card(key: str, value: str) -> list[bytes]:
    """Return a card, whatever its value is; texts that are too long go on in CONTINUE cards."""
    head = f"{key} = " if key.startswith("HIERARCH") else f"{key:<8}= "
    room = _CARD - len(head)
    raw = value.encode("utf-8", "surrogateescape")
    if len(raw) <= room:
        return [(head.encode() + raw).ljust(_CARD)[:_CARD]]
    inner = raw.strip(b"'")
    pieces = [inner[: room - 3], *(inner[at : at + 67] for at in range(room - 3, len(inner), 67))]
    heads = [head.encode(), *[b"CONTINUE  "] * (len(pieces) - 1)]
    return [
        (start + b"'" + piece + (b"&'" if number < len(pieces) - 1 else b"'")).ljust(_CARD)[:_CARD]
        for number, (start, piece) in enumerate(zip(heads, pieces, strict=True))
    ]


def _set(rng: np.random.Generator, parts: Parts, key: str, value: str) -> str:
    """Put a card where it stands, or at the end of a header; sometimes beside the one that is there."""
    with_data = [unit for unit in parts.units if unit.data] or parts.units
    unit = parts.units[0] if key.startswith("HIERARCH") else with_data[int(rng.integers(len(with_data)))]
    start = f"{key} =".encode() if key.startswith("HIERARCH") else f"{key:<8}=".encode()
    places = [number for number, card in enumerate(unit.cards) if card.startswith(start)]
    if places and rng.uniform() < 0.9:
        unit.cards[places[0] : places[0] + 1] = _card(key, value)
    else:
        unit.cards += _card(key, value)
    return f"{key} of unit {parts.units.index(unit)} is {value[:40]!r}"


def _structure(rng: np.random.Generator, parts: Parts) -> str:
    return _set(rng, parts, one_of(rng, _STRUCTURE), one_of(rng, NUMBERS))


def _axis(rng: np.random.Generator, parts: Parts) -> str:
    return _set(rng, parts, one_of(rng, _AXES), one_of(rng, NUMBERS if rng.uniform() < 0.6 else _TYPES))


def _text(rng: np.random.Generator, parts: Parts) -> str:
    text = one_of(rng, TEXTS).replace("'", "''")
    return _set(rng, parts, one_of(rng, _TEXT_KEYS), f"'{text}'" if rng.uniform() < 0.95 else text)


def _number(rng: np.random.Generator, parts: Parts) -> str:
    return _set(rng, parts, one_of(rng, _NUMBER_KEYS), one_of(rng, NUMBERS))


def _huge(rng: np.random.Generator, parts: Parts) -> str:
    """Axes, heaps and groups of 10^9 at once."""
    keys = [("NAXIS1", "NAXIS2", "NAXIS3"), ("PCOUNT", "GCOUNT"), ("NAXIS", "NAXIS1"), ("ZNAXIS1", "ZNAXIS2")]
    chosen = keys[int(rng.integers(len(keys)))]
    return "; ".join(_set(rng, parts, key, "1000000000") for key in chosen)


def _singular(rng: np.random.Generator, parts: Parts) -> str:
    value = one_of(rng, ["0", "1E-30", "1", "NaN", "1E200"])
    return "; ".join(_set(rng, parts, f"CD{i}_{j}", value) for i in (1, 2) for j in (1, 2))


def _drop(rng: np.random.Generator, parts: Parts) -> str:
    unit = parts.units[int(rng.integers(len(parts.units)))]
    return f"without {unit.cards.pop(int(rng.integers(len(unit.cards))))[:30]!r}" if unit.cards else "nothing"


def _without_end(rng: np.random.Generator, parts: Parts) -> str:
    number = int(rng.integers(len(parts.units)))
    parts.units[number].has_end = False
    return f"no END in unit {number}"


def _garbage(rng: np.random.Generator, parts: Parts) -> str:
    unit = parts.units[int(rng.integers(len(parts.units)))]
    unit.cards.insert(int(rng.integers(len(unit.cards) + 1)), rng.bytes(_CARD))
    return "a card of random bytes"


def _again(rng: np.random.Generator, parts: Parts) -> str:
    number = int(rng.integers(len(parts.units)))
    parts.units.insert(int(rng.integers(1, len(parts.units) + 1)), parts.units[number])
    return f"unit {number} twice"


def _shuffled(rng: np.random.Generator, parts: Parts) -> str:
    parts.units[1:] = [parts.units[1 + int(at)] for at in rng.permutation(len(parts.units) - 1)]
    return "units in another order"


def _many(rng: np.random.Generator, parts: Parts) -> str:
    """Thousands of cards, or of empty extensions."""
    if rng.uniform() < 0.5:
        parts.units[0].cards += [f"HISTORY {number}".encode().ljust(_CARD) for number in range(20_000)]
        return "20000 cards"
    empty = Unit([b"XTENSION= 'IMAGE   '".ljust(_CARD), *_card("BITPIX", "8"), *_card("NAXIS", "0")])
    empty.cards += [*_card("PCOUNT", "0"), *_card("GCOUNT", "1")]
    parts.units += [empty] * 1500
    return "1500 empty extensions"


def _data(rng: np.random.Generator, parts: Parts) -> str:
    """Pixels that are no numbers, or are as large as numbers get."""
    unit = max(parts.units, key=lambda one: len(one.data))
    word = (b"\x7f\xc0\x00\x00", b"\x7f\x80\x00\x00", b"\x7f\x7f\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\xff")
    chosen = word[int(rng.integers(len(word)))]
    start, end = sorted(int(at) // 4 * 4 for at in rng.integers(len(unit.data) + 1, size=2))
    unit.data = unit.data[:start] + chosen * ((end - start) // 4) + unit.data[end:]
    return f"data {chosen.hex()} from {start} to {end}"


_CHANGES: tuple[Callable[[np.random.Generator, Parts], str], ...] = (
    *(_structure, _structure, _axis, _axis, _axis, _text, _text, _text, _number, _number, _huge, _singular),
    *(_drop, _without_end, _garbage, _again, _shuffled, _many, _data),
)


def _packed_badly(rng: np.random.Generator, content: bytes) -> bytes:
    """Compress, and spoil the stream or the size at its end, or let a few bytes become two gigabytes."""
    if rng.uniform() < 0.3:
        return gzip.compress(content[:_BLOCK]) + gzip.compress(bytes(2**26)) * 32
    packed = gzip.compress(content)
    return cut_short(rng, packed) if rng.uniform() < 0.5 else flipped(rng, packed, 4)


def _of_bytes(rng: np.random.Generator) -> tuple[str, Callable[[np.random.Generator, bytes], bytes]]:
    """Return a change that knows nothing of the format."""
    changes: list[tuple[str, Callable[[np.random.Generator, bytes], bytes]]] = [
        ("cut short", cut_short),
        ("bits flipped", lambda rng, content: flipped(rng, content[:20_000]) + content[20_000:]),
        ("bits flipped anywhere", flipped),
        ("random bytes at the end", lambda rng, content: content + rng.bytes(int(rng.integers(1, 5000)))),
        (
            "shifted by a few bytes",
            lambda rng, content: content[: 80 * 9] + b" " * int(rng.integers(1, 80)) + content[720:],
        ),
        ("random bytes", lambda rng, content: rng.bytes(int(rng.integers(0, 5000)))),
        ("compressed", _packed_badly),
    ]
    return changes[int(rng.integers(len(changes)))]
