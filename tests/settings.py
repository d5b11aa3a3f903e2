"""Settings of the test runs: fixed keys, fast hashing, mail kept in memory. Both databases: set DATABASE_URL."""

import os

os.environ["DEBUG"] = "true"
os.environ.setdefault("VAR_DIR", "/nonexistent-so-that-no-local-env-file-is-read")
os.environ["PUBLIC_URL"] = "http://testserver"
os.environ.setdefault("DATABASE_URL", "sqlite:////tmp/postpurchase-tests.sqlite3")

from postpurchase.settings import *  # noqa: F403

DEBUG = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ALLOWED_PRIVATE_HOSTS = ["127.0.0.1", "localhost"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
