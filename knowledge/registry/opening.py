"""Which database an address names. SQLAlchemy's way of naming SQLite files, libpq's of naming PostgreSQL servers."""

from knowledge.registry.database import Database
from knowledge.registry.embedded import EmbeddedDatabase
from knowledge.registry.server import CONNECTIONS, ServerDatabase, is_server


def open_database(url: str, connections: int = CONNECTIONS) -> Database:
    """Raises StorageFailed for an address that is none, or whose driver is not installed."""
    return ServerDatabase(url, connections) if is_server(url) else EmbeddedDatabase(url)
