"""Headers of products: what is carried over from the input, and what a step adds."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from astropy.io import fits

from napari_kmos._version import __version__
from napari_kmos.cube import Cube, Image
from napari_kmos.instrument import (
    KEY_CATEGORY,
    KEY_CUBE_UNIT,
    KEY_EXPTIME,
    KEY_IFU,
    KEY_NOISE_ESTIMATED,
    key_recipe,
)
from napari_kmos.io import _axes
from napari_kmos.io.atomic import FITS_ENDINGS
from napari_kmos.io.records import checksum
from napari_kmos.provenance import package_versions

if TYPE_CHECKING:
    from napari_kmos.provenance import Step

_STRUCTURE = {"SIMPLE", "XTENSION", "BITPIX", "EXTEND", "PCOUNT", "GCOUNT", "EXTNAME", "BSCALE", "BZERO", "BLANK"}
_CHECKS = {"CHECKSUM", "DATASUM", "DATAMD5", "PIPEFILE"}
_AXES = re.compile(
    r"^(NAXIS|CTYPE|CRPIX|CRVAL|CUNIT|CDELT|CROTA)\d*$|^(CD|PC|PV|PS)\d+_\d+$|^(RADE[C]?SYS|EQUINOX|BUNIT)$"
    r"|^(WCSAXES|REST(FRQ|FREQ|WAV)|VELREF|LONPOLE|LATPOLE|EPOCH)$|^[AB]P?_(ORDER|DMAX|\d+_\d+)$"
)
#: What ESO's science data products say of their layout and the meaning of an extension: ours is another.
_LAYOUT = re.compile(r"^(HDU(CLASS|CLAS\d|DOC|VERS)|(SCI|ERR|QUAL)DATA|QUALMASK|EXTVER)$")
#: Of a checksum, as many as a card has room for: no two files share them by chance.
_DIGITS = 32
_RECIPE = re.compile(r"^ESO PRO REC(\d+) ")


def extension_header(item: Cube | Image, name: str) -> fits.Header:
    """Return the header of a DATA or NOISE extension: the input's own cards, then name, unit and axes."""
    header = fits.Header()
    header["EXTNAME"] = (name, "FITS extension name")
    if isinstance(item, Cube) and item.exptime is not None:
        header[KEY_EXPTIME] = (item.exptime, "Integration time")
    cards = [*_axes.unit_cards(item), *_axes.wcs_cards(item.wcs)]
    if isinstance(item, Cube):
        cards += _axes.wavelength_cards(item)
    for key, value, comment in cards:
        header[key] = (value, comment)
    foreign = {KEY_CUBE_UNIT} if isinstance(item, Image) else set()  # of the cube, not of a map
    header.extend(_carried(item.header, taken=set(header) | foreign), unique=True)
    if item.ifu is not None:
        set_card(header, KEY_IFU, item.ifu, "IFU number")
    if isinstance(item, Cube) and item.noise_estimated:
        set_card(header, KEY_NOISE_ESTIMATED, True, "1 sigma estimated from the flux")
    return header


def correlation_header(name: str) -> fits.Header:
    """Return the header of the extension that tells how the noise of neighbouring spaxels is correlated."""
    header = fits.Header([("EXTNAME", f"{name}.CORRELATION", "FITS extension name")])
    header.add_comment("Correlation of the noise of a spaxel with that of its neighbours,")
    header.add_comment("the spaxel itself in the middle: variance of a sum over spaxels p, q with")
    header.add_comment("weights w is the sum over all pairs of w_p w_q noise_p noise_q corr(q - p).")
    return header


def primary_header(primary: fits.Header | None, step: Step | None, *, category: str = "") -> fits.Header:
    """Return the primary header of a product: the input's cards, and the block of the step that made it."""
    header = fits.Header()
    header["EXTEND"] = True
    header.extend(_carried(primary or fits.Header(), taken=set()))
    if category:
        set_card(header, KEY_CATEGORY, category, "Category of pipeline product frame")
    if step is not None:
        add_step(header, step)
    return header


