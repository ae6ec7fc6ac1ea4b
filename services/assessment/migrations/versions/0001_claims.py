"""The stage runner's tables, and assessment's claims."""

from alembic import op

from messaging.stores.migration import RUNNER_DROPS, RUNNER_TABLES

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in RUNNER_TABLES:
        op.execute(statement)
    op.execute(
        """CREATE TABLE assessment_claims (
               claim_id uuid PRIMARY KEY,
               status text NOT NULL,
               policy_number text,
               state jsonb NOT NULL,
               changed_at timestamptz NOT NULL DEFAULT now())"""
    )
    op.execute(
        "CREATE INDEX assessment_claims_waiting ON assessment_claims (claim_id) WHERE status = 'AWAITING_POLICY'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE assessment_claims")
    for statement in RUNNER_DROPS:
        op.execute(statement)
