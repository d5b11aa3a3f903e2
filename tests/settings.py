"""Settings of the test runs: fixed keys, fast hashing, mail kept in memory. Both databases: set DATABASE_URL."""

import os
import tempfile

os.environ["DEBUG"] = "true"
os.environ.setdefault("VAR_DIR", "/nonexistent-so-that-no-local-env-file-is-read")
os.environ["PUBLIC_URL"] = "http://testserver"
os.environ.setdefault("DATABASE_URL", "sqlite:////tmp/postpurchase-tests.sqlite3")

from postpurchase.settings import *  # noqa: F403

DEBUG = False
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # A file, as in production: the in-memory one is shared between threads and locks differently.
    DATABASES["default"]["TEST"] = {"NAME": f"{tempfile.gettempdir()}/postpurchase-tests-{os.getpid()}.sqlite3"}  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ALLOWED_PRIVATE_HOSTS = ["127.0.0.1", "localhost"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Its own tests give it a folder.
SEND_JOURNAL = ""
