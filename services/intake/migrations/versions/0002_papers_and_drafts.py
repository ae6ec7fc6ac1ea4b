"""Papers, withdrawals, the keys of their requests, drafts; and claims found by their reference."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The first 64 bits of the hash a reference is made of (schemas.ids.claim_reference). Computed by the index, so that no
# row of a large table has to be written anew.
_PREFIX = "decode('636c61696d666c6f772e7265666572656e63652e7631', 'hex')"
_REFERENCE = f"substr(sha256({_PREFIX} || uuid_send(claim_id)), 1, 8)"


def upgrade() -> None:
    op.execute(f"CREATE INDEX idempotency_keys_reference ON idempotency_keys (({_REFERENCE}))")
    op.execute("""
        CREATE TABLE request_keys (
            client         text NOT NULL,
            purpose        text NOT NULL,
            key            text NOT NULL,
            claim_id       uuid NOT NULL,
            request_sha256 bytea NOT NULL CHECK (octet_length(request_sha256) = 32),
            recorded_at    timestamptz NOT NULL,
            PRIMARY KEY (client, purpose, key)
        )
    """)
    op.execute("""
        CREATE TABLE papers (
            document_id uuid PRIMARY KEY,
            claim_id    uuid NOT NULL,
            kind        text NOT NULL,
            line_id     text,
            media_type  text NOT NULL,
            sha256      text NOT NULL CHECK (length(sha256) = 64),
            size_bytes  bigint NOT NULL CHECK (size_bytes > 0),
            received_at timestamptz NOT NULL
        )
    """)
    op.execute("CREATE INDEX papers_of_claim ON papers (claim_id, received_at, document_id)")
    op.execute("""
        CREATE TABLE withdrawals (
            claim_id     uuid PRIMARY KEY,
            reason       text,
            withdrawn_at timestamptz NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE drafts (
            draft_id        uuid PRIMARY KEY,
            number          text NOT NULL UNIQUE,
            client          text NOT NULL,
            request_sha256  bytea NOT NULL CHECK (octet_length(request_sha256) = 32),
            body            jsonb NOT NULL,
            people          jsonb NOT NULL,
            given           jsonb NOT NULL,
            missing         jsonb NOT NULL,
            created_missing jsonb NOT NULL,
            version         integer NOT NULL,
            created_at      timestamptz NOT NULL,
            expires_at      timestamptz NOT NULL,
            submitted_at    timestamptz,
            body_sha256     bytea CHECK (octet_length(body_sha256) = 32),
            warnings        jsonb,
            CHECK ((submitted_at IS NULL) = (body_sha256 IS NULL) AND (submitted_at IS NULL) = (warnings IS NULL))
        )
    """)
    op.execute("CREATE INDEX drafts_by_expiry ON drafts (expires_at)")


def downgrade() -> None:
    for table in ("drafts", "withdrawals", "papers", "request_keys"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP INDEX idempotency_keys_reference")
