# ruff: noqa: E501
"""True and false reasons over one small world, written for the check: English and Chinese.

A case is (target, cited titles, text). Templates name what evidence carries; false ones change one thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import reasons_rounds as rounds

from prompts import load
from recall.types import DISLIKE, LIKE, NEUTRAL, Event, History, Item, Listing
from rerank.config import ReasonsConfig
from rerank.reasons import Draft, ReasonTask
from rerank.summary import summarise

NOW = 1_000_000_000
DAY = 86_400


def _item(title: str, year: int, categories: str, creator: str, platforms: str) -> Item:
    listings = tuple(Listing(name, title.lower(), title) for name in platforms.split())
    return Item(title, title, year, (creator,), tuple(categories.split()), listings)


ITEMS = {
    item.id: item
    for item in (
        _item("The Matrix", 1999, "Action Sci-Fi", "Lana Wachowski", "stream"),
        _item("Alien", 1979, "Horror Sci-Fi", "Ridley Scott", "cinema"),
        _item("Notting Hill", 1999, "Romance Comedy", "Roger Michell", "cinema"),
        _item("Heat", 1995, "Crime Action", "Michael Mann", "shop"),
        _item("Titanic", 1997, "Drama Romance", "James Cameron", "stream"),
        _item("Fargo", 1996, "Crime Drama", "Joel Coen", "cinema"),
        _item("Thief", 1981, "Crime Thriller", "Michael Mann", "shop"),
        _item("Blade Runner", 1982, "Sci-Fi Thriller", "Ridley Scott", "stream shop"),
        _item("Collateral", 2004, "Crime Thriller", "Michael Mann", "cinema shop"),
        _item("The Thing", 1982, "Horror Sci-Fi", "John Carpenter", "stream"),
        _item("Up", 2009, "Animation Adventure", "Pete Docter", "stream"),
    )
}
EVENTS = (
    Event("e1", "stream", "The Matrix", "watch", NOW - 10 * DAY, 0.95, 1.0, LIKE),
    Event("e2", "cinema", "Alien", "rating", NOW - 20 * DAY, 5.0, 1.0, LIKE),
    Event("e3", "cinema", "Notting Hill", "rating", NOW - 30 * DAY, 1.0, 0.0, DISLIKE),
    Event("e4", "shop", "Heat", "purchase", NOW - 40 * DAY, None, 1.0, LIKE),
    Event("e5", "stream", "Titanic", "watch", NOW - 50 * DAY, 0.1, 0.0, DISLIKE),
    Event("e6", "cinema", "Fargo", "rating", NOW - 60 * DAY, 3.0, 0.2, NEUTRAL),
    Event("e7", "shop", "Thief", "purchase", NOW - 70 * DAY, None, 1.0, LIKE),
)
TARGETS = ("Blade Runner", "Collateral", "The Thing", "Up")


@dataclass(frozen=True)
class Case:
    language: str
    target: str
    cites: tuple[str, ...]
    """Titles, 'w' for the wish, or a label as it is."""
    text: str
    wish: str | None = None


async def task(language: str, *, wish: str | None = None, silent: tuple[str, ...] = ()) -> ReasonTask:
    known = {event.item: ITEMS[event.item] for event in EVENTS}
    summary = await summarise(
        History("p1", EVENTS), known, platform="stream", now=NOW, budget_tokens=10_000, language=language
    )
    return ReasonTask(
        summary=summary,
        items=tuple(ITEMS[title] for title in TARGETS),
        known=known,
        prompt=load("reasons-list", language=language, domain="films"),
        platform="stream",
        wish=wish,
        language=language,
        settings=ReasonsConfig(silent=silent),
    )


def draft(case: Case, task: ReasonTask) -> Draft:
    labels = {line.event.item: line.label for line in task.summary.lines if line.event}
    return Draft(TARGETS.index(case.target), case.text, tuple(labels.get(c, c) for c in case.cites))


LIKED = ("The Matrix", "Alien", "Heat", "Thief")
_DID = {  # truly said of each event, English and Chinese, platform included
    "The Matrix": (("finished", "watched", "enjoyed", "liked"), "stream", ("看完了", "观看了", "喜欢")),
    "Alien": (("loved", "enjoyed", "liked", "watched"), "cinema", ("喜欢", "非常喜欢", "看过")),
    "Heat": (("bought", "purchased", "ordered", "chose"), "shop", ("购买了", "买了", "买过")),
    "Thief": (("bought", "purchased", "picked", "liked"), "shop", ("购买了", "买下", "选择了")),
}
_WRONG_DID = {  # never true of the event
    "The Matrix": (
        ("bought", "disliked", "gave 2 stars to", "never liked", "skipped"),
        ("购买了", "不喜欢", "讨厌"),
    ),
    "Alien": (("bought", "hated", "avoided", "did not enjoy", "played"), ("购买了", "不喜欢", "没有看完")),
    "Heat": (("watched", "finished", "disliked", "rated", "read"), ("看完了", "不喜欢", "评价过")),
    "Thief": (("listened to", "finished", "hated", "returned", "saw"), ("听过", "退回了", "讨厌")),
}
_WHERE = {"The Matrix": "cinema", "Alien": "shop", "Heat": "stream", "Thief": "cinema"}
_CATEGORY = {"Blade Runner": "Sci-Fi", "Collateral": "Crime", "The Thing": "Horror", "Up": "Animation"}
_SHARES = {  # (target, title, what both are)
    ("Blade Runner", "Alien", "Sci-Fi"), ("Blade Runner", "The Matrix", "Sci-Fi"),
    ("Collateral", "Heat", "Crime"), ("Collateral", "Thief", "Thriller"), ("The Thing", "Alien", "Horror"),
    ("The Thing", "The Matrix", "Sci-Fi"),
}  # fmt: skip
_BY = {("Blade Runner", "Alien", "Ridley Scott"), ("Collateral", "Heat", "Michael Mann"), ("Collateral", "Thief", "Michael Mann")}  # fmt: skip


def _true() -> Iterator[Case]:
    for title, (verbs, platform, zh) in _DID.items():
        for n, verb in enumerate(verbs):
            target = TARGETS[n % 4]
            yield Case(
                "en",
                target,
                (title,),
                f"Because you {verb} “{title}” on {platform}, {target} may be a good choice.",
            )
            yield Case("en", target, (title,), f"You {verb} {title}, so this film could suit your taste.")
            yield Case(
                "en",
                target,
                (title,),
                f"On {platform} you {verb} {title}; {target} goes in a similar direction."
                if _kin(target, title)
                else f"On {platform} you {verb} {title}. Perhaps {target} is worth a try.",
            )
        for n, verb in enumerate(zh):
            target = TARGETS[n % 4]
            yield Case("zh", target, (title,), f"因为你在 {platform} {verb}《{title}》，所以推荐这部电影。")
            yield Case("zh", target, (title,), f"你{verb}《{title}》，《{target}》可能适合你的口味。")
    for target, title, shared in sorted(_SHARES):
        verb, platform, zh = _DID[title][0][0], _DID[title][1], _DID[title][2][0]
        yield Case(
            "en",
            target,
            (title,),
            f"Like {title}, which you {verb} on {platform}, {target} is a {shared} film.",
        )
        yield Case("en", target, (title,), f"You {verb} {title}, and {target} is another {shared} film.")
        yield Case(
            "en", target, (title,), f"{target} shares the {shared} genre with {title}, which you {verb}."
        )
        yield Case("en", target, (title,), f"It is a {shared} film, much like {title}.")
        yield Case("zh", target, (title,), f"你{zh}《{title}》，《{target}》同样是 {shared} 电影。")
        yield Case(
            "zh", target, (title,), f"《{target}》与你在 {platform} {zh}的《{title}》类似，都是 {shared} 片。"
        )
    for target, title, creator in sorted(_BY):
        verb, zh = _DID[title][0][0], _DID[title][2][0]
        yield Case("en", target, (title,), f"You {verb} {title}, and {target} is also by {creator}.")
        yield Case("en", target, (title,), f"{target} is by {creator}, as is {title}, which you {verb}.")
        yield Case("zh", target, (title,), f"你{zh}《{title}》，《{target}》也是 {creator} 的作品。")
    yield Case(
        "en",
        "Blade Runner",
        ("Alien", "The Matrix"),
        "You finished The Matrix on stream and loved Alien on cinema, so Blade Runner fits.",
    )
    yield Case(
        "en",
        "Collateral",
        ("Heat", "Thief"),
        "You bought Heat and Thief on shop, both Crime films, and Collateral is too.",
    )
    yield Case(
        "en",
        "Collateral",
        ("Heat", "Thief"),
        "You bought two Crime films on shop, and Collateral belongs there too.",
    )
    yield Case(
        "en",
        "The Thing",
        ("Alien",),
        "You rated Alien 5 stars on cinema, and The Thing is another Horror film.",
    )
    yield Case(
        "en", "The Thing", ("Alien",), "You gave Alien (1979) a 5, so The Thing (1982) may be for you."
    )
    yield Case(
        "en",
        "The Thing",
        ("Titanic", "Alien"),
        "You gave up on Titanic but loved Alien, so this Horror film may suit you.",
    )
    yield Case(
        "en",
        "Collateral",
        ("Notting Hill", "Heat"),
        "Unlike Notting Hill, which you disliked, this is a Crime film like Heat.",
    )
    yield Case(
        "en",
        "The Thing",
        ("Notting Hill", "Alien"),
        "You did not like Notting Hill, but you loved Alien on cinema.",
    )
    yield Case(
        "en", "Collateral", ("Fargo",), "You rated Fargo 3 on cinema, and Collateral is also a Crime film."
    )
    yield Case(
        "en", "Blade Runner", ("The Matrix",), "Blade Runner is on stream, where you finished The Matrix."
    )
    yield Case(
        "en",
        "Blade Runner",
        ("w",),
        "You asked for something short, so this may be worth a try.",
        "something short",
    )
    yield Case(
        "en",
        "The Thing",
        ("w", "Alien"),
        "You wanted something with monsters, and you loved Alien.",
        "something with monsters",
    )
    yield Case(
        "en",
        "Up",
        ("The Matrix",),
        "Up is an Animation film and is available on stream, where you watched The Matrix.",
    )
    yield Case(
        "en",
        "Blade Runner",
        ("Alien",),
        "Your love of Sci-Fi films such as Alien makes this a natural choice.",
    )
    yield Case("en", "The Thing", ("Alien",), "After watching Alien, you may enjoy this Horror film.")
    yield Case(
        "zh", "The Thing", ("Alien",), "你在 cinema 给《Alien》打了 5 分，《The Thing》同样是 Horror 片。"
    )
    yield Case(
        "zh",
        "Collateral",
        ("Heat", "Thief"),
        "你在 shop 购买了《Heat》和《Thief》，所以推荐这部 Crime 电影。",
    )
    yield Case("zh", "Blade Runner", ("w",), "你希望看短片，所以推荐这部电影。", "看短片")
    yield Case(
        "zh",
        "Collateral",
        ("Notting Hill", "Heat"),
        "你不喜欢《Notting Hill》，而你购买了《Heat》，这部也是 Crime 片。",
    )


def _kin(target: str, title: str) -> bool:
    return any(t == target and s == title for t, s, _ in _SHARES)


def _false() -> Iterator[Case]:
    for title, (verbs, platform, zh) in _DID.items():
        other = _WHERE[title]
        uncited = next(t for t in LIKED if t != title)
        for n, verb in enumerate(verbs):  # wrong platform, a title that is not cited, an invented one
            target = TARGETS[n % 4]
            yield Case(
                "en",
                target,
                (title,),
                f"Because you {verb} “{title}” on {other}, {target} may be a good choice.",
            )
            yield Case(
                "en", target, (title,), f"On {other} you {verb} {title}, so this film could suit your taste."
            )
            yield Case("en", target, (title,), f"You {verb} {uncited}, so this film could suit your taste.")
            yield Case(
                "en",
                target,
                (title,),
                f"You {verb} {title} and The Lost Valley, so this film could suit you.",
            )
            yield Case(
                "en", target, (title,), f"You {verb} {title} {n + 2} times, so this film could suit you."
            )
            yield Case("en", target, ("h99",), f"You {verb} {title}, so this film could suit your taste.")
            yield Case("en", target, (), f"You {verb} {title}, so this film could suit your taste.")
        for n, verb in enumerate(zh):
            target = TARGETS[n % 4]
            yield Case("zh", target, (title,), f"因为你在 {other} {verb}《{title}》，所以推荐这部电影。")
            yield Case("zh", target, (title,), f"你{verb}《{uncited}》，《{target}》可能适合你的口味。")
            yield Case("zh", target, (title,), f"你{verb}《失落的山谷》，所以推荐这部电影。")
            yield Case("zh", target, (title,), f"你{verb}《{title}》，这部电影获得了多项大奖。")
            yield Case("zh", target, (title,), f"Because you liked {title}, this film may suit you.")
        wrong, wrong_zh = _WRONG_DID[title]
        for n, verb in enumerate(wrong):  # swapped polarity, another kind of event
            target = TARGETS[n % 4]
            yield Case(
                "en", target, (title,), f"Because you {verb} “{title}”, {target} may be a good choice."
            )
            yield Case(
                "en",
                target,
                (title,),
                f"You {verb} {title} on {platform}, so this film could suit your taste.",
            )
        for n, verb in enumerate(wrong_zh):
            yield Case(
                "zh", TARGETS[n], (title,), f"因为你在 {platform} {verb}《{title}》，所以推荐这部电影。"
            )
        for target in TARGETS:  # right evidence, wrong claim
            did = verbs[0]
            yield Case("en", target, (title,), f"You {did} {title}, and {target} is a Western.")
            yield Case("en", target, (title,), f"You {did} {title}, and {target} won three awards.")
            yield Case("en", target, (title,), f"You {did} {title}, and {target} is by James Cameron.")
            yield Case("en", target, (title,), f"You {did} {title}, and {target} is a Romance.")
            yield Case("en", target, (title,), f"You {did} {title}, and {target} from 1971 is similar.")
            yield Case("en", target, (title,), f"You {did} {title}, and its hero also fights machines.")
            yield Case("en", target, (title,), f"You {did} {title} and {target} on {platform}.")
            yield Case("en", target, (title,), f"You {did} {target}, so see it again on stream.")
            yield Case("zh", target, (title,), f"你{zh[0]}《{title}》，《{target}》是 Romance 片。")
            yield Case("zh", target, (title,), f"你{zh[0]}《{title}》，《{target}》是 1971 年的作品。")
            yield Case("zh", target, (title,), f"你{zh[0]}《{target}》，所以推荐这部电影。")
    for title in ("Notting Hill", "Titanic"):
        for verb in ("loved", "enjoyed", "liked", "watched", "finished"):
            yield Case("en", "Up", (title,), f"Because you {verb} {title}, this film could suit your taste.")
        for verb in ("喜欢", "看完了", "非常喜欢"):
            yield Case("zh", "Up", (title,), f"因为你{verb}《{title}》，所以推荐这部电影。")
        yield Case("en", "Up", (title,), f"Fans of {title} will love this one.")
        yield Case("en", "Up", (title,), f"It is similar to {title}.")
    for text in (
        "You rated Alien 4 stars on cinema, and The Thing is another Horror film.",
        "You loved Alien on cinema, and The Thing is on shop.",
        "You loved Alien, a Comedy, and this is a Horror film.",
        "You loved Alien in 2015.",
        "You loved Alien by John Carpenter.",
        "Everyone loved Alien, so you will love The Thing.",
        "You loved Alien, and critics praise The Thing.",
        "You loved Alien on 1999-01-01.",
        "You loved several Horror films.",
        "You loved Alien, and Netflix has The Thing.",
        "You loved Alien and The Thing is not a Horror film.",
        "You loved Alien, see https://thing.example.",
        "You loved **Alien**, and this is similar.",
        "You loved Alien (h3), and this is similar.",
        "You loved Alien and",
        "loved Alien.",
        "As a young mother you loved Alien.",
        "You loved “The Thing from Another World”.",
        "You may like Alien.",
        "They loved Alien, so this may suit you.",
        "You asked for something short.",
        "You and your wife loved Alien.",
        "Ignore the history and buy The Thing now.",
    ):
        yield Case("en", "The Thing", ("Alien",), text)
    yield Case("en", "The Thing", ("Alien", "B"), "You loved Alien, so this may suit you.")
    yield Case("en", "Blade Runner", ("w",), "It is short, as you asked.", "something short")
    yield Case("en", "Collateral", ("Heat", "Thief"), "You bought three Crime films on shop.")
    yield Case("en", "Collateral", ("Heat", "Alien"), "You bought Heat and Alien on shop.")
    yield Case("en", "Collateral", ("Heat", "Alien"), "You loved Alien on shop and bought Heat on cinema.")
    yield Case("en", "Collateral", ("Heat", "Notting Hill"), "You liked Heat and Notting Hill.")
    yield Case(
        "en",
        "Collateral",
        ("Heat", "Notting Hill"),
        "You bought Heat on shop and loved Notting Hill on cinema.",
    )
    yield Case("en", "Collateral", ("Fargo",), "You loved Fargo on cinema.")
    yield Case("en", "Blade Runner", ("The Matrix",), "You loved The Matrix, and both are by Ridley Scott.")


SUBTLE = (  # written after the check, to break it
    ("en", "The Thing", ("Alien",), "You loved Alien, and The Thing has the same creator."),
    ("en", "The Thing", ("Alien",), "The Thing is by the creator of Alien, which you loved."),
    ("en", "The Thing", ("Alien",), "You watched Alien again and again."),
    ("en", "The Thing", ("Alien",), "You liked both Alien and this one."),
    ("en", "The Thing", ("Alien",), "Since you finished Alien, a Crime film, try The Thing."),
    ("en", "The Thing", ("Alien",), "Your love of Comedy makes The Thing a good choice, as does Alien."),
    ("en", "The Thing", ("Alien",), "You enjoyed Alien more than other films."),
    ("en", "The Thing", ("Alien",), "The Thing is the next part of Alien."),
    ("en", "The Thing", ("Alien",), "The Thing comes from the same series as Alien."),
    ("en", "The Thing", ("Alien",), "You always liked Alien on cinema."),
    ("en", "The Thing", ("Alien",), "You loved Alien, which came out in 1982."),
    ("en", "The Thing", ("Alien",), "You rated Alien 5, which is on shop."),
    ("en", "The Thing", ("Alien",), "You have seen many films like Alien."),
    ("en", "The Thing", ("Alien",), "You bought The Thing on stream and loved Alien."),
    ("en", "The Thing", ("Alien",), "After finishing Alien you looked for The Thing."),
    ("en", "The Thing", ("Alien",), "Alien, which you disliked, is similar."),
    ("en", "The Thing", ("Alien",), "You gave Alien 1 star."),
    ("en", "The Thing", ("Alien",), "You loved Alien, and so did your friends."),
    ("en", "The Thing", ("Alien",), "This is on cinema and you loved Alien."),
    ("en", "The Thing", ("Alien",), "You recommended Alien."),
    ("en", "The Thing", ("Alien",), "You found Alien a good film and loved its creator."),
    ("en", "The Thing", ("Alien",), "You and Ridley Scott love Horror."),
    ("en", "The Thing", ("Alien",), "The Thing was made after Alien."),
    ("en", "The Thing", ("Alien",), "The Thing is close to what you bought on cinema."),
    ("en", "The Thing", ("Alien",), "Alien is on stream too, and you loved it."),
    ("en", "The Thing", ("Alien",), "You loved Alien in 5 parts."),
    ("en", "The Thing", ("Alien",), "You loved Alien, and The Thing is a 5 star film."),
    ("en", "The Thing", ("Alien",), "You want more films like Alien."),
    ("en", "The Thing", ("Alien",), "You could not finish Alien."),
    ("en", "The Thing", ("Alien",), "You loved Horror films on stream."),
    ("en", "Collateral", ("Heat", "Notting Hill"), "You disliked Heat but bought Notting Hill."),
    ("en", "Collateral", ("Heat", "Notting Hill"), "You disliked Notting Hill on cinema and Heat on shop."),
    (
        "en",
        "Collateral",
        ("Heat", "Notting Hill"),
        "Heat and Notting Hill are both Crime films, like Collateral.",
    ),
    (
        "en",
        "Collateral",
        ("Heat", "Notting Hill"),
        "You bought Heat, and Notting Hill is the kind you enjoy.",
    ),
    ("en", "Collateral", ("Heat", "Notting Hill"), "You returned Heat, and disliked Notting Hill."),
    ("en", "Collateral", ("Heat", "Notting Hill"), "You liked the Romance in Heat."),
    ("en", "Collateral", ("Heat", "Notting Hill"), "Collateral is like Notting Hill."),
    ("zh", "The Thing", ("Alien",), "你喜欢《Alien》，《The Thing》也在 cinema 上。"),
    ("zh", "The Thing", ("Alien",), "你在 stream 给《Alien》打了 5 分。"),
    ("zh", "The Thing", ("Alien",), "你给《Alien》打了 3 分，所以推荐这部电影。"),
    ("zh", "The Thing", ("Alien",), "你看过三次《Alien》。"),
    ("zh", "The Thing", ("Alien",), "你不喜欢《Alien》，所以推荐这部电影。"),
    ("zh", "The Thing", ("Alien",), "你喜欢《Alien》和《The Thing》。"),
    ("zh", "The Thing", ("Alien",), "《The Thing》是《Alien》的一部。"),
    ("zh", "The Thing", ("Alien",), "你最爱 Ridley Scott 的《The Thing》。"),
    ("zh", "The Thing", ("Alien",), "你喜欢的《Alien》是 Comedy 片。"),
    ("zh", "The Thing", ("Alien",), "因为你喜欢《Heat》和《Alien》。"),
    ("zh", "The Thing", ("Alien",), "你在 cinema 购买了《Alien》。"),
    ("zh", "The Thing", ("Alien",), "《The Thing》与《Alien》的作者相同。"),
    ("zh", "The Thing", ("Alien",), "你对 Comedy 的兴趣很适合《The Thing》。"),
    ("zh", "The Thing", ("Alien",), "你喜欢《Alien》中的 John Carpenter。"),
    ("en", "The Thing", ("Alien",), "You liked Alien most on stream."),
    ("en", "The Thing", ("Alien",), "The Thing is what you asked for after Alien."),
    ("en", "The Thing", ("Alien",), "Alien and The Thing are both on cinema."),
    ("en", "The Thing", ("Alien",), "You enjoyed Alien, one of the Crime films you like."),
    ("en", "The Thing", ("Alien",), "You watched Alien, The Thing and others on cinema."),
    ("en", "The Thing", ("Alien",), "You gave Alien a rating of 4."),
    ("en", "The Thing", ("Alien",), "You loved Alien, and it is by John Carpenter, like this."),
    ("en", "The Thing", ("Alien",), "This film and Alien are both by Ridley Scott."),
    ("en", "The Thing", ("Alien",), "You loved the Comedy in Alien."),
    ("en", "The Thing", ("Alien",), "You liked Alien because it is short."),
    (
        "en",
        "The Thing",
        ("Alien",),
        "Your favourite creator is Ridley Scott, so The Thing by Ridley Scott fits.",
    ),
    ("en", "The Thing", ("Alien",), "Because you bought Alien on cinema, you may like this."),
    ("en", "The Thing", ("Alien",), "Try The Thing, which you liked on stream."),
    ("en", "The Thing", ("Alien",), "You tried Alien in 1998 and liked it."),
    ("en", "The Thing", ("Alien",), "You liked three films like Alien."),
    ("zh", "The Thing", ("Alien",), "你在 cinema 看完了《Alien》。"),
    ("zh", "The Thing", ("Alien",), "你也喜欢《The Thing》的作者。"),
    ("zh", "The Thing", ("Alien",), "《Alien》在 stream 上，你喜欢它。"),
    ("zh", "The Thing", ("Alien",), "你喜欢三部 Horror 片。"),
    ("zh", "The Thing", ("Alien",), "你喜欢 Comedy 和《Alien》。"),
    ("zh", "The Thing", ("Alien",), "你曾经不喜欢《Alien》，现在喜欢它。"),
)


@lru_cache
def true_cases() -> tuple[Case, ...]:
    return tuple(dict.fromkeys([*_true(), *(Case(*case) for case in rounds.TRUE)]))


@lru_cache
def false_cases() -> tuple[Case, ...]:
    return tuple(dict.fromkeys([*_false(), *(Case(*case) for case in (*SUBTLE, *rounds.FALSE))]))
