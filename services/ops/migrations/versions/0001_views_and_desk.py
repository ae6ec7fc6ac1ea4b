"""The runner's tables, the views (rebuilt from the topics at will) and the desk's rows (the only place that knows)."""

from __future__ import annotations

from alembic import op

from messaging.stores.migration import RUNNER_DROPS, RUNNER_TABLES

revision = "0001"
down_revision = None

_VIEWS = (
    """CREATE TABLE view_claims (claim_id uuid PRIMARY KEY, reference text NOT NULL, policy_number text,
    state text NOT NULL, doc json NOT NULL) WITH (fillfactor = 60)""",
    "CREATE INDEX view_claims_reference ON view_claims (reference)",
    "CREATE INDEX view_claims_policy ON view_claims (policy_number)",
    "CREATE INDEX view_claims_state ON view_claims (state, claim_id)",
    """CREATE TABLE view_events (event_id uuid PRIMARY KEY, claim_id uuid NOT NULL, type text NOT NULL,
    writer text NOT NULL, sequence bigint NOT NULL, cause_id uuid NOT NULL, time timestamptz NOT NULL,
    topic text NOT NULL, partition int NOT NULL, log_offset bigint NOT NULL, appended_at timestamptz NOT NULL,
    trace_id text, facts json NOT NULL)""",
    "CREATE INDEX view_events_claim ON view_events (claim_id, appended_at, time, sequence)",
    """CREATE TABLE view_ids (id text, kind text, claim_id uuid, PRIMARY KEY (id, kind, claim_id))""",
    """CREATE TABLE view_parties (claim_id uuid, who text, subject_id uuid NOT NULL, key_id uuid NOT NULL,
    box text NOT NULL, PRIMARY KEY (claim_id, who))""",
    "CREATE INDEX view_parties_subject ON view_parties (subject_id)",
)
_DESK = (
    """CREATE TABLE desk_reviews (review_id uuid PRIMARY KEY, claim_id uuid NOT NULL,
    referral_event_id uuid NOT NULL UNIQUE, person_id text NOT NULL, request_hash text NOT NULL, answer text NOT NULL,
    recorded_at timestamptz NOT NULL, published boolean NOT NULL DEFAULT false)""",
    "CREATE INDEX desk_reviews_claim ON desk_reviews (claim_id)",
    """CREATE TABLE desk_orders (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    command_id uuid NOT NULL UNIQUE, request_hash text NOT NULL, doc bytea NOT NULL, recorded_at timestamptz NOT NULL,
    sent boolean NOT NULL DEFAULT false)""",
    "CREATE INDEX desk_orders_unsent ON desk_orders (number) WHERE NOT sent",
    """CREATE TABLE desk_audit (audit_id uuid PRIMARY KEY, action text NOT NULL, claim_id uuid, subject_id uuid,
    person_id text NOT NULL, reason text NOT NULL, at timestamptz NOT NULL)""",
    "CREATE INDEX desk_audit_subject ON desk_audit (subject_id, at)",
)


def upgrade() -> None:
    for statement in (*RUNNER_TABLES, *_VIEWS, *_DESK):
        op.execute(statement)


def downgrade() -> None:
    tables = ("view_claims", "view_events", "view_ids", "view_parties", "desk_reviews", "desk_orders", "desk_audit")
    for name in tables:
        op.execute(f"DROP TABLE IF EXISTS {name}")
    for statement in RUNNER_DROPS:
        op.execute(statement)
