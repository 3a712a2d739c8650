"""`whyrec llm`: bring a small model, and see what the configured one can do."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from api.cli.options import Config, Json

app = typer.Typer(no_args_is_help=True, help="Language models: bring one, check one, serve one.")


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
    seconds: Annotated[float, typer.Option(help="How long the probes may take together.")] = 120.0,
    json: Json = False,
    config: Config = None,
) -> None:
    """Probe a model: what it can do, how fast it is, and which ranking methods it can serve.

    Costs about 1,500 tokens. A JSON schema counts as enforced where the model answers what it never would
    freely; a prefix cache as working where the same prompt is read faster the second time.

    Example: whyrec llm check http://localhost:8000/v1
    """
    import asyncio
    import dataclasses
    import os

    from api.cli.output import console, print_json
    from api.settings import load_settings
    from recall.errors import ConfigError
    from rerank.llm import make_model
    from rerank.llm.measure import Measured, measure
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

    async def probe() -> tuple[Capabilities, Measured]:
        deadline = Deadline.after(seconds)
        try:
            return await model.capabilities(deadline), await measure(model, deadline)
        finally:
            await model.aclose()

    able, measured = asyncio.run(probe())
    if json:
        print_json({**dataclasses.asdict(able), **dataclasses.asdict(measured)})
        return
    from api.cli.checked import table

    console().print(table(able, measured))


@app.command()
def serve(
    model: Annotated[
        str,
        typer.Argument(help="A known name, a GGUF file, a model's folder, or a hub's ORGANISATION/NAME."),
    ] = "smollm2-135m-instruct",
    adapter: Annotated[
        list[str] | None, typer.Option(help="A LoRA adapter as NAME=FOLDER; may be given several times.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 takes a free one.")] = 8000,
    context: Annotated[int, typer.Option(min=256, help="Tokens of prompt and answer together.")] = 4096,
    kv_cache_gb: Annotated[
        int, typer.Option(min=1, help="Memory for prompts' keys and values, without a GPU.")
    ] = 2,
    dtype: Annotated[
        str | None, typer.Option(help="float32, bfloat16 …; none: float32 for a GGUF file, else the model's.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long it may take to start.")] = 900.0,
    build: Annotated[
        Literal["auto", "cuda", "cpu"], typer.Option(help="Which build of vLLM; auto: by what is here.")
    ] = "auto",
) -> None:
    """Serve a model with vLLM for development, in an environment of its own; Ctrl-C ends it and all its own.

    Prints the lines to paste into the shell where whyrec shall use it. The first time builds the environment
    ($WHYREC_VLLM, or whyrec/vllm-… in the user's cache folder): minutes, and 3 GB for the CPU build.

    Example: whyrec llm serve smollm2-135m-instruct --port 8000
    """
    import signal

    from api.cli.output import console, plain
    from rerank.llm.devserver.environment import ensure_environment
    from rerank.llm.devserver.models import prepare, read_adapter
    from rerank.llm.devserver.server import ServeOptions, running

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    screen = console(stderr=True)
    adapters = [read_adapter(each) for each in adapter or ()]
    options = ServeOptions(
        host=host, port=port, context=context, kv_cache_gb=kv_cache_gb, dtype=dtype, seconds=seconds
    )
    signal.signal(signal.SIGTERM, end)
    try:
        environment = ensure_environment(None if build == "auto" else build, say=screen.print)
        served = prepare(model, environment, say=screen.print)
        with running(environment, served, options, adapters=adapters, say=screen.print) as server:
            names = [server.model, *(each.name for each in adapters)]
            typer.echo(f"export OPENAI_BASE_URL={server.url}")
            typer.echo(f"export OPENAI_MODEL={plain(names[-1])}")
            screen.print(f"serving {', '.join(names)}; Ctrl-C ends it")
            code = server.guard.wait()
            screen.print(f"vLLM ended by itself ({code}); its log is {server.log}")
            raise typer.Exit(1)
    except KeyboardInterrupt:
        screen.print("ended; the port is free")


@app.command()
def environment(
    build: Annotated[
        Literal["auto", "cuda", "cpu"], typer.Option(help="Which build of vLLM; auto: by what is here.")
    ] = "auto",
) -> None:
    """Build vLLM's own environment, where it is not there yet, and print the path of its Python.

    Example: "$(whyrec llm environment)" -m pip install --no-deps whyrec
    """
    from api.cli.output import console
    from rerank.llm.devserver.environment import ensure_environment

    screen = console(stderr=True)
    typer.echo(ensure_environment(None if build == "auto" else build, say=screen.print).python)
