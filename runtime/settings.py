"""Every setting on one screen, with its unit and reason. Passed on, never imported.

Strongest first: arguments of the command line, environment (`DERMACITE_ALPHA=0.8`, nested `DERMACITE_PICTURES__CARD=...`),
`settings.toml` in the home folder, encoders that `dermacite reindex --encoder` switched to, the named configuration.
"""

import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from retrieval.chroma import allowed_url
from retrieval.errors import ChromaFailed
from retrieval.presets import presets
from runtime.errors import SettingsRefused
from runtime.model_choice import ModelChoice
from runtime.switching import Choices, Switched, named_by_environment

PREFIX = "DERMACITE_"
HOME_VARIABLE = f"{PREFIX}HOME"
ACTOR_VARIABLE = f"{PREFIX}ACTOR"  # who changes something, for the audit log
SETTINGS_FILE = "settings.toml"
_FILE_VALUES = "values_of_the_home_file"
_PUBLIC_URL = re.compile(r"https://(?P<host>[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?/?")
_SERVER_URL = re.compile(r"postgresql://\S+")
_SWITCHED = "encoders_switched_to"

# What a name stands for. Every part can be changed by its own key.
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "embedded": {
        "pictures": {"card": "efficientnet-lite0"},
        "captions": {"card": "minilm"},
        "passages": {"card": "minilm"},
        # The embedded picture encoder was trained on everyday objects: the note gets a larger say than in R2.
        "alpha": 0.7,
        "classifier": "exemplar",
        "reporter": "extractive",
        "grouper": "none",
    },
    "clinical": {
        "pictures": {"card": "siglip-base-512"},
        "captions": {"card": "bge-m3"},
        "passages": {"card": "pubmedbert"},
        "alpha": 0.9,  # preset R2
        "classifier": "hikari-sirius",
        "reporter": "hikari-vega",
        "grouper": "none",
        # Where `dermacite models command` starts the one, and the other with --port 8002.
        "models": {
            "hikari-sirius": {"url": "http://127.0.0.1:8001/v1"},
            "hikari-vega": {"url": "http://127.0.0.1:8002/v1"},
        },
    },
}


