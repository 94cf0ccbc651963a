"""A PostgreSQL server of a test's own."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from perf.processes import free_port

PASSWORD = "not-in-any-command"  # noqa: S105 - of a database that lives as long as its test


@contextmanager
def server() -> Iterator[str]:
    """Give the address, with its password, of a PostgreSQL server that answers."""
    programs = [shutil.which("postgres"), *Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    program = next((Path(each) for each in programs if each), None)
    if not program:
        pytest.skip("needs Debian's postgresql: `make test` installs it where it runs as root")
    owner = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder, secret = Path(name), Path(name) / "secret"
        secret.write_text(PASSWORD)
        for path in (folder, secret):
            shutil.chown(path, owner or os.geteuid())
        initdb = [program.with_name("initdb"), "-D", folder / "data", "-U", "nadlab", "-A", "scram-sha-256"]
        subprocess.run([*map(str, initdb), "--pwfile", str(secret)], user=owner, check=True, capture_output=True)
        database = ["-D", folder / "data", "-k", folder, "-h", "127.0.0.1", "-p", str(port)]
        with subprocess.Popen([program, *map(str, database)], user=owner, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and not (folder / f".s.PGSQL.{port}").exists():
                time.sleep(0.05)
            yield f"postgresql://nadlab:{PASSWORD}@127.0.0.1:{port}/postgres"
            process.terminate()
