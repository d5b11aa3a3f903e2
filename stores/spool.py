"""Deliveries that came while the database was away: kept as files, and taken in once it is back.

A file is whole and on the disk before the shop hears 200. It is removed only after its row is committed; dying in between
takes it in twice, which the row's key makes one.
"""

import base64
import json
import logging
import os
import secrets
from datetime import datetime
from pathlib import Path

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import Error

from postpurchase import clock, killpoints
from postpurchase.crypto import cipher
from stores import inbox

log = logging.getLogger(__name__)
MAX_FILES, MAX_BYTES = 20_000, 256 * 1024 * 1024
# Whose endpoint this process does not remember cannot be checked before the database is back: a stranger may have sent it.
MAX_UNCHECKED = 500
_CHECKED, _UNCHECKED, _UNREADABLE = ".checked", ".unchecked", ".unreadable"


def folder() -> Path:
    """Where the files lie."""
    return Path(settings.VAR_DIR) / "spool"


def keep(token: str, *, signature: str, delivery: str, body: bytes, checked: bool) -> bool:
    """Put a delivery aside, encrypted. False when it could not be made durable or the spool is full."""
    kind = _CHECKED if checked else _UNCHECKED
    told = {"token": token, "signature": signature, "delivery": delivery, "at": clock.now().isoformat()}
    sealed = cipher().encrypt(json.dumps({**told, "body": base64.b64encode(body).decode()}).encode())
    name = f"{clock.now().strftime('%Y%m%dT%H%M%S%f')}-{secrets.token_hex(8)}{kind}"
    place = folder()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        waiting = _waiting()
        unchecked = sum(1 for path in waiting if path.suffix == _UNCHECKED)
        if len(waiting) >= MAX_FILES or sum(path.stat().st_size for path in waiting) + len(sealed) > MAX_BYTES:
            return False
        if not checked and unchecked >= MAX_UNCHECKED:
            return False
        part = place / f".{name}"
        with part.open("xb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        part.rename(place / name)
        entry = os.open(place, os.O_RDONLY)
        try:
            os.fsync(entry)
        finally:
            os.close(entry)
    except OSError:
        log.exception("a webhook delivery could not be put aside")
        return False
    return True


def waiting() -> int:
    """How many deliveries wait in files."""
    return len(_waiting())


def unreadable() -> int:
    """How many were put out of the way because no key fits them."""
    return sum(1 for _path in folder().glob(f"*{_UNREADABLE}"))


def take_in(budget_seconds: float = 20.0) -> int:
    """Bring the files into the inbox, oldest first; how many were. Stops when the database is still away."""
    ends = clock.monotonic() + budget_seconds
    done = 0
    for path in _waiting():
        if clock.monotonic() >= ends:
            break
        try:
            told = json.loads(cipher().decrypt(path.read_bytes()))
        except FileNotFoundError:
            # Another worker was quicker.
            continue
        except (InvalidToken, ValueError):
            # FIELD_KEYS may have lost a key: kept, but out of the way.
            log.error(
                "the spooled delivery %s cannot be read with the present FIELD_KEYS; it is kept beside", path.name
            )
            path.rename(path.with_suffix(_UNREADABLE))
            continue
        body = base64.b64decode(told["body"])
        try:
            _accept(told, body)
        except Error:
            break
        killpoints.reach("spool.accepted")
        path.unlink(missing_ok=True)
        done += 1
    return done


def _accept(told: dict[str, str], body: bytes) -> None:
    endpoint = inbox.endpoint_of(told["token"])
    if endpoint is None:
        return
    if not inbox.is_signed(body, told["signature"], endpoint.secret):
        inbox.refuse(endpoint)
        return
    inbox.accept(endpoint, delivery=told["delivery"], body=body, at=datetime.fromisoformat(told["at"]))


def _waiting() -> list[Path]:
    try:
        return sorted(
            path for path in folder().iterdir() if path.suffix in {_CHECKED, _UNCHECKED} and path.name[0] != "."
        )
    except FileNotFoundError:
        return []
