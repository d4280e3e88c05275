"""Which index generation serves, where several machines follow one."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "index_generations",
        sa.Column("key", sa.String(12), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("previous", sa.String(40)),
        sa.Column("published_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_index_generations"),
    )
