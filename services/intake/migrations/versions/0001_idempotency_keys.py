"""The runner's tables, and one row per idempotency key."""

from alembic import op

from messaging.stores.migration import RUNNER_DROPS, RUNNER_TABLES

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in RUNNER_TABLES:
        op.execute(statement)
    op.execute("""
        CREATE TABLE idempotency_keys (
            claim_id    uuid PRIMARY KEY,
            client      text NOT NULL,
            key         text NOT NULL,
            body_sha256 bytea NOT NULL CHECK (octet_length(body_sha256) = 32),
            status_url  text NOT NULL,
            recorded_at timestamptz NOT NULL,
            UNIQUE (client, key)
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE idempotency_keys")
    for statement in RUNNER_DROPS:
        op.execute(statement)
