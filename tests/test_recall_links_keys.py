"""E-mails and phones join accounts and are stored nowhere, whatever becomes of the rows that hold them."""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recall.links.keys import email, phone
from recall.workspace import Workspace
from tests.whole import whyrec

SALT = "a salt of at least sixteen characters"
ADDRESS, NUMBER = "Ann.Canary@Example.org", "+31 6 1234 5678"
TRACES = (b"canary", b"12345678", b"1234 5678", SALT.encode())

CONFIG = """
[platforms.cinema]
[[platforms.cinema.events]]
path = "cinema.csv"
columns = { user = "user", item = "film", time = "at", keys = { email = "mail" } }
[platforms.shop]
[[platforms.shop.events]]
path = "shop.csv"
columns = { user = "user", item = "sku", time = "at" }
[[platforms.shop.accounts]]
path = "customers.jsonl"
columns = { user = "id", keys = { email = "e-mail", phone = "phone" } }
[platforms.games]
[[platforms.games.events]]
path = "games.csv"
columns = { user = "user", item = "game", time = "at" }
[[platforms.games.accounts]]
url = "sqlite:///games.db"
table = "players"
columns = { user = "id", keys = { phone = "phone" } }
phone_country = "31"
[merge]
max_reject_share = 1.0
"""


def write(folder: Path) -> Path:
    (folder / "cinema.csv").write_text(
        f"user,film,at,mail\nc1,m1,100,{ADDRESS}\nc2,m1,bad time,{ADDRESS}\nc3,m1,100,{ADDRESS},{ADDRESS}\n"
        f"c4,m2,100,\n{ADDRESS},m2\n"
    )
    (folder / "shop.csv").write_text("user,sku,at\ns1,a,100\ns2,b,100\n")
    rows = [
        {"id": "s1", "e-mail": f" {ADDRESS.upper()} ", "phone": None},
        {"id": "s3", "e-mail": ADDRESS.lower(), "phone": NUMBER},
        {"id": "", "e-mail": ADDRESS, "phone": NUMBER},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows) + f"not json {ADDRESS} {NUMBER}\n"
    (folder / "customers.jsonl").write_text(text)
    (folder / "games.csv").write_text("user,game,at\ng1,x,100\ng2,x,100\n")
    with sqlite3.connect(folder / "games.db") as database:
        database.execute("CREATE TABLE players (id TEXT, phone TEXT)")
        database.executemany(
            "INSERT INTO players VALUES (?, ?)", [("g1", "06-1234 5678"), ("g2", "06-99"), (None, NUMBER)]
        )
    database.close()
    config = folder / "whyrec.toml"
    config.write_text(CONFIG)
    return config


def persons(folder: Path) -> dict[str, str]:
    rows = pq.read_table(Workspace(folder / "workspace").builds.current() / "links.parquet").to_pylist()
    return {row["key"]: row["target"] for row in rows if row["kind"] == "person"}


def test_shared_keys_join_accounts_through_one_without_events(tmp_path: Path) -> None:
    config = write(tmp_path)
    done = whyrec("ingest", "--config", config, WHYREC_KEY_SALT=SALT)
    assert done.exit_code == 0, done.output
    found = persons(tmp_path)
    assert found["c1"] == found["s1"] == found["s3"] == found["g1"]
    assert len({found[key] for key in ("c1", "c4", "s2", "g2")}) == 4


