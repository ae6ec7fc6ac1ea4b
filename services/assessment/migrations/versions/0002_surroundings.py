"""What stands around a claim: its policy's row to lock, what it takes from shared ledgers, columns to find it by."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE TABLE assessment_policies (policy_number text PRIMARY KEY)")
    op.execute(
        """ALTER TABLE assessment_claims
             ADD COLUMN loss_at timestamptz, ADD COLUMN peril text, ADD COLUMN place text,
             ADD COLUMN asked_minor bigint, ADD COLUMN currency text, ADD COLUMN in_play boolean"""
    )
    op.execute(
        """UPDATE assessment_claims
              SET loss_at = CAST(state -> 'report' ->> 'loss_at' AS timestamptz),
                  peril = coalesce(state -> 'report' ->> 'peril', 'unknown'),
                  in_play = coalesce(state ->> 'outcome', '') <> 'denied'
            WHERE state ? 'report'"""
    )
    # Nothing looks into a state but assessment itself: kept as text it costs the database less to take and to give.
    op.execute("ALTER TABLE assessment_claims ALTER COLUMN state TYPE json USING CAST(state AS json)")
    op.execute(
        """CREATE INDEX assessment_claims_of_policy ON assessment_claims (policy_number, loss_at)
            WHERE policy_number IS NOT NULL"""
    )
    op.execute(
        """CREATE TABLE assessment_uses (
               claim_id uuid NOT NULL,
               aggregate_id text NOT NULL,
               period text NOT NULL,
               borne boolean NOT NULL,
               policy_number text NOT NULL,
               amount_minor bigint NOT NULL CHECK (amount_minor > 0),
               currency text NOT NULL,
               PRIMARY KEY (claim_id, aggregate_id, period, borne))"""
    )
    op.execute("CREATE INDEX assessment_uses_of_policy ON assessment_uses (policy_number)")


def downgrade() -> None:
    op.execute("DROP TABLE assessment_uses")
    op.execute("DROP INDEX assessment_claims_of_policy")
    op.execute("ALTER TABLE assessment_claims ALTER COLUMN state TYPE jsonb USING CAST(state AS jsonb)")
    op.execute(
        """ALTER TABLE assessment_claims
             DROP COLUMN loss_at, DROP COLUMN peril, DROP COLUMN place,
             DROP COLUMN asked_minor, DROP COLUMN currency, DROP COLUMN in_play"""
    )
    op.execute("DROP TABLE assessment_policies")
