"""Encryption of store secrets at rest, with key rotation.

Keys come from FIELD_KEYS, newest first. Values are written with the first and read with any.
"""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from postpurchase.errors import BusinessError


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """The cipher over the present FIELD_KEYS."""
    return _fernet(tuple(settings.FIELD_KEYS))


def encrypt(plain: str) -> str:
    """Text to a token of the newest key."""
    return cipher().encrypt(plain.encode()).decode()


def decrypt(token: str) -> str:
    """A token of any present key to text; BusinessError `field_key_missing` when no key fits."""
    return decrypt_bytes(token).decode()


def decrypt_bytes(token: str) -> bytes:
    """A token of any present key to bytes; BusinessError `field_key_missing` when no key fits."""
    try:
        return cipher().decrypt(token.encode())
    except InvalidToken as error:
        raise BusinessError(
            "A stored secret cannot be read with the present FIELD_KEYS. Nothing was changed. "
            "Put the earlier key back behind the new one, then run `manage.py rotate_keys`.",
            "field_key_missing",
        ) from error


class EncryptedTextField(models.TextField):
    """Text that is encrypted in the database and plain in Python. Empty stays empty. Cannot be filtered by."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return encrypt(value) if value else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return decrypt(value) if value else value

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name not in {"isnull"}:
            raise TypeError("An encrypted field cannot be searched.")
        return super().get_lookup(lookup_name)


class EncryptedBytesField(EncryptedTextField):
    """As EncryptedTextField, for bytes as they came."""

    def get_prep_value(self, value: Any) -> Any:
        return cipher().encrypt(bytes(value)).decode() if value else ""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return decrypt_bytes(value) if value else b""
