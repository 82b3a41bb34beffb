"""Snakemake's lock after a kill -9: freed if the process that held it is gone, kept if it may still be at work.

Snakemake does not write down who holds its lock. So every call of the workflow leaves its own name beside it.
"""

import json
import os
import socket
from pathlib import Path

import psutil

OWNER = "owner.json"


def free_stale_lock(folder: Path) -> bool:
    """Remove the locks in `folder` (.snakemake) if their owner was a process of this host that has ended; return whether it did.

    Then this process is the owner, unless the last one is still alive: Snakemake itself will refuse to run beside it.
    """
    owner = folder / OWNER
    alive = _alive(owner)
    if alive:
        return False
    stale = list((folder / "locks").glob("*.lock")) if alive is False else []
    for lock in stale:
        lock.unlink(missing_ok=True)
    folder.mkdir(exist_ok=True)
    me = psutil.Process()
    owner.write_text(json.dumps({"pid": me.pid, "started": me.create_time(), "host": socket.gethostname()}))
    return bool(stale)


def _alive(owner: Path) -> bool | None:
    """Return whether the owner is alive; None if that cannot be told from here."""
    try:
        named = json.loads(owner.read_text())
        if named["host"] != socket.gethostname():
            return None
        return psutil.Process(named["pid"]).create_time() == named["started"] and named["pid"] != os.getpid()
    except psutil.NoSuchProcess:
        return False
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
