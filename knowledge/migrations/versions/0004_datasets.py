"""Datasets with a state of their own, and labels as their manifests write them."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    datasets = op.create_table(
        "datasets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("created_by", sa.Text()),
        sa.Column("retired_at", sa.String(32)),
        sa.Column("retired_by", sa.Text()),
        sa.PrimaryKeyConstraint("name", name="pk_datasets"),
    )
    # Unknown for cases that are there already: their spelling was not kept. The same manifest again tells it.
    op.add_column("cases", sa.Column("label_raw", sa.Text()))
    names = op.get_bind().execute(sa.text("SELECT DISTINCT dataset FROM cases")).scalars().all()
    at = datetime.now(UTC).isoformat(timespec="seconds")
    op.bulk_insert(datasets, [{"name": name, "state": "live", "created_at": at} for name in names])
