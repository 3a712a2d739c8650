"""The words by which a reason speaks of events, per language: what each says of kind and polarity."""

from __future__ import annotations

from dataclasses import dataclass

from recall.types import DISLIKE, LIKE, NEUTRAL, Event
from rerank.verbs import Kind, kind

_ANY: frozenset[Kind] = frozenset()


@dataclass(frozen=True, slots=True)
class Deed:
    """What a verb says: the event is of one of these kinds (empty: any) and has one of these polarities."""

    polarities: frozenset[int]
    kinds: frozenset[Kind] = _ANY

    def allows(self, event: Event) -> bool:
        return event.polarity in self.polarities and (not self.kinds or kind(event.type) in self.kinds)


LIKED = Deed(frozenset({LIKE}))
DISLIKED = Deed(frozenset({DISLIKE}))
_MET = frozenset({LIKE, NEUTRAL})
NAMED = Deed(_MET)
"""A title that is named without a verb: as a likeness, so it was not disliked."""

_LOOKED = Deed(_MET, frozenset({"watch", "rate"}))
_DONE = Deed(frozenset({LIKE}), frozenset({"watch", "play", "listen", "read", "learn"}))
_BOUGHT = Deed(_MET, frozenset({"buy"}))
_RATED = Deed(frozenset({LIKE, NEUTRAL, DISLIKE}), frozenset({"rate"}))
_READ, _PLAYED = Deed(_MET, frozenset({"read", "rate"})), Deed(_MET, frozenset({"play"}))
_HEARD, _LEARNT = Deed(_MET, frozenset({"listen"})), Deed(_MET, frozenset({"learn"}))
_RETURNED, _SKIPPED = Deed(frozenset({DISLIKE, NEUTRAL}), frozenset({"return"})), DISLIKED
_CHOSE = NAMED


def _words(text: str) -> list[str]:
    return text.split()


def _table(*rows: tuple[Deed, str]) -> dict[str, Deed]:
    return {word: deed for deed, words in rows for word in words.split()}


DEEDS = {
    "en": _table(
        (
            LIKED,
            "loved love loves loving like liked likes liking enjoyed enjoy enjoys enjoying favourite "
            "favourites favorite favorites adored adore appreciated appreciate fond fan preferred prefer",
        ),
        (DISLIKED, "disliked dislike hated hate avoided abandoned dropped regretted gave-up"),
        (_LOOKED, "watched watch watching saw seen viewed viewing"),
        (_DONE, "finished finishing completed completing"),
        (_BOUGHT, "bought buy buying purchased purchase purchases purchasing ordered ordering"),
        (_RATED, "rated gave reviewed"),
        (_READ, "read reading"),
        (_PLAYED, "played playing"),
        (_HEARD, "listened listening heard"),
        (_LEARNT, "took taken enrolled"),
        (_RETURNED, "returned"),
        (_SKIPPED, "skipped skipping"),
        (_CHOSE, "chose chosen choosing picked tried"),
    ),
    "zh": _table(
        (LIKED, "喜欢 喜爱 很喜欢 非常喜欢 钟爱 欣赏 偏爱 热爱 最爱 喜欢过 喜欢的 喜爱的"),
        (DISLIKED, "不喜欢 讨厌 反感 没有看完 没看完 没有读完 放弃 放弃了 不满意 跳过 跳过了"),
        (_LOOKED, "看过 看了 观看 观看了 观看过 看过的 看过一部分"),
        (_DONE, "看完 看完了 看完的 读完 读完了 听完 听完了 学完 学完了"),
        (_BOUGHT, "购买 购买了 购买过 买 买了 买过 买下 下单"),
        (_RATED, "评价 评价了 评价过 评分 打分 打了 打出"),
        (_READ, "读过 读了 阅读 阅读过 阅读了"),
        (_PLAYED, "玩过 玩了"),
        (_HEARD, "听过 听了 收听 收听过"),
        (_LEARNT, "学习 学习了 学习过 学过"),
        (_RETURNED, "退回 退回了 退货"),
        (_CHOSE, "选择了 选择过 选过 选了"),
    ),
}

