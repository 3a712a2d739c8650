"""whyrec serve: the HTTP service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import Config

if TYPE_CHECKING:
    import socket

    from api.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of [serve] host.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="TCP port, instead of [serve] port; 0: any free one.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes, instead of [serve] workers.")
    ] = None,
    config: Config = None,
) -> None:
    """Serve recommendations over HTTP until it is stopped; /docs describes the API.

    Callers need a key (`whyrec keys create`) unless [security] open = true.

    Example: whyrec serve --port 8080 --workers 4
    """
    import asyncio

    from api.settings import file_of, load_settings

    settings = load_settings(config)
    check_open(settings, host or settings.serve.host)
    address = (host or settings.serve.host, settings.serve.port if port is None else port)
    with _listen(*address) as listener:
        count = workers or settings.serve.workers
        if count == 1:
            from api.server import serve as serve_here

            asyncio.run(serve_here(settings, listener, ready=lambda: _announce(listener)))
        else:
            from api.workers import supervise

            _announce(listener)
            supervise(file_of(config).resolve(), listener, count)


def _announce(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    typer.echo(
        f"whyrec serves on http://{f'[{host}]' if ':' in host else host}:{port} (API: /docs)", err=True
    )


def check_open(settings: Settings, host: str) -> None:
    """ConfigError where a service without keys would be reached from other machines."""
    import ipaddress
    import socket

    from recall.errors import ConfigError

    if not settings.security.open:
        return
    try:
        found = {each[4][0] for each in socket.getaddrinfo(host, None)}
    except OSError:
        return  # listening says what is wrong with it
    if not all(ipaddress.ip_address(str(each).partition("%")[0]).is_loopback for each in found):
        raise ConfigError(
            f"[security] open = true answers without keys, and {host} is reached from other machines: "
            "listen on 127.0.0.1, or remove it and make keys with `whyrec keys create`"
        )


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket, before anything slow is opened; ConfigError where the address can't be had."""
    import socket

    from recall.errors import ConfigError

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
        # Accepted sockets inherit it. asyncio sets it only where the socket names its protocol, and this one
        # does not; without it each answer on a kept connection waits 40 ms for the caller's delayed ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise ConfigError(
            f"[serve] {host}:{port}: can't listen: {error.strerror}; choose with --host and --port"
        ) from error
