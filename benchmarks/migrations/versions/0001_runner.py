"""The runner's tables alone: the measured stage keeps nothing of its own."""

from alembic import op

from messaging.stores.migration import RUNNER_DROPS, RUNNER_TABLES

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in RUNNER_TABLES:
        op.execute(statement)


def downgrade() -> None:
    for statement in reversed(RUNNER_DROPS):
        op.execute(statement)
