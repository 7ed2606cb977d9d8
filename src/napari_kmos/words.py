"""How things are said."""


def counted(number: int, name: str) -> str:
    """Return how many there are of something, in words: 1 row, 2 rows."""
    return f"{number} {name}{'' if number == 1 else 's'}"
