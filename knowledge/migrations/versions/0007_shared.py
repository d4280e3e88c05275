"""What several hosts share where the registry is a server: vectors, and what callers spent. Beside a file both stay empty.

On PostgreSQL texts are compared byte by byte from here on, as SQLite does: an order that depends on the operating system's
language would differ from host to host.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "vectors",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "key", name="pk_vectors"),
    )
    op.create_index("ix_vectors_key", "vectors", ["key"])
    op.create_table(
        "rates",
        sa.Column("whose", sa.String(64), nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("spent", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("whose", "minute", name="pk_rates"),
        prefixes=["UNLOGGED"] if _is_server() else [],  # a crash forgets the last minute, and no more
    )
    if _is_server():
        _compare_bytes()


def _is_server() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _compare_bytes() -> None:
    inspector = sa.inspect(op.get_bind())
    for table in inspector.get_table_names():
        for column in inspector.get_columns(table):
            if isinstance(column["type"], sa.String):
                length = column["type"].length
                kind = sa.String(length, collation="C") if length else sa.Text(collation="C")
                op.alter_column(table, column["name"], type_=kind, existing_nullable=column["nullable"])
