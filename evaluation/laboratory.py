"""The services of a run: the same assembly that is served, one for each set of settings that its arms name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

from evaluation.plans import Arm
from inference.exemplars import Calibration
from knowledge.errors import CasesRefused
from knowledge.types import FileOutcome, Outcome
from retrieval.search import Encoders
from runtime.cli.ingesting import uploads_of
from runtime.curation import Curator
from runtime.service import Service, open_service
from runtime.settings import Settings, load_settings

READY: Final = "made-for-a-run"  # stands in a home once everything is in it
Tell = Callable[[str], None]


class Laboratory:
    """Opens each service once. Arms with the same encoders share them. `close` it when done."""

    def __init__(self, home: Path, *, own: bool, configuration: str | None = None) -> None:
        """`own`: the home was made for this run, which may build indexes in it."""
        self._home, self._own, self._configuration = home, own, configuration
        self._services: dict[str, Service] = {}
        self._encoders: dict[str, Encoders] = {}

    def service(self, arm: Arm) -> Service:
        """The service that answers under this arm. Raises SettingsRefused, and what assembly raises."""
        settings = self._settings(arm.settings)
        key = settings.model_dump_json()
        if key not in self._services:
            chosen = repr((settings.pictures, settings.captions, settings.passages))
            service = self._services[key] = open_service(self._home, settings, self._encoders.get(chosen))
            if self._own and service.index.current() is None:
                Curator(service).reindex()
            self._encoders[chosen] = service.encoders
        return self._services[key]

    def close(self) -> None:
        """Give connections back."""
        for service in self._services.values():
            service.close()

    async def close_models(self) -> None:
        """Give up the connections to served models, in the loop that used them."""
        for service in self._services.values():
            await service.close_models()

    def _settings(self, given: Mapping[str, Any]) -> Settings:
        return load_settings(self._home, **{"configuration": self._configuration, **given, "keep_answers": False})


def is_made(home: Path) -> bool:
    """Whether everything is in a home of a run."""
    return (home / READY).exists()


def make_home(home: Path, cases: Sequence[Path], documents: Sequence[Path], tell: Tell) -> None:
    """A knowledge base from folders; one that was not finished is begun anew. Raises CasesRefused where no case came in."""
    if home.exists():
        rmtree(home)  # only ever a half-made home of a run: a kill left it
    service = open_service(home, load_settings(home, keep_answers=False))
    try:
        curator = Curator(service)
        for folder in cases:
            tell(f"taking cases in: {folder.name}")
            _refuse_nothing(curator.ingest_cases(folder, None))
        if documents:
            tell("taking documents in")
            curator.ingest_documents(
                upload for path in documents for upload in uploads_of(path, curator.document_bytes)
            )
        tell("building the index")
        curator.reindex()
    finally:
        service.close()
    (home / READY).touch()


def in_force(service: Service, arm: Arm) -> dict[str, Any]:
    """Every setting under which an arm's answers come about, and the state of what is searched."""
    view = service.reader.view()
    options = asdict(arm.options())
    del options["seed"]
    return {
        **service.configuration,
        "settings": _comparable(service.settings),
        "vote": asdict(Calibration.load(view.generation)),
        "index": {
            "generation": view.generation.name if view.generation else None,
            "corpus_generation": view.corpus_generation, "delta": view.delta_size, "masked": view.masked,
        },
        "options": options,
        "control": arm.control.value,
        "note": arm.note.value,
    }  # fmt: skip


def _comparable(settings: Settings) -> dict[str, Any]:
    """Without what says only where something is, or who may ask it: a server may come back at another address."""
    values: dict[str, Any] = settings.model_dump(mode="json")
    for model in values["models"].values():
        for name in ("url", "api_key"):
            model.pop(name)
    return values


def _refuse_nothing(outcomes: Sequence[FileOutcome]) -> None:
    if all(one.state is Outcome.REFUSED for one in outcomes):
        why = next((one.message for one in outcomes if one.message), "the folder is empty")
        raise CasesRefused("no_cases_found", f"Not a single case could be taken in. The first problem: {why}")
