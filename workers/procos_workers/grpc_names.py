"""How names that are known are told to a person who used another one."""

from difflib import get_close_matches

_MOST_NAMES = 40


def guess(name: str, known: list[str]) -> str:
    """The nearest of the known names, as a question."""
    close = get_close_matches(name.lower(), {each.lower(): each for each in known}, n=1)
    nearest = next((each for each in known if each.lower() in close), None)
    return f" (did you mean {nearest}?)" if nearest else ""


def listed(names: list[str]) -> str:
    """The names, not all of very many."""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
