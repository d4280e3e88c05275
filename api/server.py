"""Serves a home folder: `python -m api.server --home DIR --configuration NAME --host 127.0.0.1 --port 8000`."""

import contextlib
import logging
import signal
import sys
from pathlib import Path

import click
import uvicorn

from api.app import create_app
from api.draining import Draining, DrainingServer
from api.guard import is_loopback
from api.logs import write_logs
from knowledge.errors import KnowledgeError
from runtime.errors import RuntimeRefused, SettingsRefused
from runtime.service import Service, open_service
from runtime.settings import default_home, load_settings

CLOSE_S = 5  # for connections to close, once what ran is finished
DEFAULT_PORT = 8000

_log = logging.getLogger("dermacite.server")


_TUNNEL = "Or use --host 127.0.0.1 and, from elsewhere, a tunnel: ssh -L 8000:127.0.0.1:8000 SERVER"


def refuse_to_listen(service: Service, host: str) -> None:
    """Raises SettingsRefused where others could reach a service that asks nobody for a key, or their keys could be read."""
    public_url = service.settings.public_url
    if is_loopback(host) and public_url is None:
        return
    if public_url is None:
        raise SettingsRefused(
            f"others can reach {host}, and keys would cross the network in the clear. Put a proxy that ends TLS in front and "
            f'say its address: public_url = "https://..." in settings.toml (docs/settings.md). {_TUNNEL}'
        )
    if not service.keys.usable():
        raise SettingsRefused(
            "others can reach this service, and it has no keys, or none that still opens anything. Make one: "
            f"dermacite keys create --name NAME --role admin. {_TUNNEL if not is_loopback(host) else ''}".rstrip()
        )


def serve(service: Service, host: str = "127.0.0.1", port: int = DEFAULT_PORT) -> None:
    """Serve until SIGTERM or SIGINT, then finish what runs. Raises SettingsRefused, see `refuse_to_listen`."""
    refuse_to_listen(service, host)
    draining = Draining(service.settings.drain_seconds, service.stopping.set)
    config = uvicorn.Config(
        create_app(service, draining, keyless=is_loopback(host)),
        host=host,
        port=port,
        access_log=False,  # paths carry ids, and some callers put more into them
        log_config=None,
        timeout_graceful_shutdown=CLOSE_S,
        proxy_headers=False,  # nothing is decided by an address of a caller, and a header can name any
        server_header=False,
        ws="none",
    )
    DrainingServer(config, draining).run()


@click.command()
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder of the knowledge base."
)
@click.option("--configuration", default=None, help="Named configuration: embedded or clinical.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; another than loopback needs keys.",
)
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=DEFAULT_PORT, show_default=True, help="0: any free one."
)
def main(home: Path | None, configuration: str | None, host: str, port: int) -> None:
    """Serve a knowledge base over HTTP."""
    write_logs("text")  # until the settings say otherwise: they may be what is wrong
    # uvicorn raises the signal once more when it has drained; the process then ends with success and clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        folder = home or default_home()
        with contextlib.suppress(KeyboardInterrupt):
            settings = load_settings(folder, configuration=configuration)
            write_logs(settings.log_format)
            serve(open_service(folder, settings), host, port)
    except (RuntimeRefused, KnowledgeError) as error:
        _log.error("%s", error)
        sys.exit(1)


if __name__ == "__main__":
    main()