class EncoderChoice(BaseModel):
    """Which encoder serves one space: a card by name, from a local folder or a pinned hub revision."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    card: str
    folder: Path | None = None
    revision: str | None = None


class Settings(BaseSettings):
    """The whole configuration of one service."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    configuration: Literal["embedded", "clinical"] = "embedded"
    preset: Literal["embedded", "R0", "R1", "R2", "R3", "R4", "S"] | None = None  # see retrieval/presets.toml
    pictures: EncoderChoice  # encoder of case pictures
    captions: EncoderChoice  # encoder of notes and captions
    passages: EncoderChoice  # encoder of guideline passages
    reranker: EncoderChoice | None = None  # reads the best passages of a search again, where a caller asks for it
    classifier: str  # "exemplar", or the profile of a served model
    reporter: str  # "extractive", or the profile of a served model
    grouper: str  # "none", or the profile of a served stage 1 model
    models: dict[str, ModelChoice] = {}  # how each profile is reached, by its name

    alpha: float = Field(ge=0, le=1)  # share of the picture in case retrieval
    strategy: Literal["A", "B"] = "B"  # see retrieval.cases
    shown_cases: int = Field(5, ge=0, le=20)  # reference cases in an answer
    passages_per_query: int = Field(4, ge=1, le=20)
    cosine_floor: float = Field(0.2, ge=-1, le=1)  # a passage less similar than this is no evidence
    probability_floor: float = Field(0.35, ge=0, le=1)  # below it there is no diagnosis
    label_mass_floor: float = Field(
        0.05, ge=0, le=1
    )  # a served model that finds its labels less probable has no answer

    pdf_megabytes: int = Field(100, ge=1)  # of one guideline
    pdf_pages: int = Field(2_000, ge=1)
    pdf_seconds: float = Field(120, gt=0)  # for reading one document; a hostile file must not hold the door
    ocr_pages: int = Field(200, ge=0)  # of one guideline that are read by text recognition at most
    ocr_seconds: float = Field(1_200, gt=0)  # for them together
    picture_megabytes: int = Field(20, ge=1)
    picture_megapixels: int = Field(50, ge=1)

    approval: Literal["automatic", "required", "four_eyes"] = "automatic"  # what puts a new version in force
    keep_answers: bool = False  # remember which evidence each answer showed and cited: ids, nothing of the patient
    answer_days: int = Field(365, ge=1)  # for so long
    job_days: int = Field(30, ge=1)  # jobs that ended are listed for so long

    # Where others reach the service: the address of a proxy in front that ends TLS and alone reaches the port.
    public_url: str | None = None

    requests_per_minute: int = Field(1_200, ge=1)  # of one key; of all callers together while there are no keys
    answers: int = Field(8, ge=1)  # consultations and searches at once; each may hold 4 pictures of the largest size
    answers_waiting: int = Field(
        32, ge=0
    )  # before the door, with nothing read of them yet; the next is refused with 503
    answer_seconds: float = Field(600, gt=0)  # for one answer, waiting included
    log_format: Literal["text", "json"] = "text"  # of what a server writes about itself
    drain_seconds: float = Field(20, ge=0)  # what running requests get to finish after SIGTERM
    otlp_endpoint: str | None = Field(None, pattern=r"^https?://[^\s/]+/?$")  # where traces go; none: there are none

    workers: int = Field(2, ge=1)  # consultations computed at once
    parsers: int = Field(2, ge=1)  # PDFs of a job that are read at once
    merge_above: int = Field(500, ge=0)  # rows in the delta that start a new index generation
    exact_below: int = Field(20_000, ge=0)  # rows under which search is exact and Chroma is not asked
    registry_url: SecretStr | None = (
        None  # PostgreSQL server of the registry, for several hosts; none: a file of the home
    )
    registry_connections: int = Field(16, ge=4)  # to it, of one process at most
    chroma_url: str | None = None  # server for the vectors of the next index (loopback or https); none: its folder

    # Files and indexes that several machines share: s3://BUCKET/PREFIX, or file:///FOLDER that all mount; none: the home.
    storage_url: str | None = Field(None, pattern=r"^(s3://[a-z0-9][a-z0-9.-]+(/[\w.=/-]*)?|file:///[^?#]+)$")
    storage_endpoint: str | None = None  # address of an S3-compatible server (loopback or https); none: AWS
    index_cache_megabytes: int | None = Field(None, ge=1)  # of indexes fetched from there that a machine keeps
    deletion_seconds: float = Field(600, ge=60)  # after a deletion no machine keeps an older index for longer

    @field_validator("storage_endpoint")
    @classmethod
    def _safe_endpoint(cls, url: str | None) -> str | None:
        try:
            return None if url is None else allowed_url(url)
        except ChromaFailed as error:
            raise ValueError("must be http://127.0.0.1:PORT, or https://HOST, without a path or a name") from error

    @field_validator("chroma_url")
    @classmethod
    def _safe(cls, url: str | None) -> str | None:
        try:
            return None if url is None else allowed_url(url)
        except ChromaFailed as error:
            raise ValueError(str(error)) from error

    @field_validator("registry_url")
    @classmethod
    def _server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not _SERVER_URL.fullmatch(url.get_secret_value()):
            raise ValueError("must be postgresql://USER@HOST:PORT/DATABASE")
        return url

    @field_validator("public_url")
    @classmethod
    def _https(cls, url: str | None) -> str | None:
        if url is None:
            return None
        shape = _PUBLIC_URL.fullmatch(url.lower())
        if shape is None:
            raise ValueError("must be https://HOST or https://HOST:PORT, and nothing behind it")
        port = "" if shape["port"] in {None, "443"} else f":{shape['port']}"
        return f"https://{shape['host']}{port}"

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:  # fmt: skip
        """Strongest first. No `.env` of the working folder: what a service does must not depend on where it started."""
        given = dict(init_settings()) if isinstance(init_settings, InitSettingsSource) else {}
        file, switched = given.pop(_FILE_VALUES, {}), given.pop(_SWITCHED, {})
        return (
            InitSettingsSource(settings_cls, given),
            env_settings,
            InitSettingsSource(settings_cls, file),
            _SwitchedTo(settings_cls, switched),
            _Named(settings_cls),
        )


