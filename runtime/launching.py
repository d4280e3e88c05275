"""The command that serves a model: context, pictures, fences and memory from its profile, loopback only."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from inference.profiles import Engine, ModelProfile
from runtime.errors import RuntimeRefused

HOST = "127.0.0.1"
NO_DOMAIN = "media.invalid"  # reserved by RFC 2606: no picture is ever fetched, only data URLs pass
_PORTS = 65_536
# The flag by which an engine takes a share of the card; every profile sets it.
_SHARE = {Engine.VLLM: "--gpu-memory-utilization", Engine.SGLANG: "--mem-fraction-static"}
_OFFLINE = {"HF_HUB_OFFLINE": "1"}
_PRIVATE = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0", **_OFFLINE}
_NO_REASONING = (
    "No --reasoning-parser: with one, a model that does not think returns null content and constraints are off."
)
_PIN = "No revision is pinned, and the hub is switched off: give --weights FOLDER with weights you have checked."


@dataclass(frozen=True, slots=True)
class Launch:
    """A command as its words, the environment it wants, and why it is so."""

    words: tuple[tuple[str, ...], ...]  # a flag stands with its value
    environment: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Shell-quoted, one flag a line."""
        return (" ".join(shlex.quote(word) for word in words) for words in self.words)


def launch_command(
    profile: ModelProfile, engine: Engine, weights: str | None = None, quantisation: str | None = None,
    port: int = 8001, memory: float | None = None,
) -> Launch:  # fmt: skip
    """How to serve the profile. `memory` is the share of the card it may take, where it shares one.

    Raises RuntimeRefused: an engine, a way to quantise or weights the profile lacks, an engine that takes no share.
    """
    if engine not in profile.engines or engine not in _BUILDERS:
        able = ", ".join(one for one in profile.engines if one in _BUILDERS)
        raise RuntimeRefused(f"{profile.name} is not served by {engine}; engines: {able}")
    source = weights or profile.checkpoint.repository
    if source is None and engine is not Engine.LLAMA_CPP:
        raise RuntimeRefused(f"no hub id of {profile.name} is known: give --weights FOLDER")
    words, environment = _BUILDERS[engine](profile, source or "", port)
    known = profile.engines[engine]
    notes = known.notes if weights or profile.checkpoint.revision else (*known.notes, _PIN)
    if engine is Engine.VLLM:
        notes = (*notes, *(() if any("easoning" in note for note in notes) else (_NO_REASONING,)))
    flags = (*_sharing(known.flags, engine, memory), *_quantised(profile, engine, quantisation))
    return Launch((*words, *_paired(flags)), environment, notes)


def replica_commands(
    profile: ModelProfile, engine: Engine, weights: str | None = None, quantisation: str | None = None,
    port: int = 8001, memory: float | None = None, replicas: int = 1,
) -> tuple[Launch, ...]:  # fmt: skip
    """One command a replica, on ports and cards that follow each other. See launch_command."""
    if port + replicas > _PORTS:
        raise RuntimeRefused(f"{replicas} ports from {port} on would end beyond {_PORTS - 1}; choose a lower --port")
    return tuple(
        launch_command(profile, engine, weights, quantisation, port + number, memory) for number in range(replicas)
    )


def replica_setting(profile: ModelProfile, port: int, replicas: int) -> str:
    """The lines of settings.toml that reach them."""
    urls = ", ".join(f'"http://{HOST}:{port + number}/v1"' for number in range(replicas))
    return f"[models.{profile.name}]\nurls = [{urls}]"


def _sharing(flags: tuple[str, ...], engine: Engine, memory: float | None) -> tuple[str, ...]:
    if memory is None:
        return flags
    if engine not in _SHARE:
        raise RuntimeRefused(f"{engine} takes the memory it needs and no share; leave --memory out")
    at = flags.index(_SHARE[engine]) + 1
    return (*flags[:at], f"{memory:g}", *flags[at + 1 :])


def _quantised(profile: ModelProfile, engine: Engine, wanted: str | None) -> tuple[str, ...]:
    ways = profile.engines[engine].quantisations
    if wanted is None:
        return next(iter(ways.values()), ())
    if wanted not in ways:
        raise RuntimeRefused(f"{engine} has no quantisation {wanted!r} here; there are: {', '.join(ways) or 'none'}")
    return ways[wanted]


def _vllm(profile: ModelProfile, source: str, port: int) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    side = profile.preprocessing.longest_side
    pixels = {"images_kwargs": {"size": {"shortest_edge": 256 * 256, "longest_edge": side * side}}}
    return [
        ("vllm", "serve", source),
        ("--served-model-name", profile.name),
        ("--host", HOST),
        ("--port", str(port)),
        ("--max-model-len", str(profile.context_length)),
        ("--limit-mm-per-prompt", _json({"image": profile.image_limit, "video": 0, "audio": 0})),
        ("--mm-processor-kwargs", _json(pixels)),
        ("--allowed-media-domains", NO_DOMAIN),
        ("--structured-outputs-config", _json({"backend": "xgrammar", "disable_any_whitespace": True})),
        ("--generation-config", "vllm"),
    ], dict(_PRIVATE)


def _sglang(profile: ModelProfile, source: str, port: int) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    return [
        ("python", "-m", "sglang.launch_server"),
        ("--model-path", source),
        ("--served-model-name", profile.name),
        ("--host", HOST),
        ("--port", str(port)),
        ("--context-length", str(profile.context_length)),
        ("--limit-mm-data-per-request", _json({"image": profile.image_limit, "video": 0, "audio": 0})),
        ("--grammar-backend", "xgrammar"),
        ("--constrained-json-disable-any-whitespace",),
    ], dict(_OFFLINE)


def _llama_cpp(profile: ModelProfile, source: str, port: int) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    file = source if source.endswith(".gguf") else f"{profile.name}.gguf"
    decoding = profile.decoding
    return [
        ("llama-server",),
        ("--model", file),
        ("--mmproj", f"{file.removesuffix('.gguf')}-mmproj.gguf"),
        ("--alias", profile.name),
        ("--host", HOST),
        ("--port", str(port)),
        ("--ctx-size", str(profile.context_length)),
        ("--parallel", "1"),
        ("--temp", f"{decoding.temperature:g}"),
        ("--top-p", f"{decoding.top_p:g}"),
        ("--top-k", str(decoding.top_k)),
        ("--repeat-penalty", f"{decoding.repeat_penalty:g}"),
    ], {}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _paired(flags: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Flags with their values, one tuple each."""
    at = 0
    while at < len(flags):
        valued = at + 1 < len(flags) and not flags[at + 1].startswith("--")
        yield flags[at : at + 2] if valued else flags[at : at + 1]
        at += 2 if valued else 1


_Builder = Callable[[ModelProfile, str, int], tuple[list[tuple[str, ...]], dict[str, str]]]
_BUILDERS: dict[Engine, _Builder] = {Engine.VLLM: _vllm, Engine.SGLANG: _sglang, Engine.LLAMA_CPP: _llama_cpp}
