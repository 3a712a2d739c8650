"""`whyrec consent`: which of a person's platforms may serve which other."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.linked import cluster, node_of, settings_of, store_url
from api.cli.options import Config, Json

app = typer.Typer(no_args_is_help=True, add_completion=False)

Account = Annotated[
    str, typer.Argument(help="One of the person's accounts, PLATFORM:ID.", metavar="PLATFORM:ID")
]


@app.callback()
def consent() -> None:
    """Which of a person's platforms may serve which other.

    A change counts in answers at once, in training from the next ingest on.
    """


@app.command()
def show(account: Account, config: Config = None, json: Json = False) -> None:
    """Show for a person which platform's events may serve which.

    Example: whyrec consent show cinema:42
    """
    from rich.table import Table

    from api.cli.output import console, print_json
    from api.migrations import open_migrated
    from recall.consent import Consent
    from recall.store.consents import load_statements

    settings, node = settings_of(config), node_of(account)
    rows = cluster(settings, "person", node)
    person = rows[0]["target"]
    mine = {(row["platform"], row["key"]) for row in rows}
    with open_migrated(store_url(settings)) as store:
        stated = [one for one in store.run(load_statements(store)) if (one.platform, one.user) in mine]
    consents = Consent(settings.consent, settings.platforms, stated, lambda platform, user: person)
    platforms = sorted({row["platform"] for row in rows})
    allowed = {
        source: {target: consents.allows(person, source, target) for target in settings.platforms}
        for source in platforms
    }
    if json:
        print_json(
            {
                "person": person,
                "allowed": allowed,
                "statements": stated,
                "trained_together": [sorted(group) for group in consents.groups(person, platforms)],
            }
        )
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("events of")
    for target in settings.platforms:
        table.add_column(f"for {target}")
    for source, targets in allowed.items():
        table.add_row(source, *("yes" if value else "no" for value in targets.values()))
    out = console()
    out.print(table)
    groups = "; ".join(" + ".join(sorted(group)) for group in consents.groups(person, platforms))
    out.print(f"trained together: {groups}")


@app.command(name="set")
def set_(
    account: Account,
    source: Annotated[str, typer.Argument(help="The platform whose events it is about, or '*'.")],
    target: Annotated[str, typer.Argument(help="The platform that asks, or '*'.")],
    answer: Annotated[str, typer.Argument(help="yes or no.", metavar="yes|no")],
    config: Config = None,
) -> None:
    """State whether a person's events on one platform may serve another.

    Example: whyrec consent set cinema:42 shop '*' no
    """
    from api.cli.output import console
    from api.migrations import open_migrated
    from recall.consent import EVERY, Statement
    from recall.errors import NotFound
    from recall.store.consents import state

    if answer not in ("yes", "no"):
        raise typer.BadParameter(f"{answer!r}: write yes or no")
    settings, node = settings_of(config), node_of(account)
    cluster(settings, "person", node)
    for name in (source, target):
        if name != EVERY and name not in settings.platforms:
            raise NotFound(f"no platform {name!r}; have {', '.join(settings.platforms)} and '*'")
    with open_migrated(store_url(settings)) as store:
        store.run(state(store, [Statement(*node, source, target, answer == "yes")]))
    console().print("kept; it counts in answers at once, in training from the next `whyrec ingest` on")
