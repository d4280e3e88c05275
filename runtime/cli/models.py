"""Commands about served models: what there is, how to start one, and what an answer of one says."""

import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from inference.answer_parsing import parse_label
from inference.profiles import Engine, ModelProfile, Thinking, load_profile, profiles
from runtime import printing
from runtime.cli.group import AS_JSON
from runtime.errors import RuntimeRefused
from runtime.launching import replica_commands, replica_setting

SERVED = [engine.value for engine in Engine if engine is not Engine.TRANSFORMERS]


@click.group()
def models() -> None:
    """List, show and start the models that can be served."""


@models.command("list")
@AS_JSON
def models_list(as_json: bool) -> None:
    """Every model profile with its stage and whether its answers may be used."""
    found = [load_profile(name) for name in profiles()]
    if as_json:
        click.echo(printing.as_json({"profiles": [_plain(one) for one in found]}))
        return
    for one in found:
        click.echo(f"{one.name:<24} {one.stage:<8} {one.status:<11} {one.title}")


@models.command("show")
@click.argument("profile")
@AS_JSON
def models_show(profile: str, as_json: bool) -> None:
    """One profile: weights, prompts, layout, labels, decoding, engines, measured figures with their caveats."""
    found = load_profile(profile)
    click.echo(printing.as_json(_plain(found)) if as_json else "\n".join(_lines(found)))


@models.command("command")
@click.argument("profile")
@click.option("--engine", type=click.Choice(SERVED), default=Engine.VLLM.value, show_default=True)
@click.option("--weights", help="Folder or file of the weights. [default: the profile's hub id]")
@click.option("--quantisation", help="How to fit the weights into less memory. [default: the profile's first way]")
@click.option("--port", default=8001, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--memory", type=click.FloatRange(0.05, 0.98), help="Share of the card it may take. [default: nearly all]"
)
@click.option(
    "--replicas", default=1, show_default=True, type=click.IntRange(1, 64),
    help="How many servers, each on a port and a card of its own.",
)  # fmt: skip
def models_command(
    profile: str, engine: str, weights: str | None, quantisation: str | None, port: int, memory: float | None,
    replicas: int,
) -> None:  # fmt: skip
    """Print the command that serves a model on this machine, with its reasons as comments. Nothing is started."""
    found = load_profile(profile)
    commands = replica_commands(found, Engine(engine), weights, quantisation, port, memory, replicas)
    for note in commands[0].notes:
        click.echo(f"# {note}")
    if replicas > 1:
        click.echo("# Each in a shell of its own. In settings.toml:")
        for line in replica_setting(found, port, replicas).splitlines():
            click.echo(f"#     {line}")
    for name, value in commands[0].environment.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    for number, command in enumerate(commands):
        card = f"CUDA_VISIBLE_DEVICES={number} " if replicas > 1 else ""
        click.echo(card + " \\\n    ".join(command.lines()))


@click.group()
def labels() -> None:
    """What models answer."""


@labels.command("parse")
@click.option("--profile", required=True, help="Whose label set and habits the answers follow.")
def labels_parse(profile: str) -> None:
    """Read raw answers from standard input, one a line, and print one JSON object a line: label, method, score.

    An answer that spans lines is written as a JSON string: a line that begins with a double quote is read as one
    (`"first line\\nsecond line"`); where that fails, and for every other line, the line itself is the answer and
    backslashes are only backslashes. An empty line is an empty answer, so line n of the output is for line n of the
    input. `label` is null where the answer names no label of the set; `method` says why.
    """
    found = load_profile(profile)
    known = found.labels or found.groups
    if known is None:
        raise RuntimeRefused(f"{profile} writes text, not labels; profiles with labels: {', '.join(_with_labels())}")
    for line in sys.stdin:
        parsed = parse_label(_answer(line.rstrip("\r\n")), known, thinking=found.thinking.expected)
        click.echo(json.dumps(asdict(parsed), ensure_ascii=False))


def _answer(line: str) -> str:
    if line.startswith('"'):
        try:
            value = json.loads(line)
        except ValueError:
            return line
        if isinstance(value, str):
            return value
    return line


def _with_labels() -> Iterator[str]:
    return (name for name in profiles() if load_profile(name).labels is not None)


def _plain(profile: ModelProfile) -> dict[str, Any]:
    """The profile as JSON, with what follows from it."""
    return {
        **asdict(profile),
        "tokens_per_picture": profile.preprocessing.tokens_per_picture,
        "context_needed": profile.context_needed(),
    }


def _thinking(thinking: Thinking) -> str:
    if not thinking.expected:
        return "none"
    return "an empty thought is given" if thinking.prefill_empty_block else "a thought comes first"


def _lines(profile: ModelProfile) -> Iterator[str]:
    checkpoint, decoding = profile.checkpoint, profile.decoding
    yield f"{profile.name}: {profile.title}"
    yield f"    stage {profile.stage}, {profile.status}"
    yield f"    weights   {checkpoint.repository or 'no hub id known'} at revision {checkpoint.revision or 'unknown'}"
    yield f"              {checkpoint.note}"
    yield f"    base      {checkpoint.base}, {'merged' if checkpoint.merged else 'adapter'}, {checkpoint.licence}"
    yield f"    prompts   {', '.join(profile.prompts)}; default {profile.prompt}, guided {profile.guided_prompt or 'never'}"
    yield f"    message   {profile.layout} layout, {profile.references} references, at most {profile.image_limit} pictures"
    yield f"    context   {profile.context_length} tokens, {profile.context_needed()} needed at most"
    yield f"    labels    {profile.labels.name if profile.labels else 'none'}"
    if profile.labels:
        held = "held to it" if profile.answer.constrained else "free, then parsed"
        yield f"    answers   {profile.answer.opening + profile.answer.form!r} for each label; {held}"
    yield f"    decoding  {decoding.max_new_tokens} new tokens, temperature {decoding.temperature:g}"
    yield f"    thinking  {_thinking(profile.thinking)}"
    yield f"    engines   {', '.join(profile.engines)}"
    for one in profile.figures:
        cases = f" on {one.cases} cases" if one.cases else ""
        yield f"    measured  {one.measure}: {one.value:g} {one.unit}{cases} ({one.caveat})"
    for warning in profile.warnings:
        yield f"    ! {warning}"
