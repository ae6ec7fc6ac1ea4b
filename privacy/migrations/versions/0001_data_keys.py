"""One row per person: the wrapped data key, or the tombstone of a destroyed one."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE data_keys (
            key_id       uuid PRIMARY KEY,
            subject_id   uuid NOT NULL UNIQUE,
            wrapped      bytea,
            wrapped_by   integer NOT NULL CHECK (wrapped_by > 0),
            created_at   timestamptz NOT NULL,
            destroyed_at timestamptz,
            CONSTRAINT destroyed_keys_hold_nothing CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
        )
    """)
    op.execute("CREATE INDEX data_keys_to_rewrap ON data_keys (wrapped_by, key_id) WHERE wrapped IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP TABLE data_keys")
