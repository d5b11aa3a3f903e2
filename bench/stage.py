"""A fresh database for one benchmark: SQLite as a file with the production settings, or PostgreSQL."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

POSTGRESQL = os.environ.get("BENCH_POSTGRESQL", "postgres://postgres@127.0.0.1:5432/postgres")


@contextmanager
def database(kind: str) -> Iterator[None]:
    """Set Django up on a migrated, empty database that is removed afterwards. Call once in a process."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ["DEBUG"] = "true"
        os.environ["VAR_DIR"] = folder
        os.environ["LOG_LEVEL"] = "WARNING"
        os.environ["ALLOWED_PRIVATE_HOSTS"] = "127.0.0.1"
        os.environ["DATABASE_URL"] = POSTGRESQL if kind == "postgresql" else f"sqlite:///{folder}/bench.sqlite3"
        os.environ["DJANGO_SETTINGS_MODULE"] = "postpurchase.settings"
        import django

        django.setup()
        from django.conf import settings
        from django.db import connection

        settings.DEBUG = False
        settings.ALLOWED_HOSTS = ["*"]
        settings.SECURE_SSL_REDIRECT = False
        settings.DATABASES["default"]["TEST"] = {"NAME": f"{folder}/test.sqlite3"} if kind == "sqlite" else {}
        connection.settings_dict["TEST"] |= {
            "NAME": f"{folder}/test.sqlite3" if kind == "sqlite" else f"bench_{os.getpid()}"
        }
        old = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, serialize=False)
        try:
            yield
        finally:
            connection.creation.destroy_test_db(old, verbosity=0)
