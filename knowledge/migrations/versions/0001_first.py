"""The first tables: documents, versions, pages, passages, cases, tombstones and the corpus generation."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    corpus = op.create_table(
        "corpus",
        sa.Column("id", sa.Integer(), sa.CheckConstraint("id = 1", name="one_row"), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_corpus"),
    )
    op.bulk_insert(corpus, [{"id": 1, "generation": 0}])
    _documents()
    _cases()


def _documents() -> None:
    text_columns = ("publisher", "url", "licence", "jurisdiction", "edition")
    op.create_table(
        "documents",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text()) for name in text_columns),
        sa.Column("effective", sa.String(10)),
        sa.Column("review", sa.String(10)),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
    )
    op.create_table(
        "versions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("document_id", sa.String(40), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("text_sha256", sa.String(64)),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("page_count", sa.Integer(), nullable=False),
        sa.Column("passage_count", sa.Integer(), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_versions"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_versions_document_id"),
    )
    op.create_index("ix_versions_document_id", "versions", ["document_id"])
    op.create_table(
        "pages",
        sa.Column("version_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("version_id", "number", name="pk_pages"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_pages_version_id"),
    )
    op.create_table(
        "passages",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("version_id", sa.String(64), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_page", sa.Integer(), nullable=False),
        sa.Column("last_page", sa.Integer(), nullable=False),
        sa.Column("section", sa.JSON(), nullable=False),
        sa.Column("live_since", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_passages"),
        sa.ForeignKeyConstraint(["version_id"], ["versions.id"], name="fk_passages_version_id"),
    )
    op.create_index("ix_passages_version_id", "passages", ["version_id"])
    op.create_index("ix_passages_live_since", "passages", ["live_since"])


def _cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("group", sa.Text()),
        sa.Column("caption", sa.Text(), nullable=False),
        sa.Column("picture", sa.String(64), nullable=False),
        sa.Column("original", sa.String(64), nullable=False),
        sa.Column("perceptual_hash", sa.String(16), nullable=False),
        *(sa.Column(name, sa.Text()) for name in ("subject", "lesion", "split", "skin_tone", "licence", "source")),
        sa.Column("live_since", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
    )
    op.create_index("ix_cases_live_since", "cases", ["live_since"])
    op.create_index("ix_cases_dataset_original", "cases", ["dataset", "original"], unique=True)
    op.create_table(
        "tombstones",
        sa.Column("item_id", sa.String(40), nullable=False),
        sa.Column("gone_since", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", name="pk_tombstones"),
    )
    op.create_index("ix_tombstones_gone_since", "tombstones", ["gone_since"])
