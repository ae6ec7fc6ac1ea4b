"""The runner's tables as PostgreSQL statements, for the first Alembic migration of every service with a stage.

Several stages of one service share these tables, so each row names its stage. A change is a new migration.
"""

from __future__ import annotations

_RECORD = """topic text NOT NULL, partition int NOT NULL, log_offset bigint NOT NULL, timestamp_ms bigint NOT NULL,
    key bytea, value bytea, headers text NOT NULL"""

RUNNER_TABLES: tuple[str, ...] = (
    """CREATE TABLE runner_positions (stage text, topic text, partition int, next_offset bigint NOT NULL,
    topic_id text NOT NULL, starts int NOT NULL DEFAULT 0, attempts int NOT NULL DEFAULT 0,
    PRIMARY KEY (stage, topic, partition)) WITH (fillfactor = 40)""",
    """CREATE TABLE runner_claims (stage text, claim_id uuid, partition int NOT NULL, next_sequence bigint NOT NULL,
    applied text NOT NULL, after text NOT NULL, queued boolean NOT NULL, blocked text, due_at timestamptz,
    PRIMARY KEY (stage, claim_id)) WITH (fillfactor = 60)""",
    """CREATE INDEX runner_claims_standing ON runner_claims (stage, partition, due_at)
    WHERE queued OR blocked IS NOT NULL""",
    """CREATE TABLE runner_answers (stage text, event_id uuid, claim_id uuid, topic text NOT NULL,
    partition int NOT NULL, sequence bigint, cause_id uuid NOT NULL, key bytea, value bytea, headers text NOT NULL,
    stored_at timestamptz NOT NULL, PRIMARY KEY (stage, event_id))""",
    # Beside the answers and not in them: a mark deletes a small row instead of writing a large one again.
    """CREATE TABLE runner_unmarked (stage text, event_id uuid, claim_id uuid, partition int NOT NULL,
    PRIMARY KEY (stage, event_id))""",
    "CREATE INDEX runner_unmarked_partition ON runner_unmarked (stage, partition)",
    "CREATE INDEX runner_unmarked_claim ON runner_unmarked (stage, claim_id)",
    "CREATE INDEX runner_answers_stored ON runner_answers USING brin (stored_at) WITH (autosummarize = on)",
    f"""CREATE TABLE runner_queue (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stage text NOT NULL,
    claim_id uuid NOT NULL, {_RECORD}, UNIQUE (stage, topic, partition, log_offset))""",
    "CREATE INDEX runner_queue_claim ON runner_queue (stage, claim_id, number)",
    """CREATE TABLE runner_work (stage text, work_id uuid, kind text NOT NULL, claim_id uuid NOT NULL,
    payload text NOT NULL, due_at timestamptz NOT NULL, event_id uuid, attempt int NOT NULL DEFAULT 0, token uuid,
    leased_until timestamptz, PRIMARY KEY (stage, work_id))""",
    "CREATE INDEX runner_work_due ON runner_work (stage, kind, due_at) WHERE event_id IS NULL",
    "CREATE INDEX runner_work_event ON runner_work (stage, event_id) WHERE event_id IS NOT NULL",
    """CREATE TABLE runner_commands (stage text, command_id uuid, taken_at timestamptz NOT NULL, outcome text,
    detail text, PRIMARY KEY (stage, command_id))""",
    f"""CREATE TABLE runner_dead_letters (stage text, dead_letter_id uuid, claim_id uuid, {_RECORD},
    code text NOT NULL, error_class text NOT NULL, fingerprint text NOT NULL, attempts int NOT NULL,
    first_at timestamptz NOT NULL, last_at timestamptz NOT NULL, state text NOT NULL,
    PRIMARY KEY (stage, dead_letter_id), UNIQUE (stage, topic, partition, log_offset))""",
    "CREATE INDEX runner_dead_letters_open ON runner_dead_letters (stage) WHERE state = 'open'",
)
RUNNER_DROPS: tuple[str, ...] = tuple(
    f"DROP TABLE IF EXISTS runner_{name}"
    for name in ("positions", "claims", "answers", "unmarked", "queue", "work", "commands", "dead_letters")
)