class _Whole(PydanticBaseSettingsSource):
    """A source that is one dictionary."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Not used."""
        return None, field_name, False


class _SwitchedTo(_Whole):
    """Encoders that were switched to, of the spaces that no stronger source names in any part."""

    def __init__(self, settings_cls: type[BaseSettings], choices: Choices) -> None:
        super().__init__(settings_cls)
        self._choices = choices

    def __call__(self) -> dict[str, Any]:
        return {space: dict(choice) for space, choice in self._choices.items() if space not in self.current_state}


class _Named(_Whole):
    """The weakest source: what the chosen configuration stands for, and over it the chosen preset."""

    def __call__(self) -> dict[str, Any]:
        """The values, or nothing for an unknown name: validation then says which names there are.

        A model that a stronger source loads in this process, or reaches at several addresses, has no address here:
        nothing else could take it away.
        """
        named = CONFIGURATIONS.get(str(self.current_state.get("configuration", "embedded")), {})
        chosen = presets().get(str(self.current_state.get("preset")))
        given = self.current_state.get("models")
        here = {
            name
            for name, choice in (given.items() if isinstance(given, dict) else ())
            if isinstance(choice, dict) and {"folder", "urls"} & choice.keys()
        }
        models = {name: choice for name, choice in named.get("models", {}).items() if name not in here}
        return {**named, "models": models, **(chosen.values() if chosen else {})}


def default_home() -> Path:
    """`DERMACITE_HOME`, else the platform's data folder."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named) if named else user_data_path("dermacite", appauthor=False)


def load_settings(home: Path, **given: Any) -> Settings:
    """The settings of a home folder; `given` beats everything. Raises SettingsRefused naming each wrong key."""
    _refuse_unknown_variables()
    sources = {_FILE_VALUES: _values_of_file(home), _SWITCHED: Switched.read(home).serving}
    try:
        return Settings(**{**{key: value for key, value in given.items() if value is not None}, **sources})
    except SettingsError as error:
        raise SettingsRefused(f"the environment is wrong: {error}. Keys: docs/settings.md") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise SettingsRefused(f"settings are wrong: {wrong}. Keys: docs/settings.md") from error


def encoder_choices(switched: Choices, configuration: str, spaces: Iterable[str]) -> dict[str, EncoderChoice]:
    """What serves these spaces after a switch, where no stronger source names them."""
    named = CONFIGURATIONS[configuration]
    return {space: EncoderChoice(**(switched.get(space) or named[space])) for space in spaces}


def where_named(home: Path, space: str) -> str | None:
    """What names the encoder of `space` and so beats a switch of encoders, or None."""
    if named_by_environment(PREFIX, space):
        return f"the environment ({PREFIX}{space.upper()}...)"
    return SETTINGS_FILE if space in _values_of_file(home) else None


def _values_of_file(home: Path) -> dict[str, Any]:
    file = home / SETTINGS_FILE
    try:
        return tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsRefused(f"{SETTINGS_FILE} in the home folder cannot be read: {error}") from error


def _refuse_unknown_variables() -> None:
    """Pydantic looks up the names it knows; a misspelt variable would be no setting and no error."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | {HOME_VARIABLE, ACTOR_VARIABLE}
    given = (name.upper() for name in os.environ if name.upper().startswith(PREFIX))
    unknown = sorted(name for name in given if name.partition("__")[0] not in known)
    if unknown:
        raise SettingsRefused(f"the environment names no setting of ours: {', '.join(unknown)}. Keys: docs/settings.md")
