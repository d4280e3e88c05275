"""Builds an index in a process of its own, and checks that a switch of encoders is not overruled by a setting."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from knowledge.registry.server import LEAST_CONNECTIONS
from runtime.errors import BuildFailed, SettingsRefused
from runtime.service import Service
from runtime.settings import EncoderChoice, Settings, where_named

PROJECT = Path(__file__).resolve().parent.parent


def refuse_where_named(home: Path, choices: Mapping[str, EncoderChoice]) -> None:
    """Raises SettingsRefused with the lines to write where the settings name the encoder of one of these spaces."""
    for space, choice in choices.items():
        if where := where_named(home, space):
            lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values_of(choice).items())
            raise SettingsRefused(
                f"the encoder of {space} is named in {where}, which beats a switch. Write it there, then run "
                f"dermacite reindex, which leaves the index of the earlier encoders as it is:\n[{space}]\n{lines}"
            )


def values_of(choice: EncoderChoice) -> dict[str, str]:
    """What of a choice is set, as settings write it."""
    values: dict[str, str] = choice.model_dump(mode="json", exclude_none=True)
    return values


def _server(settings: Settings) -> dict[str, Any] | None:
    """For the child alone, and by a pipe: arguments and variables of a process are seen by others."""
    url = settings.registry_url
    return None if url is None else {"url": url.get_secret_value(), "connections": LEAST_CONNECTIONS}


def build_in_child(service: Service) -> Path:
    """The folder of a new generation of what is registered, not yet published.

    Raises BuildFailed; what serves is untouched then.
    """
    index = service.index
    spaces = {
        "fingerprints": index.fingerprints, "dimensions": index.dimensions, "names": index.names,
        "chroma_url": service.settings.chroma_url,
        "registry": _server(service.settings),
    }  # fmt: skip
    finished = subprocess.run(
        [sys.executable, "-m", "runtime.index_child", str(service.home.root.resolve())],
        input=json.dumps(spaces),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    if finished.returncode != 0:
        lines = finished.stderr.strip().splitlines()
        why = lines[-1] if lines else f"its process ended with code {finished.returncode}"
        index.sweep_unfinished()  # what it left half done would keep a full disk full
        raise BuildFailed(
            f"the new index was not built ({why}); the old one still serves. Try again: dermacite reindex"
        )
    return Path(finished.stdout)
