"""Makes what services expect to find, once: the topics of the registry and, if there is none yet, the master key.

Environment: CLAIMFLOW_KAFKA, CLAIMFLOW_PARTITIONS, CLAIMFLOW_MASTER_KEY_FILE, CLAIMFLOW_LOCAL_REPLICAS (default 1).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hosting.exits import CannotStartError, Exit
from hosting.settings import SharedSettings, load_settings
from messaging.kafka_client.admin import AdminError, TopicAdmin
from messaging.kafka_client.log import kafka_settings
from privacy.errors import MasterKeyError
from privacy.master_key import create_master_key_file, load_master_keys
from schemas.topics import registry


def main() -> int:
    """Everything, in order; the exit code."""
    try:
        settings = load_settings(SharedSettings, None)
        if settings.master_key_file is None:
            raise CannotStartError("CLAIMFLOW_MASTER_KEY_FILE is not set", Exit.usage)
        if not Path(settings.master_key_file).exists():
            create_master_key_file(settings.master_key_file, os.urandom)
        load_master_keys(settings.master_key_file)
        replicas = int(os.environ.get("CLAIMFLOW_LOCAL_REPLICAS", "1"))
        for change in TopicAdmin(kafka_settings(settings, "prepare"), replicas).apply(registry(settings.partitions)):
            print(change)
    except (CannotStartError, MasterKeyError, AdminError) as refused:
        print(f"prepare: {refused}", file=sys.stderr)
        return int(getattr(refused, "code", Exit.unavailable))
    return int(Exit.done)


if __name__ == "__main__":
    sys.exit(main())
