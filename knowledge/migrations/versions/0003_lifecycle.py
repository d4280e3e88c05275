"""Versions with a source, an approval and a successor of their own; jobs, audit, and what past answers cited."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SOURCE = ("publisher", "url", "licence", "jurisdiction", "edition", "effective", "review", "language")
DATES = ("effective", "review")


def upgrade() -> None:
    _versions()
    op.add_column("pages", sa.Column("confidence", sa.Float()))
    op.add_column("passages", sa.Column("role", sa.String(16), nullable=False, server_default="body"))
    op.add_column("passages", sa.Column("header", sa.Text()))
    op.add_column("passages", sa.Column("ocr", sa.Float()))
    _jobs()
    _proof()


def _versions() -> None:
    """The source moves from the document to its versions. Columns that must have a value get that of the one there is."""
    op.add_column("versions", sa.Column("lines_sha256", sa.String(64)))
    op.add_column("versions", sa.Column("number", sa.Integer(), nullable=False, server_default="1"))
    for name in ("added_by", "approved_by"):
        op.add_column("versions", sa.Column(name, sa.Text()))
    op.add_column("versions", sa.Column("approved_at", sa.String(32)))
    op.add_column("versions", sa.Column("superseded_by", sa.String(64)))
    op.add_column("versions", sa.Column("title", sa.Text(), nullable=False, server_default=""))
    for name in SOURCE:
        op.add_column("versions", sa.Column(name, sa.String(10) if name in DATES else sa.Text()))
    op.add_column("versions", sa.Column("expires", sa.String(10)))
    op.add_column("versions", sa.Column("grade", sa.Text()))
    op.add_column("versions", sa.Column("tags", sa.JSON(), nullable=False, server_default="[]"))
    for name in ("title", *SOURCE):
        of_document = f"(SELECT {name} FROM documents WHERE documents.id = versions.document_id)"  # noqa: S608 (our names)
        op.execute(f"UPDATE versions SET {name} = {of_document}")  # noqa: S608
        op.drop_column("documents", name)
    op.create_index("ix_versions_document_id_number", "versions", ["document_id", "number"], unique=True)


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("started_at", sa.String(32)),
        sa.Column("finished_at", sa.String(32)),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("message", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_table(
        "job_items",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("file", sa.String(64)),
        sa.Column("source", sa.JSON()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("pages_done", sa.Integer(), nullable=False),
        sa.Column("page_count", sa.Integer()),
        sa.Column("outcome", sa.JSON()),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_job_items"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_items_job_id"),
    )


def _proof() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("item", sa.String(80), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_item", "audit", ["item"])
    op.create_table(
        "answers",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_answers"),
    )
    op.create_table(
        "answer_evidence",
        sa.Column("answer_id", sa.String(40), nullable=False),
        sa.Column("key", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("item_id", sa.String(40), nullable=False),
        sa.Column("version_id", sa.String(64)),
        sa.Column("cited", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("answer_id", "key", name="pk_answer_evidence"),
        sa.ForeignKeyConstraint(["answer_id"], ["answers.id"], name="fk_answer_evidence_answer_id"),
    )
    op.create_index("ix_answer_evidence_item_id", "answer_evidence", ["item_id"])
