"""The tables of the registry. A change here needs a migration in knowledge/migrations/versions."""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# One row: the number that every visible change raises by one.
CORPUS = Table(
    "corpus",
    METADATA,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True),
    Column("generation", Integer, nullable=False),
)

DOCUMENTS = Table(
    "documents",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("created_at", String(32), nullable=False),
)

VERSIONS = Table(
    "versions",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("document_id", ForeignKey("documents.id"), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("text_sha256", String(64)),
    Column("bytes", Integer, nullable=False),
    Column("page_count", Integer, nullable=False),
    Column("passage_count", Integer, nullable=False),
    Column("warnings", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
    # Where each line of the text is on its page: a stored file, like the text itself.
    Column("lines_sha256", String(64)),
    Column("number", Integer, nullable=False),
    Column("added_by", Text),
    Column("approved_by", Text),
    Column("approved_at", String(32)),
    Column("superseded_by", String(64)),
    # The source, of this version: the next edition has other dates.
    Column("title", Text, nullable=False),
    Column("publisher", Text),
    Column("url", Text),
    Column("licence", Text),
    Column("jurisdiction", Text),
    Column("edition", Text),
    Column("effective", String(10)),
    Column("review", String(10)),
    Column("language", Text),
    Column("expires", String(10)),
    Column("grade", Text),
    Column("tags", JSON, nullable=False),
    Index(None, "document_id", "number", unique=True),
)

PAGES = Table(
    "pages",
    METADATA,
    Column("version_id", ForeignKey("versions.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("confidence", Float),
)

PASSAGES = Table(
    "passages",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("version_id", ForeignKey("versions.id"), nullable=False, index=True),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("first_page", Integer, nullable=False),
    Column("last_page", Integer, nullable=False),
    Column("section", JSON, nullable=False),
    # The corpus generation in which it became visible: an index built at g holds every row with live_since <= g. 0 for
    # one that never was, a draft's.
    Column("live_since", Integer, nullable=False, index=True),
    Column("role", String(16), nullable=False),
    Column("header", Text),
    Column("ocr", Float),
)

# Collections of cases. Cases of a retired one are kept, and not found.
DATASETS = Table(
    "datasets",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("created_by", Text),
    Column("retired_at", String(32)),
    Column("retired_by", Text),
)

CASES = Table(
    "cases",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("group", Text),
    Column("caption", Text, nullable=False),
    Column("picture", String(64), nullable=False),
    Column("original", String(64), nullable=False),
    Column("perceptual_hash", String(16), nullable=False),
    Column("subject", Text),
    Column("lesion", Text),
    Column("split", Text),
    Column("skin_tone", Text),
    Column("licence", Text),
    Column("source", Text),
    Column("live_since", Integer, nullable=False, index=True),
    Column("label_raw", Text),
    Index(None, "dataset", "original", unique=True),
)

# Ids that were visible once: an index built before `gone_since` still holds them and must mask them.
TOMBSTONES = Table(
    "tombstones",
    METADATA,
    Column("item_id", String(40), primary_key=True),
    Column("gone_since", Integer, nullable=False, index=True),
)

# Work that was accepted: what it is, whose, how far. A kill leaves it to be taken up again.
JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("options", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("started_at", String(32)),
    Column("finished_at", String(32)),
    Column("cancelled", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Column("message", Text),
)

JOB_ITEMS = Table(
    "job_items",
    METADATA,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("file", String(64)),
    Column("source", JSON),
    Column("state", String(16), nullable=False),
    Column("pages_done", Integer, nullable=False),
    Column("page_count", Integer),
    Column("outcome", JSON),
)

# Who did what to what, and when; never what it says.
AUDIT = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", String(32), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("item", String(80), nullable=False, index=True),
    Column("details", JSON, nullable=False),
)

# What past answers showed and cited, where a setting keeps it: ids only, nothing of the patient.
ANSWERS = Table(
    "answers",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("at", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("generation", Integer, nullable=False),
)

ANSWER_EVIDENCE = Table(
    "answer_evidence",
    METADATA,
    Column("answer_id", ForeignKey("answers.id"), primary_key=True),
    Column("key", String(8), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("item_id", String(40), nullable=False, index=True),
    Column("version_id", String(64)),
    Column("cited", Boolean, nullable=False),
)

# Keys that callers show. Rows stay when a key is revoked: without any, nobody needs one.
ACCESS_KEYS = Table(
    "access_keys",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("secret_sha256", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("revoked_at", String(32)),
    Column("last_used", String(10)),
)

# Pages that are signed in. The token itself is in the browser only.
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("token_sha256", String(64), primary_key=True),
    Column("key_id", ForeignKey("access_keys.id"), nullable=False, index=True),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False, index=True),
)

# Where a server is shared by several hosts: vectors by what was encoded (retrieval.embeddings), which have a file of their
# own beside a registry in a file; and the requests of a caller in a minute of the epoch.
VECTORS = Table(
    "vectors",
    METADATA,
    Column("fingerprint", String(64), primary_key=True),
    Column("key", String(64), primary_key=True, index=True),
    Column("vector", LargeBinary, nullable=False),
)

RATES = Table(
    "rates",
    METADATA,
    Column("whose", String(64), primary_key=True),
    Column("minute", Integer, primary_key=True),
    Column("spent", Integer, nullable=False),
)

# The generation of an index that serves, by encoders, where several machines follow one. Empty where one machine is all.
INDEX_GENERATIONS = Table(
    "index_generations",
    METADATA,
    Column("key", String(12), primary_key=True),
    Column("name", String(40), nullable=False),
    Column("previous", String(40)),
    Column("published_at", String(32), nullable=False),
)

# Not rows of an archive: who may come in and which index serves is decided on each machine, and vectors are written in a way of
# their own.
STAYING = frozenset({ACCESS_KEYS.name, SESSIONS.name, VECTORS.name, RATES.name, INDEX_GENERATIONS.name})
