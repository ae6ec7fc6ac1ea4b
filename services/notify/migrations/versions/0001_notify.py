"""The runner's tables, and one row a claim: who is told, in which language, what was decided and paid."""

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
        CREATE TABLE notify_claims (
            claim_id  uuid PRIMARY KEY,
            state     jsonb NOT NULL,
            confirmed uuid[] NOT NULL DEFAULT '{}'
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE notify_claims")
    for statement in RUNNER_DROPS:
        op.execute(statement)
