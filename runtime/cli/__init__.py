"""The command line: one group, and its commands by what they are for."""

from runtime.cli.archiving import archive, export_, import_
from runtime.cli.asking import diagnose, search
from runtime.cli.auditing import audit
from runtime.cli.datasets import cases, coverage_command, datasets
from runtime.cli.documents import documents
from runtime.cli.group import main
from runtime.cli.indexing import indexes, reindex
from runtime.cli.ingesting import ingest
from runtime.cli.jobs import jobs
from runtime.cli.keys import keys
from runtime.cli.measuring import ablate, evaluate
from runtime.cli.models import labels, models
from runtime.cli.operating import check, doctor, serve

for command in (
    ingest, documents, datasets, cases, jobs, audit, coverage_command, reindex, indexes, search, diagnose, serve, check, doctor,
    evaluate, ablate, export_, import_, archive, models, labels, keys,
):  # fmt: skip
    main.add_command(command)

__all__ = ["main"]
