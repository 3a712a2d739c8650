# ruff: noqa: E501
"""True and false reasons that speak of extracted facts, over the world of tests/reasons_corpus.py.

Facts: Blade Runner shares the theme "artificial life" and the style "neo-noir" with The Matrix, the mood
"slow-burn" with Alien; Collateral shares "night city" and "neo-noir" with Heat, "heist" with Thief. Alone:
Alien has "deep space", Blade Runner "rainy streets", Up "grief"; Titanic (disliked) shares "grief" with Up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import reasons_corpus as corpus
from reasons_corpus import Case

from rerank.common import shared_facts
from rerank.knowledge.types import OPEN, Fact
from rerank.reasons import ReasonTask

_TABLE = {
    "The Matrix": "theme:artificial life|style:Neo-Noir|theme:free will",
    "Alien": "mood:slow burn|setting:deep space|theme:survival",
    "Heat": "setting:night city|style:neo-noir|theme:honour among thieves",
    "Thief": "theme:heist|mood:melancholy",
    "Titanic": "theme:grief|setting:ocean liner",
    "Fargo": "mood:deadpan|setting:snowy plains",
    "Notting Hill": "mood:whimsical|theme:second chances",
    "Blade Runner": "theme:artificial life|style:neo noir|mood:slow-burn|setting:rainy streets|theme:heists gone wrong",
    "Collateral": "setting:night city|style:neo-noir|theme:heists|mood:whimsical",
    "The Thing": "theme:Survival|mood:paranoid|setting:snowy plains",
    "Up": "theme:grief|mood:whimsical|theme:second chances",
}


def facts(source: str = "description", confidence: float = 0.9) -> dict[str, tuple[Fact, ...]]:
    found = {}
    for title, row in _TABLE.items():
        pairs = [part.split(":") for part in row.split("|")]
        found[title] = tuple(
            Fact(title, kind, value, confidence, source, "m", "p", 0) for kind, value in pairs
        )
    return found


async def task(language: str, *, wish: str | None = None, source: str = OPEN) -> ReasonTask:
    plain = await corpus.task(language, wish=wish)
    shared = shared_facts(plain.items, plain.summary, facts(source), language=plain.language)
    return replace(plain, shared=shared)


SHARES = {  # (target, title, how it may be said)
    ("Blade Runner", "The Matrix", "artificial life"),
    ("Blade Runner", "The Matrix", "neo-noir"),
    ("Blade Runner", "Alien", "slow-burn"),
    ("Collateral", "Heat", "night city"),
    ("Collateral", "Heat", "neo noir"),
    ("Collateral", "Thief", "heist"),
    ("The Thing", "Alien", "survival"),
}
NOT_SHARED = {  # (target, title, a value that one of them or neither has)
    ("Blade Runner", "The Matrix", "slow-burn"),
    ("Blade Runner", "The Matrix", "free will"),
    ("Blade Runner", "The Matrix", "rainy streets"),
    ("Blade Runner", "Alien", "artificial life"),
    ("Blade Runner", "Alien", "deep space"),
    ("Blade Runner", "Alien", "neo-noir"),
    ("Blade Runner", "Heat", "night city"),
    ("Collateral", "Heat", "heist"),
    ("Collateral", "Thief", "neo-noir"),
    ("Collateral", "Thief", "melancholy"),
    ("Collateral", "The Matrix", "artificial life"),
    ("The Thing", "Alien", "paranoid"),
    ("The Thing", "Heat", "survival"),
    ("The Thing", "Alien", "time travel"),
    ("Up", "The Matrix", "grief"),
    ("Up", "Alien", "second chances"),
}
_DID = {"The Matrix": ("finished", "stream", "看完了"), "Alien": ("loved", "cinema", "喜欢")}
_DID |= {"Heat": ("bought", "shop", "购买了"), "Thief": ("bought", "shop", "买过")}


def _said(target: str, title: str, value: str) -> Iterator[Case]:
    """What is true if the two share the value, and false if they do not."""
    verb, platform, zh = _DID[title]
    for text in (
        f"It shares the {value} of “{title}”, which you {verb} on {platform}.",
        f"You {verb} {title}, and {target} shares its {value} theme.",
        f"Like {title}, which you {verb} on {platform}, {target} has a {value} mood.",
        f"You {verb} {title}; {target} has the same {value}.",
        f"{target} is another {value} film, like {title}.",
        f"Both {title} and {target} have {value} in common.",
        f"You {verb} the {value} of {title}, so {target} may suit you.",
        f"Because you {verb} {title}, a {value} film, this {value} film may be for you.",
        f"{target} goes with {title}: both are {value}.",
    ):
        yield Case("en", target, (title,), text)
    for text in (
        f"《{target}》与你在 {platform} {zh}的《{title}》有共同的 {value}。",
        f"你{zh}《{title}》，《{target}》同样是 {value} 风格。",
        f"与《{title}》一样，它也有 {value}。",
        f"你{zh}《{title}》，所以推荐这部同样 {value} 的电影。",
    ):
        yield Case("zh", target, (title,), text)


def true_cases() -> tuple[Case, ...]:
    every = [case for triple in sorted(SHARES) for case in _said(*triple)]
    every += [
        Case("en", "Blade Runner", ("Alien", "The Matrix"), "It has the slow-burn mood of Alien. It is neo-noir like The Matrix."),
        Case("en", "Collateral", ("Heat", "Thief"), "You bought Heat. You bought Thief, and Collateral is another heist film."),
        Case("en", "Blade Runner", ("f1",), "It shares the artificial life of “The Matrix”, which you finished on stream."),
        Case("en", "Blade Runner", ("Notting Hill", "Alien"), "Unlike Notting Hill, which you disliked, this is slow burn like Alien."),
        Case("en", "The Thing", ("Alien",), "Your liking of survival films such as Alien makes this a natural choice."),
        Case("en", "Collateral", ("Heat",), "You bought a neo-noir film on shop, and this is neo-noir too."),
        Case("zh", "Collateral", ("Heat", "Thief"), "你在 shop 购买了《Heat》。《Thief》也有 heist 主题。"),
    ]  # fmt: skip
    return tuple(dict.fromkeys([*every, *_MORE_TRUE]))


def false_cases() -> tuple[Case, ...]:
    every = [case for triple in sorted(NOT_SHARED) for case in _said(*triple)]
    for target, title, value in sorted(SHARES):  # true facts, one thing changed
        verb, platform, zh = _DID[title]
        other = next(
            name
            for name in ("Thief", "Alien", "The Matrix")
            if (target, name, value) not in SHARES and name != title
        )
        elsewhere = {"stream": "shop", "cinema": "stream", "shop": "cinema"}[platform]
        every += [
            Case("en", target, (title,), f"It shares the {value} of “{title}”, which you {verb} on {elsewhere}."),
            Case("en", target, (title,), f"It shares the {value} of “{title}”, which you disliked on {platform}."),
            Case("en", target, (title, other), f"It shares the {value} of {title} and {other}."),
            Case("en", target, (title,), f"It shares the {value} of “The Lost Valley”, which you {verb} on {platform}."),
            Case("en", target, (title,), f"It shares the {value} of {title}, which won three awards."),
            Case("en", target, (title,), f"It shares the {value} and the time travel of {title}."),
            Case("en", target, (), f"It shares the {value} of “{title}”, which you {verb} on {platform}."),
            Case("en", target, ("f99",), f"It shares the {value} of “{title}”, which you {verb} on {platform}."),
            Case("en", target, (other,), f"You like {value} films, so this one may suit you."),
            Case("en", target, (title,), f"Unlike {title}, {target} is {value}."),
            Case("zh", target, (title,), f"《{target}》与你在 {elsewhere} {zh}的《{title}》有共同的 {value}。"),
            Case("zh", target, (title, other), f"《{title}》和《{other}》都有 {value}，它也是。"),
        ]  # fmt: skip
    every += [
        Case("en", "Up", ("Titanic",), "It shares the grief of “Titanic”, which you gave up on on stream."),
        Case("en", "Up", ("Titanic",), "It shares the grief of “Titanic”."),
        Case("en", "Up", ("Notting Hill",), "Like Notting Hill, it is whimsical."),
        Case("en", "Up", ("Notting Hill",), "You liked the second chances of Notting Hill, so Up may suit you."),
        Case("en", "The Thing", ("Fargo",), "You loved Fargo, and The Thing has its snowy plains."),
        Case("en", "Blade Runner", ("Alien", "Heat"), "You bought a slow-burn film on shop, and this is slow-burn too."),
        Case("en", "Blade Runner", ("Alien",), "It has the same atmosphere as Alien."),
        Case("en", "Blade Runner", ("Alien",), "It has the theme of Alien."),
        Case("en", "Blade Runner", ("Alien",), "Everyone loves its slow-burn mood, like Alien."),
        Case("en", "Collateral", ("Thief",), "You finished Thief, a heist film, so Collateral may suit you."),
        Case("en", "Collateral", ("Heat",), "It shares the f4 of Heat."),
        Case("zh", "Up", ("Titanic",), "它与《Titanic》有共同的 grief。"),
        Case("zh", "Blade Runner", ("Alien",), "它与《Alien》有相同的主题。"),
    ]  # fmt: skip
    return tuple(dict.fromkeys([*every, *_MORE_FALSE]))


# A second round, written against the check by somebody who had read it; some true ones are withheld.

_MORE_TRUE = (
    Case(
        "en",
        "Blade Runner",
        ("Alien",),
        "Since you enjoyed the slow-burn mood of Alien, Blade Runner should fit.",
    ),
    Case(
        "en",
        "Blade Runner",
        ("The Matrix",),
        "Blade Runner offers the same artificial life theme as The Matrix, which you finished.",
    ),
    Case(
        "en",
        "Blade Runner",
        ("The Matrix",),
        "If you liked the neo-noir style of The Matrix, try Blade Runner.",
    ),
    Case(
        "en",
        "Collateral",
        ("Heat",),
        "Its night city setting is close to that of Heat, which you bought on shop.",
    ),
    Case(
        "en",
        "Collateral",
        ("Heat",),
        "You bought “Heat” on shop, and “Collateral” has a similar night city setting.",
    ),
    Case("en", "Collateral", ("Thief",), "You picked Thief, so another heist story may suit you."),
    Case(
        "en",
        "The Thing",
        ("Alien",),
        "The Thing is about survival, just like Alien, which you loved on cinema.",
    ),
    Case("en", "The Thing", ("Alien",), "You gave Alien 5, and this film has the same survival theme."),
    Case(
        "en",
        "Blade Runner",
        ("Alien", "The Matrix"),
        "You loved Alien on cinema; this Sci-Fi film shares its slow-burn mood.",
    ),
    Case("en", "Collateral", ("Heat", "Thief"), "Like Heat, it is neo-noir; like Thief, it is a heist film."),
    Case("en", "Blade Runner", ("The Matrix",), "A neo-noir about artificial life, like The Matrix."),
    Case(
        "en",
        "Blade Runner",
        ("The Matrix",),
        "You watched The Matrix on stream, where this neo-noir film is too.",
    ),
    Case(
        "en", "Collateral", ("Heat",), "Heat, which you bought on shop, is a neo-noir, and so is Collateral."
    ),
    Case("en", "The Thing", ("Alien",), "Both are survival films."),
    Case("zh", "Blade Runner", ("Alien",), "你喜欢《Alien》的 slow-burn 氛围，这部电影也是。"),
    Case("zh", "Collateral", ("Heat",), "《Collateral》和《Heat》都有 night city 背景。"),
    Case("zh", "The Thing", ("Alien",), "你在 cinema 喜欢过《Alien》，它们都以 survival 为主题。"),
    # a third round
    Case(
        "en",
        "Blade Runner",
        ("The Matrix",),
        "Since you finished The Matrix, another neo-noir about artificial life may be your thing.",
    ),
    Case(
        "en",
        "Blade Runner",
        ("Alien",),
        "This slow-burn Sci-Fi film is by Ridley Scott, like Alien, which you loved.",
    ),
    Case("en", "Collateral", ("Heat",), "Night city and neo-noir are what it shares with Heat."),
    Case(
        "en",
        "Collateral",
        ("Heat",),
        "Having bought Heat on shop, you may enjoy its night city setting in Collateral too.",
    ),
    Case("en", "Collateral", ("Thief",), "Collateral, like Thief, is a heist film by Michael Mann."),
    Case("en", "The Thing", ("Alien",), "In The Thing, survival is the theme, as it is in Alien."),
    Case(
        "en",
        "The Thing",
        ("Alien",),
        "You rated Alien 5 on cinema. The Thing, also a Horror film, has its survival theme.",
    ),
    Case(
        "en",
        "Blade Runner",
        ("The Matrix", "Alien"),
        "You watched The Matrix on stream and loved Alien; Blade Runner is Sci-Fi too.",
    ),
    Case(
        "en",
        "Blade Runner",
        ("The Matrix",),
        "Artificial life is a theme of both The Matrix and Blade Runner.",
    ),
    Case(
        "en", "Collateral", ("Heat",), "“Heat” and “Collateral” share a neo-noir style and the Crime genre."
    ),
    # a fourth round
    Case("en", "Blade Runner", ("Alien",), "You loved Alien. Blade Runner shares its slow-burn mood."),
    Case(
        "en", "Collateral", ("Heat", "Thief"), "You bought Heat, and Collateral brings its night city back."
    ),
    Case("en", "The Thing", ("Alien",), "After Alien, The Thing could be the next survival film for you."),
    Case(
        "en",
        "Blade Runner",
        ("The Matrix",),
        "The neo-noir style of The Matrix, which you watched on stream, is here again.",
    ),
    Case("en", "Collateral", ("Thief",), "As a heist film, Collateral matches Thief."),
    Case("en", "The Thing", ("Alien",), "It continues the survival theme of “Alien”."),
)
_MORE_FALSE = (
    Case(
        "en",
        "Blade Runner",
        ("Alien",),
        "You loved Alien and its deep space setting; Blade Runner has it too.",
    ),
    Case("en", "Blade Runner", ("Alien",), "The artificial life of Blade Runner is also in Alien."),
    Case(
        "en",
        "Blade Runner",
        ("Alien", "The Matrix"),
        "Alien and The Matrix are both slow-burn, like Blade Runner.",
    ),
    Case("en", "Blade Runner", ("Alien", "The Matrix"), "You liked Alien for its artificial life."),
    Case(
        "en",
        "Blade Runner",
        ("Alien", "The Matrix"),
        "You finished The Matrix and loved Alien, both slow-burn films.",
    ),
    Case(
        "en",
        "Blade Runner",
        ("Alien", "The Matrix"),
        "You loved Alien, an artificial life film on cinema, and The Matrix.",
    ),
    Case("en", "Blade Runner", ("Alien", "The Matrix"), "You finished an artificial life film on cinema."),
    Case("en", "Blade Runner", ("Alien", "The Matrix"), "You rated a neo-noir film 5."),
    Case("en", "Blade Runner", ("Alien",), "You loved Alien, a neo-noir film."),
    Case("en", "Collateral", ("Heat", "Thief"), "You bought two heist films on shop, and this is one too."),
    Case("en", "Collateral", ("Heat", "Thief"), "You bought Heat, a heist film, and Thief."),
    Case("en", "Collateral", ("Heat", "Thief"), "Both Heat and Thief are neo-noir, and so is Collateral."),
    Case(
        "en",
        "Collateral",
        ("Heat", "Thief"),
        "You bought Heat and Thief, and Collateral shares the night city of both.",
    ),
    Case("en", "Collateral", ("Heat",), "You loved the night city of Heat and the heist of Thief."),
    Case("en", "The Thing", ("Alien", "Fargo"), "You loved the survival of Fargo."),
    Case("en", "The Thing", ("Alien", "Fargo"), "You rated Fargo 3; like it, this is a survival film."),
    Case(
        "en",
        "Collateral",
        ("Thief", "Notting Hill"),
        "Like Thief, Notting Hill and Collateral are heist films.",
    ),
    Case("en", "Up", ("Titanic", "Alien"), "You loved Alien and the grief of Titanic."),
    Case("en", "Up", ("Titanic", "Alien"), "You love films of grief."),
    Case("en", "Collateral", ("Thief",), "You disliked Thief, a heist film, so this is another kind."),
    Case("en", "Collateral", ("Heat",), "You have bought many neo-noir films."),
    Case("en", "Collateral", ("Heat",), "You bought 3 neo-noir films on shop."),
    Case("en", "Collateral", ("Heat",), "Collateral is the best neo-noir since Heat."),
    Case("en", "Collateral", ("Heat",), "Heat and Collateral were made by the same neo-noir director."),
    Case("en", "Collateral", ("Heat",), "Fans of neo-noir films such as Heat love Collateral."),
    Case(
        "zh",
        "Blade Runner",
        ("Alien", "The Matrix"),
        "《Alien》和《The Matrix》都是 slow-burn 风格，它也是。",
    ),
    Case("zh", "Collateral", ("Heat", "Thief"), "你买过《Heat》这部 heist 电影，《Collateral》也是。"),
    Case("zh", "Collateral", ("Heat",), "你在 cinema 购买了《Heat》，它们都是 neo-noir。"),
    Case("zh", "Up", ("Titanic",), "你喜欢《Titanic》的 grief，这部也是。"),
    Case(
        "en", "Collateral", ("Heat", "Thief", "Alien"), "You have several heist films, and this is one too."
    ),
    Case("en", "Collateral", ("Heat", "Thief", "Alien"), "You liked many neo-noir films, so this fits."),
    # a third round
    Case(
        "en",
        "Blade Runner",
        ("The Matrix", "Alien"),
        "Artificial life is a theme of both Alien and Blade Runner.",
    ),
    Case("en", "Blade Runner", ("The Matrix", "Alien"), "Slow-burn like The Matrix, it may suit you."),
    Case("en", "Blade Runner", ("The Matrix", "Alien"), "You loved the artificial life theme, as in Alien."),
    Case("en", "Blade Runner", ("Alien", "Heat"), "Heat is slow-burn, and so is Blade Runner."),
    Case("en", "Blade Runner", ("Alien", "Heat"), "You bought Heat, which is slow-burn, and loved Alien."),
    Case("en", "Blade Runner", ("Alien", "Heat"), "Blade Runner is slow-burn. So is Heat."),
    Case("en", "Blade Runner", ("Alien", "Heat"), "Your slow-burn purchase on shop fits this one."),
    Case("en", "Blade Runner", ("Alien", "Heat"), "On shop you chose slow-burn films, like this one."),
    Case("en", "Collateral", ("Heat", "Thief"), "Thief is a neo-noir you bought on shop."),
    Case("en", "Collateral", ("Heat", "Thief"), "The night city of Thief is here again."),
    Case("en", "Collateral", ("Heat", "Thief"), "It has heist and night city, like Heat."),
    Case("en", "Collateral", ("Heat", "Thief"), "You bought a heist film called Heat."),
    Case("en", "Collateral", ("Heat", "Thief"), "Heat, Thief and Collateral are all heist films."),
    Case("en", "Collateral", ("Heat",), "You liked the first neo-noir you bought."),
    Case(
        "en", "The Thing", ("Alien", "Fargo"), "Both Fargo and Alien are about survival, and so is The Thing."
    ),
    Case("en", "The Thing", ("Alien", "Notting Hill"), "You disliked Notting Hill for its survival theme."),
    Case(
        "en", "The Thing", ("Alien", "Notting Hill"), "You did not like survival films such as Notting Hill."
    ),
    Case("en", "The Thing", ("Alien",), "You never watched a survival film before Alien."),
    Case("en", "The Thing", ("Alien",), "It is not a survival film, unlike Alien."),
    Case("en", "The Thing", ("Alien",), "You disliked survival films."),
    Case("en", "The Thing", ("Alien",), "Alien is the only survival film you loved."),
    Case("en", "Up", ("Alien", "Titanic"), "Grief is its theme, as in Titanic."),
    Case("en", "Collateral", ("Thief",), "You rated a heist film 4."),
    Case("en", "Collateral", ("Thief",), "You bought Thief twice for the heist."),
    # a fourth round
    Case(
        "en", "Blade Runner", ("Alien", "Heat"), "You loved Alien and its slow-burn mood, which Heat has too."
    ),
    Case(
        "en", "Blade Runner", ("Alien", "Heat"), "Heat shares the slow-burn mood of Alien and Blade Runner."
    ),
    Case("en", "Blade Runner", ("Alien", "Heat"), "Like Alien, Heat is slow-burn."),
    Case("en", "Collateral", ("Heat", "Thief"), "You bought Thief for its night city."),
    Case("en", "Collateral", ("Heat", "Thief"), "Thief, with its night city, and Heat are like Collateral."),
    Case("en", "Collateral", ("Thief",), "You finished a heist film on shop."),
    Case("en", "Collateral", ("Thief",), "You liked more heist films than others."),
    Case("en", "The Thing", ("Alien",), "You saw Alien and other survival films."),
    Case("en", "The Thing", ("Alien", "Fargo"), "You loved a survival film on cinema and another in Fargo."),
    Case("en", "The Thing", ("Alien", "Fargo"), "The survival films Alien and Fargo led here."),
    Case("en", "The Thing", ("Alien", "Fargo"), "You rated Fargo 3 and Alien 5, two survival films."),
    Case("en", "Up", ("Alien", "Titanic"), "You gave up on Titanic. Its grief is in Up as well."),
)
