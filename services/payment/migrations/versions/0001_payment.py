"""The runner's tables, the payment files, and a ledger that the database itself keeps balanced and append-only."""

from alembic import op

from messaging.stores.migration import RUNNER_DROPS, RUNNER_TABLES

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

FILES = (
    "CREATE TABLE payees (claim_id uuid PRIMARY KEY, reference text NOT NULL, payee text NOT NULL)",
    """
    CREATE TABLE payments (
        payment_id     uuid PRIMARY KEY,
        claim_id       uuid NOT NULL,
        decision_id    uuid NOT NULL,
        kind           text NOT NULL,
        amount_minor   bigint NOT NULL CHECK (amount_minor > 0),
        currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
        status         text NOT NULL CHECK (status IN ('instructed', 'in_doubt', 'paid', 'rejected', 'held', 'disputed',
                                                       'superseded')),
        decided_at     timestamptz NOT NULL,
        draws          text NOT NULL,
        hold_reason    text,
        instruction_id uuid,
        CONSTRAINT one_payment_of_a_kind_for_a_decision UNIQUE (decision_id, kind),
        CONSTRAINT pending_payments_have_an_instruction
            CHECK (instruction_id IS NOT NULL OR status IN ('held', 'superseded'))
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX payments_of_claim ON payments (claim_id)",
    """
    CREATE TABLE instructions (
        instruction_id uuid PRIMARY KEY,
        payment_id     uuid NOT NULL,
        attempt        int NOT NULL CHECK (attempt > 0),
        end_to_end_id  text NOT NULL UNIQUE CHECK (end_to_end_id ~ '^[0-9a-f]{32}$'),
        amount_minor   bigint NOT NULL CHECK (amount_minor > 0),
        currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
        bank_reference text,
        refusal_code   text,
        settled_at     timestamptz,
        UNIQUE (payment_id, attempt)
    ) WITH (fillfactor = 70)
    """,
)
LEDGER = (
    """
    CREATE TABLE ledger_transfers (
        transfer_id uuid PRIMARY KEY,
        number      bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        claim_id    uuid NOT NULL,
        purpose     text NOT NULL,
        postings    int NOT NULL CHECK (postings >= 2),
        booked_at   timestamptz NOT NULL
    )
    """,
    "CREATE INDEX ledger_transfers_of_claim ON ledger_transfers (claim_id)",
    """
    CREATE TABLE ledger_postings (
        transfer_id  uuid NOT NULL,
        account      text NOT NULL,
        currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
        amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
        PRIMARY KEY (transfer_id, account, currency)
    )
    """,
    # A statement posts whole transfers. Checked once a statement over its new rows: a check per row would cost a query
    # for each posting.
    """
    CREATE FUNCTION ledger_check_postings() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM fresh GROUP BY transfer_id, currency HAVING sum(amount_minor) <> 0) THEN
            RAISE EXCEPTION 'debits and credits of a transfer must be equal in each currency'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF EXISTS (
            SELECT FROM (SELECT transfer_id, count(*) AS posted FROM fresh GROUP BY transfer_id) AS incoming
              LEFT JOIN ledger_transfers USING (transfer_id)
             WHERE postings IS DISTINCT FROM posted
                OR posted <> (SELECT count(*) FROM ledger_postings AS p WHERE p.transfer_id = incoming.transfer_id)
        ) THEN
            RAISE EXCEPTION 'a transfer is posted whole, once'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER postings_are_balanced AFTER INSERT ON ledger_postings
        REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_postings()
    """,
    """
    CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the ledger is append-only: post a correcting transfer instead'
            USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    *(
        f"""
        CREATE TRIGGER {table}_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()
        """
        for table in ("ledger_transfers", "ledger_postings")
    ),
)


def upgrade() -> None:
    for statement in (*RUNNER_TABLES, *FILES, *LEDGER):
        op.execute(statement)


def downgrade() -> None:
    for table in ("ledger_postings", "ledger_transfers", "instructions", "payments", "payees"):
        op.execute(f"DROP TABLE {table}")
    for function in ("ledger_check_postings", "ledger_refuse_change"):
        op.execute(f"DROP FUNCTION {function}")
    for statement in RUNNER_DROPS:
        op.execute(statement)
