"""What a hostile file may say: texts that become paths, code, formats or terminal escapes, and absurd numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: A file of this name appears wherever a text was taken for a path or for code.
SENTINEL = "pwned"
LONG = 10_000

TEXTS = (
    f"../{SENTINEL}",
    f"../../../../{SENTINEL}",
    f"/tmp/{SENTINEL}",
    f"a/b/{SENTINEL}",
    f"..\\..\\{SENTINEL}",
    "..",
    ".",
    "",
    " ",
    "~",
    "~root",
    "-rf",
    "--output=/",
    "CON",
    ".hidden",
    "star\x00.fits",
    "two\nlines",
    "two\r\nlines\rover",
    "tab\tand\vmore\f",
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b2J",
    "\u202egnp.exe",
    "\u200e\u200f\u2066\ufeff",
    "e\u0301\u0301\u0301",
    "\u2028line\u2029paragraph",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "%s%s%n%d",
    "{0.__class__.__mro__} {} {file!r}",
    f"$(touch {SENTINEL})",
    f"`touch {SENTINEL}`; touch {SENTINEL}",
    f"__import__('os').system('touch {SENTINEL}')",
    f"!!python/object/apply:os.system ['touch {SENTINEL}']",
    f"cos\nsystem\n(S'touch {SENTINEL}'\ntR.",
    f"\\input{{{SENTINEL}}} \\write18{{touch {SENTINEL}}} & % $ # _ ^ ~",
    "<img src=x onerror=alert(1)><b>bold</b>&amp;",
    "'); DROP TABLE stars; --",
    "} text={x} # circle(1,2,3",
    "\"quoted\" 'quoted'",
    "x" * LONG,
    "../" * (LONG // 3),
    "star 1",
    "IFU.3.DATA",
    "nan",
    "True",
)

#: As the value field of a FITS card, or a number in a text file.
NUMBERS = (
    "0",
    "-1",
    "1",
    "2",
    "1000000000",
    "-1000000000",
    "2147483648",
    "4294967297",
    "9223372036854775807",
    "18446744073709551616",
    "1" + "0" * 30,
    "9" * 60,
    "1.5",
    "-0.0",
    "1E-320",
    "1E300",
    "-1E300",
    "1E400",
    "NaN",
    "inf",
    "-inf",
    "T",
    "'text'",
    "''",
    "",
    "(1,2)",
    "0x10",
    "1_000",
    "1,5",
    "--",
)


def one_of(rng: np.random.Generator, choices: tuple[str, ...] | list[str]) -> str:
    """Return one of several texts."""
    return choices[int(rng.integers(len(choices)))]


def flipped(rng: np.random.Generator, content: bytes, most: int = 40) -> bytes:
    """Return bytes of which some have one bit turned over."""
    changed = bytearray(content)
    for place in rng.integers(len(changed), size=int(rng.integers(1, most))) if changed else ():
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def cut_short(rng: np.random.Generator, content: bytes) -> bytes:
    """Return bytes without their end."""
    return content[: int(rng.integers(len(content) + 1))]
