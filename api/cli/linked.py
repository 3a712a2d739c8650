"""What the commands about links and consent share: settings, the store's place, accounts by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from api.settings import Settings
    from recall.links.ledger import Kind, Node


def cluster(settings: Settings, kind: Kind, node: Node) -> list[dict[str, Any]]:
    """The current build's link rows that share `node`'s target; NotFound for an unknown one."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from recall.errors import NotFound
    from recall.workspace import Workspace

    links = pq.read_table(Workspace(settings.workspace).builds.current() / "links.parquet")
    links = links.filter(pc.equal(links["kind"].cast("string"), kind))
    mine = pc.and_(pc.equal(links["platform"], node[0]), pc.equal(links["key"], node[1]))
    found = links.filter(mine)
    if not len(found):
        what = "account" if kind == "person" else "listing"
        raise NotFound(f"no {what} {node[1]!r} on {node[0]!r} in the current build")
    rows: list[dict[str, Any]] = links.filter(pc.equal(links["target"], found["target"][0])).to_pylist()
    return rows


def settings_of(config: Path | None) -> Settings:
    from api.settings import load_settings

    return load_settings(config)


def store_url(settings: Settings) -> str:
    from recall.workspace import Workspace

    return settings.store.resolve(Workspace(settings.workspace).store_file)


def node_of(text: str) -> Node:
    platform, colon, key = text.partition(":")
    if not (platform and colon and key):
        raise typer.BadParameter(f"{text!r}: write PLATFORM:ID, for example cinema:42")
    return platform, key