def test_no_byte_of_an_address_number_or_salt_is_kept(tmp_path: Path) -> None:
    config = write(tmp_path)
    for command in (("ingest",), ("ingest", "--json"), ("links", "show", "cinema:c1")):
        done = whyrec(*command, "--config", config, WHYREC_KEY_SALT=SALT)
        assert done.exit_code == 0, done.output
        assert not any(trace in done.output.lower().encode() for trace in TRACES)
    files = [path for path in (tmp_path / "workspace").rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        held = path.read_bytes()
        if path.suffix == ".parquet":  # compressed: its text has to be looked at
            held += json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
        assert not any(trace in held.lower() for trace in TRACES), path


def test_rejected_rows_hide_their_key_columns_only(tmp_path: Path) -> None:
    config = write(tmp_path)
    whyrec("ingest", "--config", config, WHYREC_KEY_SALT=SALT)
    (build,) = (tmp_path / "workspace" / "builds").glob("*-data")
    raw = {
        (row["file"], row["row"]): row["raw"] for row in pq.read_table(build / "rejects.parquet").to_pylist()
    }
    assert raw["cinema.csv", 3] == "c2,m1,bad time,***"
    assert raw["cinema.csv", 4].startswith("(withheld") and raw["customers.jsonl", 4].startswith("(withheld")


def test_without_a_salt_nothing_is_read_and_the_remedy_is_said(tmp_path: Path) -> None:
    config = write(tmp_path)
    done = whyrec("ingest", "--config", config, WHYREC_KEY_SALT="")
    assert done.exit_code == 1 and "WHYREC_KEY_SALT is not set" in done.stderr
    done = whyrec("ingest", "--config", config, WHYREC_KEY_SALT="short")
    assert done.exit_code == 1 and "too short" in done.stderr and "'short'" not in done.stderr
    assert not (tmp_path / "workspace" / "staged").exists()


def test_another_salt_hashes_unchanged_files_anew(tmp_path: Path) -> None:
    config = write(tmp_path)
    for salt in (SALT, SALT + "2"):
        assert whyrec("ingest", "--config", config, WHYREC_KEY_SALT=salt).exit_code == 0
        found = persons(tmp_path)
        assert found["c1"] == found["s1"]


def test_a_link_table_of_addresses_joins_what_other_sources_say(tmp_path: Path) -> None:
    config = write(tmp_path)
    table = '[[links.tables]]\npath = "mails.csv"\nkey = "email"\n'
    table += 'columns = { person = "mail", platform = "platform", user = "user" }\n'
    config.write_text(CONFIG + table)
    (tmp_path / "mails.csv").write_text(f"mail,platform,user\n{ADDRESS},shop,s2\nnone,shop,s2\n")
    assert whyrec("ingest", "--config", config, WHYREC_KEY_SALT=SALT).exit_code == 0
    found = persons(tmp_path)
    assert found["s2"] == found["c1"]


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("+31 6 1234 5678", None, "31612345678"),
        ("0031612345678", None, "31612345678"),
        ("+31 (0)6 12345678", None, "31612345678"),
        ("06-12345678", "31", "31612345678"),
        ("06-12345678", None, None),
        ("+31", None, None),
        ("call me", "31", None),
        ("+" + "1" * 16, None, None),
    ],
)
def test_phones_are_made_alike(text: str, country: str | None, expected: str | None) -> None:
    assert phone(text, country) == expected


def test_addresses_are_made_alike_and_what_is_none_joins_nobody() -> None:
    assert email(" Ann@Example.ORG\n") == "ann@example.org"
    assert email("ann+x@example.org") != email("ann@example.org")
    assert [email(text) for text in ("ann", "@x.org", "a@b", "a b@x.org", "")] == [None] * 5


def test_a_compressed_file_and_a_parquet_file_carry_keys_too(tmp_path: Path) -> None:
    config = write(tmp_path)
    plain = (tmp_path / "cinema.csv").read_bytes()
    (tmp_path / "cinema.csv.gz").write_bytes(gzip.compress(plain))
    rows = pa.table({"user": ["p1"], "film": ["m1"], "at": ["100"], "mail": [ADDRESS]})
    pq.write_table(rows, tmp_path / "more.parquet")
    config.write_text(CONFIG.replace('path = "cinema.csv"', 'path = ["cinema.csv.gz", "more.parquet"]'))
    assert whyrec("ingest", "--config", config, WHYREC_KEY_SALT=SALT).exit_code == 0
    found = persons(tmp_path)
    assert found["p1"] == found["c1"] == found["s1"]
