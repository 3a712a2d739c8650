"""`whyrec llm`: bring a small model, and see what the configured one can do."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Config, Json

app = typer.Typer(no_args_is_help=True, help="Language models: bring one, check one.")


@app.command()
def pull(
    model: Annotated[
        str, typer.Argument(help="A known name, a URL, or a GGUF file.")
    ] = "smollm2-135m-instruct",
    sha256: Annotated[str | None, typer.Option(help="Checksum that the file must have.")] = None,
) -> None:
    """Bring a GGUF model for the embedded engine into $WHYREC_MODELS or the user's cache folder.

    Example: whyrec llm pull
    """
    from api.cli.output import console
    from rerank.llm.weights import pull as bring

    screen = console(stderr=True)
    with screen.status(f"bringing {model}") as status:
        path = bring(
            model, sha256=sha256, progress=lambda step, done, _: status.update(f"{step} {done >> 20} MB")
        )
    typer.echo(path)


@app.command()
def check(
    url: Annotated[
        str | None, typer.Argument(help="An endpoint, up to /v1; none: the configured model.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long the probes may take together.")] = 60.0,
    json: Json = False,
    config: Config = None,
) -> None:
    """Probe a model: context length, whether a JSON schema is enforced, log-probabilities, tokenizer.

    Example: whyrec llm check http://localhost:8000/v1
    """
    import asyncio
    import dataclasses
    import os

    from api.cli.output import plain, print_json
    from api.settings import load_settings
    from recall.errors import ConfigError
    from rerank.llm import make_model
    from rerank.types import Capabilities, Deadline

    llm = load_settings(config, required=False).llm
    environment: dict[str, str] = dict(os.environ)
    if url is not None:
        # A key configured for one endpoint is not sent to another.
        llm = type(llm).model_validate({"engine": "openai", "base_url": url})
        environment = {}
    model = make_model(llm, environment)
    if model is None:
        raise ConfigError("[llm] engine is 'none': no model to check; name an endpoint, or set the engine")

    async def probe() -> Capabilities:
        try:
            return await model.capabilities(Deadline.after(seconds))
        finally:
            await model.aclose()

    found = dataclasses.asdict(asyncio.run(probe()))
    if json:
        print_json(found)
        return
    for key, value in found.items():
        shown = {"None": "not known", "True": "yes", "False": "no"}.get(str(value), str(value))
        typer.echo(f"{key.replace('_', ' '):14} {plain(shown)}")
