"""Which encoders a home was switched to by `dermacite reindex --encoder`, and which served before them.

`encoders.json` in the home is written in one rename, so that a kill leaves the old choice or the new one. It beats the
named configuration; a setting in settings.toml or the environment that names the same space beats it.
"""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knowledge.disk import put_on_disk
from retrieval.generation import SPACES
from runtime.errors import NothingToRollBack, SettingsRefused

ENCODERS_FILE = "encoders.json"

Choices = Mapping[str, Mapping[str, Any]]  # space -> values of a runtime.settings.EncoderChoice


@dataclass(frozen=True, slots=True)
class Switched:
    """`serving` holds the spaces that were switched; `previous` what it held before, None before the first switch."""

    serving: Choices = field(default_factory=dict)
    previous: Choices | None = None

    @classmethod
    def read(cls, home: Path) -> "Switched":
        """What the home says; nothing for one that was never switched. Raises SettingsRefused."""
        try:
            found = cls(**json.loads((home / ENCODERS_FILE).read_text("utf-8")))
            if set(found.serving) - set(SPACES):
                raise ValueError("it names a space that does not exist")
        except (FileNotFoundError, NotADirectoryError):  # of a home that is no folder others say more
            return cls()
        except (OSError, ValueError, TypeError) as error:
            raise SettingsRefused(
                f"{ENCODERS_FILE} in the home folder cannot be read ({error}). Remove it to go back to the encoders of "
                "the named configuration"
            ) from error
        return found

    def write(self, home: Path) -> None:
        """Make it the choice of the home, in one rename. Raises SettingsRefused; the old choice holds then."""
        aside = home / f".{ENCODERS_FILE}-{uuid.uuid4().hex[:8]}"
        try:
            aside.write_text(json.dumps({"serving": self.serving, "previous": self.previous}, indent=2), "utf-8")
            put_on_disk(aside)
            aside.replace(home / ENCODERS_FILE)
            put_on_disk(home)
        except OSError as error:
            raise SettingsRefused(f"{ENCODERS_FILE} in the home folder cannot be written: {error.strerror}") from error

    def to(self, choices: Choices) -> "Switched":
        """After a switch of some spaces; the others stay as they are."""
        return Switched({**self.serving, **choices}, self.serving)

    def back(self) -> "Switched":
        """After a return to what was before; once more returns again. Raises NothingToRollBack."""
        if self.previous is None:
            raise NothingToRollBack("the encoders of this home were never switched: there is nothing to return to")
        return Switched(self.previous, self.serving)


def named_by_environment(prefix: str, space: str) -> bool:
    """Whether a variable of the environment names an encoder for `space`."""
    wanted = f"{prefix}{space}".upper()
    return any(name.upper() == wanted or name.upper().startswith(f"{wanted}__") for name in os.environ)
