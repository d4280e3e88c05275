"""Commands about jobs: what was accepted, how far it is, what became of it."""

from collections.abc import Sequence
from dataclasses import asdict

import click

from knowledge.registry.jobs import Job, JobState
from runtime import printing
from runtime.cli.engine import with_engine
from runtime.cli.group import AS_JSON, Lazy, bar
from runtime.engines import Engine
from runtime.jobs import JobRunner


@click.group()
def jobs() -> None:
    """List, show, cancel, retry and run jobs. A job that was interrupted goes on with `run`, or when a server starts."""


@jobs.command("list")
@click.option("--state", type=click.Choice([one.value for one in JobState]), help="Only these. [default: all]")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1_000))
@AS_JSON
@click.pass_obj
def jobs_list(lazy: Lazy, state: str | None, limit: int, as_json: bool) -> None:
    """The newest jobs first."""
    states = [JobState(state)] if state else list(JobState)
    _show(lazy.service().registry.jobs.jobs(states, limit), as_json)


@jobs.command("show")
@click.argument("job_id")
@AS_JSON
@click.pass_obj
def jobs_show(lazy: Lazy, job_id: str, as_json: bool) -> None:
    """One job, file by file, with the pages that need a look."""
    job = lazy.service().registry.jobs.job(job_id)
    click.echo(printing.as_json(job) if as_json else "\n".join(printing.job_lines(job)))


@jobs.command("run")
@with_engine
@AS_JSON
@click.pass_obj
def jobs_run(lazy: Lazy, as_json: bool, engine: Engine) -> None:
    """Work on every job that waits or was interrupted, here and now."""
    curator = lazy.curator(engine)
    registry, runner = curator.service.registry, JobRunner(curator)
    runner.tidy()
    ids = registry.jobs.ids()
    with bar("files", sum(len(registry.jobs.job(one).open_items) for one in ids)) as advance:
        done = [runner.run(one, lambda _outcome: advance(1)) for one in ids]
    _show(done, as_json)


@jobs.command("cancel")
@click.argument("job_id")
@AS_JSON
@click.pass_obj
def jobs_cancel(lazy: Lazy, job_id: str, as_json: bool) -> None:
    """End a job after the file at hand; what is in stays in."""
    _show([lazy.service().registry.jobs.cancel(job_id, lazy.actor)], as_json)


@jobs.command("retry")
@click.argument("job_id")
@AS_JSON
@click.pass_obj
def jobs_retry(lazy: Lazy, job_id: str, as_json: bool) -> None:
    """Try the files of a failed or cancelled job again, here and now."""
    curator = lazy.curator()
    curator.service.registry.jobs.retry(job_id, lazy.actor)
    _show([JobRunner(curator).run(job_id)], as_json)


def _show(found: Sequence[Job], as_json: bool) -> None:
    if as_json:
        click.echo(printing.as_json({"jobs": [asdict(one) for one in found]}))
        return
    for one in found:
        click.echo(next(printing.job_lines(one)))
    if not found:
        click.echo("no jobs")