def set_card(header: fits.Header, key: str, value: Any, comment: str = "") -> None:
    """Set a card; ESO's long keywords are HIERARCH cards."""
    keyword = f"HIERARCH {key}" if " " in key or len(key) > 8 else key
    header[keyword] = (value, comment) if comment else value


def _carried(header: fits.Header, *, taken: set[str]) -> list[fits.Card]:
    """Return copies of the cards worth keeping: no structure, axes or checksums, which are written anew."""
    dropped = _STRUCTURE | _CHECKS | taken
    return [
        copy.copy(card)  # what is set in the product's header shall not change the input's
        for card in header.cards
        if card.keyword
        and card.keyword not in dropped
        and not (_AXES.match(card.keyword) or _LAYOUT.match(card.keyword))
    ]


def add_step(header: fits.Header, step: Step) -> None:
    """Add the block and the HISTORY line of a step to a primary header."""
    numbers = [int(match[1]) for key in header if (match := _RECIPE.match(key))]
    block = max(numbers, default=0) + 1
    set_card(header, key_recipe(block, "ID"), f"napari-kmos {step.name}", "Step of napari-kmos")
    set_card(header, key_recipe(block, "PIPE ID"), f"napari-kmos/{__version__}", "Version")
    for number, (name, version) in enumerate(package_versions().items(), start=1):
        _set_text(header, key_recipe(block, f"PKG{number} ID"), _printable(f"{name}/{version}"))
    for number, path in enumerate(step.inputs, start=1):
        _set_text(header, key_recipe(block, f"RAW{number} NAME"), _printable(path.name))
        # Not of tables: one made anew with the same corrections would make another cube of the same pixels, and
        # `run` would do all that follows once more. The record has them.
        if path.name.endswith(FITS_ENDINGS) and path.is_file():
            set_card(header, key_recipe(block, f"RAW{number} SHA256"), checksum(path)[:_DIGITS])
    for number, (name, value) in enumerate(step.parameters.items(), start=1):
        default = f"Default: {_text(step.defaults[name])}" if name in step.defaults else ""
        _set_text(header, key_recipe(block, f"PARAM{number} NAME"), _printable(name))
        _set_text(header, key_recipe(block, f"PARAM{number} VALUE"), _text(value), default)
    for name, value in step.measured.items():
        if isinstance(value, str):
            _set_text(header, f"ESO QC {name}", _printable(value))
        else:
            set_card(header, f"ESO QC {name}", value)
    names = ", ".join(_printable(path.name) for path in step.inputs)
    header.add_history(f"napari-kmos {__version__} {step.name}: {names}; {_printable(_told(step))}")


def _told(step: Step) -> str:
    """Return the parameters that are not at their defaults, to be read by people; the recipe block has all of them."""
    told = [f"{name}={_text(value)}" for name, value in step.parameters.items() if not _is_default(step, name)]
    rest = "" if len(told) == len(step.parameters) else f"{'the rest' if told else 'all'} at their defaults"
    return " ".join(told) + (", " if told and rest else "") + rest


def _is_default(step: Step, name: str) -> bool:
    return name in step.defaults and _text(step.parameters[name]) == _text(step.defaults[name])


def _set_text(header: fits.Header, key: str, value: str, comment: str = "") -> None:
    """Set a text card; a comment that does not fit beside the value is left out, a long value is cut."""
    room = 80 - len(f"HIERARCH {key} = ''")
    text = value if len(value) <= room else value[: room - 3] + "..."
    fits_in = len(text) + len(comment) + 3 <= room
    set_card(header, key, text, comment if fits_in else "")


def _text(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
    return _printable(text)


def _printable(text: str) -> str:
    """Return text that a FITS card can hold: printable ASCII."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)


def escaped(text: str) -> str:
    r"""Write any text in the ASCII of a header, as Python would: \\xe9, \\n."""
    return text.encode("unicode_escape").decode("ascii")


def unescaped(text: Any) -> str:
    """Read what `escaped` wrote; other text as it is."""
    try:
        return str(text).encode("ascii").decode("unicode_escape")
    except UnicodeError:
        return str(text)
