"""The language of a document. Those from before have none: which one it is would have to be read from their text again."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("documents", sa.Column("language", sa.Text()))
