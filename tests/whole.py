"""The whole way in small: two platforms' files and a whyrec.toml, read, merged and trained by commands."""

from __future__ import annotations

import csv
from pathlib import Path

from typer.testing import CliRunner, Result

from api.cli.main import app

FILMS = [f"Film {letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWX"]
PEOPLE = 40

CONFIG = """
workspace = "workspace"
{more}
[platforms.cinema]
domain = "films"
[[platforms.cinema.events]]
path = "ratings.csv"
columns = {{ user = "user", item = "film", value = "stars", time = "at" }}
type = "rating"
rating = {{ min = 1, max = 5, like = 4, dislike = 2 }}
[[platforms.cinema.items]]
path = "films.csv"
columns = {{ item = "film", title = "title", year = "year", categories = "genres" }}

[platforms.shop]
domain = "films"
[[platforms.shop.events]]
path = "orders.csv"
columns = {{ user = "customer", item = "sku", time = "at" }}
time = "iso8601"
type = "purchase"
[[platforms.shop.items]]
path = "products.csv"
columns = {{ item = "sku", title = "name", year = "year" }}

[security]
open = true

[train]
factors = 8
threads = 1
"""


def write_platforms(folder: Path, more: str = "") -> Path:
    """Write the files and return the whyrec.toml. `more` are further lines of it, before any table."""
    genres = ["Drama", "Comedy", "Horror"]
    films = [(f"c{n}", title, 1980 + n, genres[n % 3]) for n, title in enumerate(FILMS)]
    products = [(f"s{n}", title, 1980 + n) for n, title in enumerate(FILMS)]
    ratings, orders = [], []
    for who in range(PEOPLE):
        for step in range(6):
            film = (who % 3 + 3 * (who // 3 + step * 2)) % len(FILMS)  # a taste: mostly one genre
            if step % 2:
                orders.append((f"k{who}", f"s{film}", f"2024-0{step + 1}-{who % 28 + 1:02}T12:00:00+02:00"))
            else:
                ratings.append(
                    (f"u{who}", f"c{film}", 2 if step == 4 else 5, 1_700_000_000 + 86_400 * step + who)
                )
    _write(folder / "films.csv", ("film", "title", "year", "genres"), films)
    _write(folder / "products.csv", ("sku", "name", "year"), products)
    _write(folder / "ratings.csv", ("user", "film", "stars", "at"), ratings)
    _write(folder / "orders.csv", ("customer", "sku", "at"), orders)
    config = folder / "whyrec.toml"
    config.write_text(CONFIG.format(more=more))
    return config


def whyrec(*arguments: str | Path, **environment: str) -> Result:
    """Run a command as the shell would; stdout and stderr apart."""
    return CliRunner().invoke(app, [str(each) for each in arguments], env=dict(environment))


def trained(folder: Path) -> Path:
    """Ingest and train; returns the whyrec.toml."""
    config = write_platforms(folder)
    for command in ("ingest", "train"):
        done = whyrec(command, "--config", config)
        assert done.exit_code == 0, done.output
    return config


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
