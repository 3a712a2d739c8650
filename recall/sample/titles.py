"""How the sample's platforms write a film's title."""

from __future__ import annotations

import re

from recall.sample.movielens import Film

_ARTICLES = (
    "The|A|An|La|Le|L'|Les|Las|Los|El|Il|Lo|I|Gli|"
    "Der|Die|Das|Ein|Eine|Un|Une|Uno|Una|O|Os|As|De|Het|Den|Det|En"
)
_MOVED = re.compile(rf"^(?P<rest>.+), (?P<article>{_ARTICLES})$")
_BRACKET = re.compile(r"\s*\(([^()]*)\)\s*$")


def article_in_front(title: str) -> str:
    """'Usual Suspects, The' → 'The Usual Suspects'; other titles as they are."""
    moved = _MOVED.match(title)
    if moved is None:
        return title
    space = "" if moved["article"].endswith("'") else " "
    return moved["article"] + space + moved["rest"]


def cinema_title(film: Film) -> str:
    """'The Horseman on the Roof (Le Hussard sur le toit) (1995)': articles in front, the year last."""
    main, other = _split(film.title)
    text = article_in_front(main) + (f" ({article_in_front(other)})" if other else "")
    return text if film.year is None else f"{text} ({film.year})"


def stream_title(film: Film) -> str:
    """As the data set has it: 'Horseman on the Roof, The (Hussard sur le toit, Le)'."""
    return film.title


def shop_title(film: Film) -> str:
    """'The Horseman on the Roof': the article in front, no other title."""
    return article_in_front(_split(film.title)[0])


def _split(title: str) -> tuple[str, str | None]:
    bracket = _BRACKET.search(title)
    if bracket is None or not title[: bracket.start()].strip():
        return title, None
    return title[: bracket.start()], bracket[1]