PREDICT = {
    "en": frozenset(_words("may might could will would should can you'll you'd to worth let")),
    "zh": frozenset(_words("可能会喜欢 会喜欢 也许会喜欢 应该会喜欢 可能喜欢 会感兴趣 可能感兴趣")),
}
"""Before an English verb (or as a whole Chinese word): of the future, so of no event."""

NOT = frozenset(_words("not no never don't didn't doesn't haven't hadn't isn't wasn't won't wouldn't"))
ASKED = {
    "en": frozenset(_words("asked wish wished wishes want wanted wants looking requested")),
    "zh": frozenset(_words("希望 想要 想看 要求 愿望 心愿")),
}
"""Speaks of the wish, which must then be cited."""

ITEM = {
    "en": frozenset(["it", "it's", "its", "this", "here's"]),
    "zh": frozenset(_words("它 它的 这部 这本 这款 这个 这首 这门 本片 该片 此")),
}
TURN = {
    "en": frozenset(["so", "therefore", "hence", "thus"]),
    "zh": frozenset(_words("所以 因此 于是 故 推荐 向你推荐")),
}
"""From here on the sentence speaks of the recommended item."""

ALIKE = {
    "en": frozenset(
        _words(
            "similar similarly same shared share shares sharing alike resembles resemble common "
            "related like likewise"
        )
    ),
    "zh": frozenset(_words("相似 类似 同样 相同 共同 同类 一样 像 如同 相近 接近 共享 同属 同为")),
}
"""Says that the item and the title have something in common."""

BOTH = {
    "en": frozenset(_words("another both like same also too shared share shares common again more likewise")),
    "zh": frozenset(_words("另一部 另一本 另一款 另一个 另一 都是 也是 同样 同为 也 都 同属 相同 共同")),
}
"""A category said with one of these is said of the item and of what is cited."""

BOTH_YEARS = {
    "en": frozenset(_words("both same")),
    "zh": frozenset(_words("都 都是 同年 同一年 同样 同为")),
}
"""A year said with one of these is said of the item and of what is cited."""

CREATOR = frozenset(["creator", "creators", "作者"])
"""Speaks of a creator without a name, who must then be common to both."""

FACT_WORDS = {
    "en": frozenset(_words("theme themes setting settings atmosphere tone")),
    "zh": frozenset(_words("主题 氛围 风格 背景 题材 基调")),
}
"""Say what a fact is of; they may stand only in a sentence that names one."""

ONLY = frozenset({"only", "唯一"})
"""Says of a fact that nothing else has it."""

TASTE = {
    "en": frozenset(
        _words("taste tastes interest interests liking love fondness preference preferences history")
    ),
    "zh": frozenset(_words("口味 兴趣 偏好 喜好 爱好 品味")),
}
"""Objects of 'your': what they are of is said of the history."""

FILLERS = {
    "en": frozenset(
        _words(
            "a an the of for in to other some several many such kind kinds good and or film films "
            "movie movies item items product products book books with your"
        )
    ),
    "zh": frozenset(_words("的 一部 一些 多部 几部 和 与 及 类 电影 影片 片 对 有 过 了")),
}
"""May stand between a verb and the category that is its object."""

NUMBERS = {
    "en": {
        word: n
        for n, word in enumerate(
            _words("two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"),
            2,
        )
    }
    | {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100, "twice": 2, "thousand": 1000},
    "zh": {
        "两": 2,
        "二": 2,
        "三": 3,
        "四": 4,
        "五": 5,
        "六": 6,
        "七": 7,
        "八": 8,
        "九": 9,
        "十": 10,
        "百": 100,
    },
}
SEVERAL = frozenset(_words("several many few lot 几部 多部 许多 若干 一些"))
"""Says three or more."""
