"""The part of the settings that says how a model is reached."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

ModelUrl = Annotated[str, Field(pattern=r"^https?://\S+/v1$")]


class ModelChoice(BaseModel):
    """How one profile is reached: where it is served, by one server or several, or a folder from which this process
    loads it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    engine: Literal["vllm", "sglang", "llama.cpp", "transformers"] = "vllm"
    url: ModelUrl | None = None
    urls: tuple[ModelUrl, ...] = ()  # of several servers of the same model, which share the work; in place of url
    model: str | None = None  # what the server calls it; the profile's name unless it says otherwise
    api_key: SecretStr | None = None
    folder: Path | None = None  # weights, for the engine transformers
    adapter: Path | None = None  # LoRA or DoRA weights merged into them
    device: str = "cpu"
    concurrent: int = Field(8, ge=1)  # requests at work at each server; it batches about this many on 16 GB
    waiting: int = Field(32, ge=0)  # calls before the door; the next is refused with 503
    connect_seconds: float = Field(5, gt=0)
    read_seconds: float = Field(120, gt=0)  # until the next byte
    total_seconds: float = Field(300, gt=0)  # for a call, waiting and retries included

    @model_validator(mode="after")
    def _reachable(self) -> "ModelChoice":
        here = self.engine == "transformers"
        ways = [self.url is not None, bool(self.urls), self.folder is not None]
        if ways.count(True) != 1 or here is not (self.folder is not None) or (self.adapter and not here):
            raise ValueError(
                "give url for a server, or urls for several of the same model, or "
                'engine = "transformers" with folder, and adapter where there is one'
            )
        if len(set(self.urls)) < len(self.urls):
            raise ValueError("each of urls is a server of its own; one stands there twice")
        return self

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it is served; nowhere for one that this process loads."""
        return (self.url,) if self.url is not None else self.urls
