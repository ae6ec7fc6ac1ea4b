"""What each claim's reserve accounts hold, kept beside its payments; taken over from the ledger where it has some."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RESERVES = (
    "CREATE TABLE reserves (claim_id uuid PRIMARY KEY, held text NOT NULL) WITH (fillfactor = 70)",
    """
    INSERT INTO reserves (claim_id, held)
    SELECT claim_id, json_agg(json_build_array(account, currency, held) ORDER BY account, currency)::text
      FROM (SELECT t.claim_id, p.account, p.currency, -sum(p.amount_minor)::bigint AS held
              FROM ledger_postings p JOIN ledger_transfers t USING (transfer_id)
             WHERE p.account LIKE 'reserves%'
             GROUP BY 1, 2, 3 HAVING sum(p.amount_minor) <> 0) AS standing
     GROUP BY claim_id
    """,
    # A draw was [account, reserved, drawn]; what was reserved beyond it is in the table above now.
    """
    UPDATE payments SET draws = coalesce((
        SELECT json_agg(json_build_array(one -> 0, one -> 2))::text
          FROM json_array_elements(draws::json) AS one WHERE (one ->> 2)::bigint <> 0), '[]')
    """,
)


def upgrade() -> None:
    for statement in RESERVES:
        op.execute(statement)


def downgrade() -> None:
    op.execute("""
        UPDATE payments SET draws = coalesce((
            SELECT json_agg(json_build_array(one -> 0, one -> 1, one -> 1))::text
              FROM json_array_elements(draws::json) AS one), '[]')
    """)
    op.execute("DROP TABLE reserves")
