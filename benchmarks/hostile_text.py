"""Mutations of text files: tables, regions, TOML, JSON, logs, lists of files."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from hostile_words import NUMBERS, SENTINEL, TEXTS, cut_short, flipped, one_of

if TYPE_CHECKING:
    import numpy as np

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])")
_WORD = re.compile(r"[A-Za-z][\w./-]*")
_DEEP = 100_000
_MOST = 20_000_000
_YAML = (
    f"# meta: !!python/object/apply:os.system ['touch {SENTINEL}']",
    f"# - !!python/object/new:subprocess.Popen [['touch', '{SENTINEL}']]",
    "# a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "\n".join(f"# {b}: &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "# meta: !!omap [{__serialized_columns__: {a: {__class__: os.system, x: 1}}}]",
)

Change = Callable[["np.random.Generator", str], tuple[str, str]]


def mutate_text(rng: np.random.Generator, content: bytes) -> tuple[str, bytes]:
    """Return what was done to a file, and the file."""
    if rng.uniform() < 0.15:
        change = (cut_short, flipped)[int(rng.integers(2))]
        return change.__name__, change(rng, content)
    text, told = content.decode("utf-8"), []
    for _ in range(int(rng.integers(1, 4))):
        name, text = _CHANGES[int(rng.integers(len(_CHANGES)))](rng, text)
        told.append(name)
    return "; ".join(told), text.encode("utf-8", "surrogatepass")


def _token(rng: np.random.Generator, text: str, pattern: re.Pattern[str], choices: tuple[str, ...]) -> tuple[str, str]:
    """Put something else in the place of a token, or of all that are like it."""
    found = list(pattern.finditer(text))
    if not found:
        return "nothing", text
    match, new = found[int(rng.integers(len(found)))], one_of(rng, choices)
    told = f"{match[0][:30]!r} is {new[:40]!r}"
    if rng.uniform() < 0.2:
        return f"every {told}", text.replace(match[0], new)
    return told, text[: match.start()] + new + text[match.end() :]


def _number(rng: np.random.Generator, text: str) -> tuple[str, str]:
    return _token(rng, text, _NUMBER, (*NUMBERS, "9" * 10_000, "nan", "1e99999"))


def _word(rng: np.random.Generator, text: str) -> tuple[str, str]:
    return _token(rng, text, _WORD, TEXTS)


def _line(rng: np.random.Generator, text: str) -> tuple[str, str]:
    """Take a line out, put it in twice, or in another place."""
    lines = text.split("\n")
    at, to = (int(number) for number in rng.integers(len(lines), size=2))
    kind = int(rng.integers(3))
    line = lines[at] if kind == 1 else lines.pop(at)
    if kind:
        lines.insert(to, line)
    return ("without line", "twice line", "elsewhere line")[kind] + f" {at + 1}", "\n".join(lines)


def _inserted(rng: np.random.Generator, text: str) -> tuple[str, str]:
    lines = text.split("\n")
    new = one_of(rng, (*TEXTS, *NUMBERS, *_YAML))
    lines.insert(int(rng.integers(len(lines) + 1)), new)
    return f"a line {new[:40]!r}", "\n".join(lines)


def _deep(rng: np.random.Generator, text: str) -> tuple[str, str]:
    """Brackets within brackets."""
    opening = one_of(rng, ["[", "{", "(", '{"a":', "a.", "# - [", "[["])
    start = f"a = {opening * _DEEP}" if rng.uniform() < 0.5 else opening * _DEEP
    return f"{_DEEP} times {opening!r}", start + ("" if rng.uniform() < 0.5 else "\n" + text)


def _swollen(rng: np.random.Generator, text: str) -> tuple[str, str]:
    lines = text.split("\n")
    line = lines[int(rng.integers(len(lines)))]
    times = min(10_000, _MOST // (len(line) + 1))
    return f"a line {times} times", "\n".join([*lines, *[line] * times])


def _ends(rng: np.random.Generator, text: str) -> tuple[str, str]:
    """Other ends of lines, a byte order mark, control characters."""
    new = one_of(rng, ["\r\n", "\r", "\x00\n", "\x1b[2J\n", "\u2028"])
    return f"ends of lines {new!r}", "\ufeff" * int(rng.integers(2)) + text.replace("\n", new)


_CHANGES: tuple[Change, ...] = (
    _number,
    _number,
    _number,
    _word,
    _word,
    _word,
    _line,
    _inserted,
    _deep,
    _swollen,
    _ends,
)
