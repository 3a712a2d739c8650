"""Matching on real catalogues: MovieTweetings against itself, and MovieLens 100k against MovieTweetings.

MovieLens 100k carries no ids, so the pairs below were read one by one; the figures for false joins come from
two disjoint halves of one catalogue, in which no join is right.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from recall.sample.download import SHA256, WHEEL, cache_folder
from recall.sample.movielens import read_movielens
from tests.test_recall_links_items import catalogue, listings, targets

READ = """
Seven (Se7en) 1995 = Se7en 1995
Hate (Haine, La) 1995 = La haine 1995
Star Maker, The (Uomo delle stelle, L') 1995 = L'uomo delle stelle 1995
Butcher Boy, The 1998 = The Butcher Boy 1997
Alphaville 1965 = Alphaville, une étrange aventure de Lemmy Caution 1965
In the Realm of the Senses (Ai no corrida) 1976 = Ai no korîda 1976
Ghost in the Shell (Kokaku kidotai) 1995 = Kôkaku kidôtai 1995
Monty Python's Life of Brian 1979 = Life of Brian 1979
Wrong Trousers, The 1993 = Wallace & Gromit in The Wrong Trousers 1993
Return of the Jedi 1983 = Star Wars: Episode VI - Return of the Jedi 1983
Bram Stoker's Dracula 1992 = Dracula 1992
Heavyweights 1994 = Heavy Weights 1995
Mouse Hunt 1997 = Mousehunt 1997
Jungle2Jungle 1997 = Jungle 2 Jungle 1997
Duoluo tianshi 1995 = Duo luo tian shi 1995
Alien 3 1992 = Alien³ 1992
8 1/2 1963 = 8½ 1963
Richie Rich 1994 = Ri¢hie Ri¢h 1994
M*A*S*H 1970 = MASH 1970
Tales From the Crypt Presents: Demon Knight 1995 = Tales from the Crypt: Demon Knight 1995
William Shakespeare's Romeo and Juliet 1996 = Romeo + Juliet 1996
My Left Foot 1989 = My Left Foot: The Story of Christy Brown 1989
U.S. Marshalls 1998 = U.S. Marshals 1998
Army of Darkness 1993 = Army of Darkness 1992
Monty Python and the Holy Grail 1974 = Monty Python and the Holy Grail 1975
"""
OTHERS = """
Fear, The 1995 = Fear 1996
Mighty, The 1998 = Mighty Joe Young 1998
Hot Shots! Part Deux 1993 = Hot Shots! 1991
Anna 1996 = Anna: Ot shesti do vosemnadtsati 1994
Henry V 1989 = Henry & June 1990
Magnificent Seven, The 1954 = Magnificent Obsession 1954
Tango Lesson, The 1997 = Tango 1998
Amityville II: The Possession 1982 = Possession 1981
"""


def tweeted() -> list[tuple[Any, ...]]:
    return [("mt", *row) for row in catalogue()]


def movielens() -> list[tuple[Any, ...]]:
    wheel: Path = cache_folder() / WHEEL
    if not wheel.is_file():
        pytest.skip(f"needs {WHEEL} (sha256 {SHA256[:8]}…) in {cache_folder()}: run `whyrec data sample`")
    films = read_movielens(wheel).films
    return [("ml", str(at), film.title, film.year, film.genres) for at, film in enumerate(films)]


def title_and_year(text: str) -> tuple[str, int]:
    title, year = text.rsplit(" ", 1)
    return title, int(year)


def test_pairs_that_were_read_meet_and_others_do_not() -> None:
    rows = movielens() + tweeted()
    found = targets(listings(*rows))
    place = {(platform, title, year): (platform, key) for platform, key, title, year, _ in rows}

    def meet(line: str) -> bool:
        one, other = map(title_and_year, line.split(" = "))
        return found[place["ml", *one]] == found[place["mt", *other]]

    assert [line for line in READ.strip().splitlines() if not meet(line)] == []
    assert [line for line in OTHERS.strip().splitlines() if meet(line)] == []
    sides: dict[str, set[str]] = defaultdict(set)
    for (platform, _), target in found.items():
        sides[target].add(platform)
    assert Counter(len(side) for side in sides.values())[2] >= 845


@pytest.mark.parametrize(("told", "most"), [(True, 9), (False, 13)])
@pytest.mark.parametrize("seed", [1])
def test_two_halves_of_a_catalogue_hardly_meet(seed: int, told: bool, most: int) -> None:
    dice = random.Random(seed)
    rows = [(dice.choice("ab"), *row[1:4], row[4] if told else []) for row in tweeted()]
    sides: dict[str, set[str]] = defaultdict(set)
    for (platform, _), target in targets(listings(*rows)).items():
        sides[target].add(platform)
    wrong = sum(len(side) == 2 for side in sides.values())
    print(f"{wrong} false joins between two halves of {len(rows)} films")
    assert wrong <= most


def test_seasons_editions_and_remakes_of_real_names_stay_apart() -> None:
    rows = [
        ("a", "1", "The Office: Season 1", 2005), ("b", "2", "The Office (Season 2)", 2005),
        ("b", "3", "The Office", 2001),
        ("a", "4", "Star Trek", 2009), ("b", "5", "Star Trek: The Motion Picture", 1979),
        ("a", "6", "Cape Fear", 1991), ("b", "7", "Cape Fear", 1962),
        ("a", "8", "Harry Potter and the Deathly Hallows: Part 1", 2010),
        ("b", "9", "Harry Potter and the Deathly Hallows: Part 2", 2011),
    ]  # fmt: skip
    assert len(set(targets(listings(*rows)).values())) == len(rows)
    assert re.fullmatch(r"i[0-9a-f]{20}", next(iter(targets(listings(*rows)).values())))
