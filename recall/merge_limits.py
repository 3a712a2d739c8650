"""When too much of the input is unusable, nothing is built: the refusal says what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow.compute as pc
import pyarrow.parquet as pq

from recall.cleaning import SET_ASIDE
from recall.errors import TooManyRejects
from recall.merge_rejects import LeftOut
from recall.merge_stage import Stage

_SHOWN = 10
_RAW = 120


def check_rejects(stages: Sequence[Stage], share: float, late: LeftOut) -> None:
    """TooManyRejects when more than `share` of all rows, or of one platform's, are rejected.

    `late` are rows that only the clock rejects, which no stage knows. The message holds the ten commonest
    reasons with the count and the first example of each.
    """
    after = {stage.folder: counts for stage, counts in zip(late.stages, late.counts(), strict=True)}
    for platform in (None, *sorted({stage.file.platform for stage in stages})):
        mine = [stage for stage in stages if platform in (None, stage.file.platform)]
        reasons: Counter[tuple[str, str]] = Counter()
        for stage in mine:
            for reason, count in (Counter(stage.reasons) + after.get(stage.folder, Counter())).items():
                if reason not in SET_ASIDE:
                    reasons[reason, stage.file.name] += count
        read, rejected = sum(stage.read for stage in mine), sum(reasons.values())
        if rejected > share * read:
            where = f"platform {platform}" if platform else "all platforms together"
            lines = [
                f"{rejected:,} of {read:,} rows of {where} can't be used, more than the {share:.1%} that "
                "[merge] max_reject_share allows; nothing was changed. The commonest reasons:"
            ]
            ordered = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
            for (reason, name), count in ordered[:_SHOWN]:
                lines.append(f"  {count:>10,}  {reason} in {name}{_example(mine, name, reason, late)}")
            lines.append("Correct the source or its section in whyrec.toml, or allow more.")
            raise TooManyRejects("\n".join(lines))


def _example(stages: Sequence[Stage], name: str, reason: str, late: LeftOut) -> str:
    for stage in stages:
        if stage.file.name == name:
            found = pq.read_table(stage.rejects, columns=["row", "reason", "raw"])
            if reason not in stage.reasons and stage in late.stages:
                found = late.rejects(late.stages.index(stage), duplicates=False)
            rows = found.filter(pc.equal(found["reason"], reason))
            if len(rows):
                raw = rows["raw"][0].as_py() or ""
                return f", e.g. row {rows['row'][0].as_py()}: {raw[:_RAW]}"
    return ""
