"""From a shop's answer to JSON or to the error that it means; pure.

Shops print notices before and after their JSON, answer with pages of firewalls, cut answers short, and use codes and
texts that differ by version and language. So status and shape decide first, codes second, texts last.
"""

import codecs
import html
import json
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from postpurchase import clock
from postpurchase.http import Answer
from stores.woo.errors import (
    Blocked,
    Duplicate,
    Invalid,
    KeysRefused,
    Missing,
    ReadOnlyKeys,
    ToldToWait,
    Unreachable,
    WooError,
)

WAIT_AT_MOST = 3600.0
WAIT_BY_DEFAULT = 60.0
# Where the JSON begins behind a notice: at a line's or a tag's end, and looking like JSON.
_START = re.compile(r"(?:^|[\s>])([\[{])(?=\s*[\"{\[\]}])")
_decoder = json.JSONDecoder()
_KEPT = "Nothing was lost; it is tried again by itself."


def parse(body: bytes) -> tuple[Any, str]:
    """The JSON of an answer and the junk that stood around it ("" when it was clean). ValueError when there is none.

    Junk is only stepped over before the first thing that looks like JSON, so that a cut answer is never taken for one
    of the objects inside it.
    """
    try:
        return orjson.loads(body), ""
    except orjson.JSONDecodeError:
        # It is strict, and shops are not: a byte order mark, half a character, NaN.
        pass
    try:
        return json.loads(body), "byte order mark" if body.startswith(codecs.BOM_UTF8) else ""
    except ValueError:
        pass
    text = body.decode("utf-8", "replace")
    clean = text.lstrip("\ufeff \t\r\n\x00")
    if clean[:1] in {"{", "["}:
        begin = len(text) - len(clean)
    else:
        found = _START.search(text)
        if not found:
            raise ValueError("no JSON")
        begin = found.start(1)
    value, end = _decoder.raw_decode(text, begin)
    junk = (text[:begin] + text[end:]).strip() or "byte order mark"
    return value, junk[:300]


def plain(text: str) -> str:
    """A name that the shop sent HTML-escaped, as plain text."""
    return re.sub(r"<[^>]*>", "", html.unescape(text)).strip()


def wait_seconds(header: str | None) -> float | None:
    """What a Retry-After header asks for, in seconds up to an hour; None when it says nothing that can be read."""
    text = (header or "").strip()
    if text.isdecimal():
        return min(max(float(text[:12]), 1.0), WAIT_AT_MOST)
    try:
        until = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max((until - clock.now()).total_seconds(), 1.0), WAIT_AT_MOST)


def read(answer: Answer, *, method: str, key_reads: bool) -> tuple[Any, str]:
    """The JSON of a good answer with its junk; else raises the WooError that the answer means.

    `key_reads`: these keys have read something before, so a refused write tells of read-only keys in any language.
    """
    try:
        value, junk = parse(answer.body)
    except (ValueError, RecursionError):
        raise _no_json(answer) from None
    if 200 <= answer.status < 300:
        return value, junk
    raise _refused(answer, value if isinstance(value, dict) else {}, method=method, key_reads=key_reads)


def _told(answer: Answer) -> ToldToWait | None:
    if answer.status not in {429, 503}:
        return None
    seconds = wait_seconds(answer.headers.get("Retry-After"))
    if seconds is None and answer.status == 503:
        return None
    return ToldToWait(
        f"The shop asks for a pause of {seconds or WAIT_BY_DEFAULT:.0f} seconds. {_KEPT}",
        seconds=seconds or WAIT_BY_DEFAULT,
        status=answer.status,
    )


def _moved(headers: Mapping[str, str], status: int) -> Blocked:
    target = headers.get("Location", "").split("?")[0][:200]
    return Blocked(
        f"The shop's address now leads to another one ({target}). Nothing was sent there. "
        "Connect the store again with its present address.",
        code="moved",
        status=status,
    )


