# ruff: noqa: INP001 - a script in an image, part of no package
"""Make the database cluster if the volume has none yet, then become PostgreSQL.

LAB_DB_PASSWORD_FILE is where the password of the user `lab` lies, who owns the database `lab`. It is set when the
cluster is made: a volume keeps the one it began with. LAB_DB_MAX_CONNECTIONS takes the place of what postgresql.conf
says of connections.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

VOLUME = Path("/var/lib/postgresql")
CLUSTER = VOLUME / "main"
LOCK = CLUSTER / "postmaster.pid"
INCOMPLETE = VOLUME / "incomplete"
NAME = "lab"


def make_cluster(password: str) -> None:
    """Make the cluster with its user and database; interrupted at any moment, it is made anew at the next start."""
    shutil.rmtree(INCOMPLETE, ignore_errors=True)
    password_file = Path("/tmp/password")  # noqa: S108 - the container's own tmpfs
    password_file.write_text(password, encoding="utf-8")
    try:
        _must(
            *("initdb", "--pgdata", str(INCOMPLETE), "--username", NAME, "--pwfile", str(password_file)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--data-checksums"),
        )
    finally:
        password_file.unlink()
    _must("postgres", "--single", "-D", str(INCOMPLETE), "postgres", words=f"CREATE DATABASE {NAME};\n")
    INCOMPLETE.rename(CLUSTER)


def _must(*command: str, words: str = "") -> None:
    done = subprocess.run(command, input=words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"postgres: {command[0]} failed with {done.returncode}:\n{done.stderr.strip()}")


def main() -> None:
    """Become PostgreSQL."""
    if not CLUSTER.exists():
        file = os.environ.get("LAB_DB_PASSWORD_FILE")
        if not file:
            sys.exit("postgres: LAB_DB_PASSWORD_FILE is not set; a new cluster needs it")
        make_cluster(Path(file).read_text(encoding="utf-8").strip())
    # No other container has this volume, and nothing of this one runs yet: a lock is what a crash has left. Its process
    # id may be that of a health check by now, and PostgreSQL would then refuse to start.
    LOCK.unlink(missing_ok=True)
    files = ["-c", "config_file=/lab/postgresql.conf", "-c", "hba_file=/lab/pg_hba.conf"]
    most = os.environ.get("LAB_DB_MAX_CONNECTIONS")
    limit = ["-c", f"max_connections={most}"] if most else []
    os.execvp("postgres", ["postgres", "-D", str(CLUSTER), *files, *limit])  # noqa: S606, S607 - no shell; PATH is the image's


if __name__ == "__main__":
    main()