def _no_json(answer: Answer) -> WooError:
    status, start = answer.status, answer.body[:4096].lstrip().lower()
    if told := _told(answer):
        return told
    if 300 <= status < 400:
        return _moved(answer.headers, status)
    if status in {500, 502, 504}:
        return Unreachable(f"The shop answered with an error of its own ({status}). {_KEPT}", code="", status=status)
    looks_html = start.startswith(b"<") or b"<html" in start or "html" in answer.headers.get("Content-Type", "")
    if looks_html and start:
        code = "modsecurity" if status == 501 else "blocked"
        return Blocked(
            f"A web page came where the shop's data was due (status {status}): a firewall, a security plugin or a "
            f"maintenance page stands in front of the shop. {_KEPT} Let the plugin or the host allow this program.",
            code=code,
            status=status,
        )
    if status >= 400:
        return Blocked(f"The shop's server refused the call (status {status}). {_KEPT}", code="blocked", status=status)
    what = "an empty answer" if not start else "an answer that was cut short"
    return Unreachable(f"The shop gave {what}. {_KEPT}", code="unreadable", status=status)


def _refused(answer: Answer, body: dict[str, Any], *, method: str, key_reads: bool) -> WooError:
    status = answer.status
    code, said = str(body.get("code") or "")[:100], str(body.get("message") or "")[:300]
    writes = method not in {"GET", "HEAD"}
    if told := _told(answer):
        return told
    if 300 <= status < 400:
        return _moved(answer.headers, status)
    if status == 401:
        return _keys(code, said, writes=writes, key_reads=key_reads)
    if status == 403:
        if not code.startswith(("woocommerce_", "rest_")):
            return Blocked(
                f"A security plugin refused the call ({code or status}). {_KEPT}", code="blocked", status=403
            )
        kind = ReadOnlyKeys if writes else KeysRefused
        return kind(
            "The user of these keys may not do this in the shop. Nothing was lost. "
            "Make keys for a user who is an administrator or shop manager.",
            code="no_right",
            status=403,
        )
    if code == "rest_no_route":
        # The route is missing, not the object: WooCommerce is switched off, or a version without this list.
        return Unreachable(f"The shop does not know this address of its own. {_KEPT}", code=code, status=status)
    if status in {404, 410} or (status == 400 and code.endswith("_invalid_id")):
        return Missing(f"This is not in the shop any more ({said or status}).", code=code, status=status)
    if status == 409 or code.endswith(("_already_exists", "_duplicate", "email-exists")):
        return Duplicate(f"The shop already has it: {said}", code=code, status=status)
    if status == 500 and isinstance(body.get("data"), int):
        return Invalid(f"The shop refused this: {said}", code=code, status=status)
    if status in {500, 502, 503, 504, 408}:
        return Unreachable(f"The shop answered with an error of its own ({status}). {_KEPT}", code=code, status=status)
    if status == 406 or status == 455:
        return Blocked(f"The shop's server refused the call (status {status}). {_KEPT}", code="blocked", status=status)
    return Invalid(f"The shop refused this: {said or status}", code=code, status=status)


def _keys(code: str, said: str, *, writes: bool, key_reads: bool) -> KeysRefused:
    lower = said.lower()
    if writes and ("write permission" in lower or key_reads):
        return ReadOnlyKeys(
            "These keys may read but not write. Nothing was lost; reading goes on. "
            "To write coupons and reviews, make keys with read and write permission.",
            code="read_only_keys",
            status=401,
        )
    if "read permission" in lower:
        return KeysRefused(
            "These keys may write but not read. Nothing was lost. Make keys with read and write permission.",
            code="write_only_keys",
            status=401,
        )
    return KeysRefused(
        "The shop does not accept these keys: the key or the secret is wrong or was deleted, or the shop's server drops "
        "the Authorization header. Nothing was lost. Make new keys under WooCommerce, Settings, Advanced, REST API.",
        code="keys_refused" if code != "woocommerce_rest_authentication_error" else "secret_refused",
        status=401,
    )
