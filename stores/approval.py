"""Connecting by one approval in WooCommerce (wc-auth): asked for, answered, and proven when the person is back.

The shop posts the keys to us before it sends the person back, and tells only a token of ours with them: not which shop it
is. So a token is random, good for one set of keys, and bound to the person, the session and the address that were asked
for. What comes is kept and answered; it counts once the person is back in that session and the keys read that shop.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import connect, selftest
from stores.access import STORE_CONNECT, permissions_of
from stores.connect import ConnectRefused
from stores.models import ConnectAttempt, Store, User
from stores.woo.probe import Probe, Step

GOOD_FOR = timedelta(hours=1)
MAX_BODY = 16 * 1024
APP_NAME = "Postpurchase"
_KEY, _SECRET = re.compile(r"ck_[A-Za-z0-9]{16,80}"), re.compile(r"cs_[A-Za-z0-9]{16,80}")
State = ConnectAttempt.State


def possible() -> bool:
    """Whether WooCommerce would send keys to our address: only to https; of plain http only this machine's own."""
    ours = urlsplit(settings.PUBLIC_URL)
    if ours.scheme == "https":
        return True
    allowed = settings.DEBUG or ours.hostname in settings.ALLOWED_PRIVATE_HOSTS
    return selftest.is_local(settings.PUBLIC_URL) and allowed


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def may_connect(user: User, store: Store | None) -> bool:
    """Whether the person may connect this store, or a further one when there is none yet."""
    if user.is_superuser:
        return True
    stores = [store] if store else list(Store.objects.filter(members=user))
    return any(STORE_CONNECT in (permissions_of(user, one) or ()) for one in stores)


def ask(
    pasted: str,
    *,
    user: User,
    session_key: str,
    store: Store | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> str:
    """Check a shop without keys and remember that its approval is asked for; the address at which to approve.

    ConnectRefused when a check fails; BusinessError `no_https_here`, `bad_address`.
    """
    if not possible():
        raise BusinessError(
            _(
                "WooCommerce sends keys only to an https address, and this program's is %(url)s. Nothing was changed. "
                "Have the operator set PUBLIC_URL to an https address, or paste API keys instead."
            )
            % {"url": settings.PUBLIC_URL},
            "no_https_here",
        )
    probe = Probe(pasted, key="", secret="", ca=store.ca_file if store else "")
    steps: list[Step] = []
    for step in probe.site():
        steps.append(step)
        if on_step:
            on_step(step)
        if step.state == "bad":
            raise ConnectRefused(steps)
    token = secrets.token_urlsafe(32)
    now = clock.now()
    ConnectAttempt.objects.create(
        token_hash=_hash(token),
        session_hash=_hash(session_key),
        user=user,
        store=store,
        base_url=probe.found.base_url,
        created_at=now,
        expires_at=now + GOOD_FOR,
    )
    asked = {
        "app_name": APP_NAME,
        "scope": "read_write",
        "user_id": token,
        "return_url": settings.PUBLIC_URL + reverse("connect-return"),
        "callback_url": settings.PUBLIC_URL + reverse("connect-callback"),
    }
    return f"{probe.root}/wc-auth/v1/authorize?{urlencode(asked)}"


def receive(body: bytes) -> int:
    """Keep the keys that a shop posts; the status to answer with. Only 200 lets the shop keep the keys.

    400 for what is no such message, 404 for a token that is unknown or over, 409 for a second set of keys. The same
    keys again are answered like the first time.
    """
    told = _message(body)
    if told is None:
        return 400
    token, key, secret = told
    row = ConnectAttempt.objects.filter(token_hash=_hash(token), expires_at__gt=clock.now()).first()
    if row is None:
        return 404
    taken = ConnectAttempt.objects.filter(pk=row.pk, state=State.WAITING).update(
        state=State.RECEIVED, consumer_key=key, consumer_secret=secret
    )
    if taken:
        return 200
    row.refresh_from_db()
    pairs = ((row.consumer_key, key), (row.consumer_secret, secret))
    same = all(hmac.compare_digest(one.encode(), other.encode()) for one, other in pairs)
    return 200 if same else 409


def _message(body: bytes) -> tuple[str, str, str] | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    token, key, secret = (told.get(name) for name in ("user_id", "consumer_key", "consumer_secret"))
    if not (isinstance(token, str) and isinstance(key, str) and isinstance(secret, str)):
        return None
    if not (0 < len(token) <= 200 and _KEY.fullmatch(key) and _SECRET.fullmatch(secret)):
        return None
    return token, key, secret


def _of(user: User, session_key: str) -> dict[str, object]:
    return {"user": user, "session_hash": _hash(session_key), "expires_at__gt": clock.now()}


def come_back(token: str, *, approved: bool, user: User, session_key: str) -> ConnectAttempt:
    """The person returns from the shop: the attempt that they began in this session. BusinessError `unknown_return`."""
    row = ConnectAttempt.objects.filter(token_hash=_hash(token), **_of(user, session_key)).first()
    if row is None:
        raise BusinessError(
            _(
                "This return from a shop belongs to nothing that you asked for here, or more than an hour has passed. "
                "Nothing was changed. Begin again with the address of the store."
            ),
            "unknown_return",
        )
    if not approved:
        ConnectAttempt.objects.filter(pk=row.pk, state=State.WAITING).update(state=State.DENIED)
    ConnectAttempt.objects.filter(pk=row.pk, returned_at=None).update(returned_at=clock.now())
    row.refresh_from_db()
    return row


def find(pk: int, *, user: User, session_key: str) -> ConnectAttempt | None:
    """An attempt of this person and session whose time is not over."""
    return ConnectAttempt.objects.filter(pk=pk, **_of(user, session_key)).first()


def unanswered(*, user: User, session_key: str, store: Store | None) -> ConnectAttempt | None:
    """The newest attempt of this session for which no keys have come, if there is one."""
    newest = ConnectAttempt.objects.filter(store=store, **_of(user, session_key)).order_by("-pk").first()
    return newest if newest and newest.state == State.WAITING else None


def prove(attempt: ConnectAttempt, *, user: User) -> Store | None:
    """Try the keys that came and connect the shop with them; None when there is nothing to try now.

    Once only, and only after the person is back. Whatever comes of it, the keys are kept here no longer. ConnectRefused
    and BusinessError as of `connect.connect`; BusinessError `no_right_here` when the person lost the right meanwhile.
    """
    rows = ConnectAttempt.objects.filter(pk=attempt.pk)
    claimed = rows.filter(state=State.RECEIVED, returned_at__isnull=False, expires_at__gt=clock.now()).update(
        state=State.PROVING
    )
    if not claimed:
        return None
    attempt.refresh_from_db()
    end: dict[str, object] = {"state": State.FAILED, "problem": _("The checks broke off. Nothing was changed.")}
    steps: list[Step] = []
    try:
        if not may_connect(user, attempt.store):
            raise BusinessError(_("You may not connect this store. Nothing was changed."), "no_right_here")
        store = connect.connect(
            attempt.base_url,
            key=attempt.consumer_key,
            secret=attempt.consumer_secret,
            store=attempt.store,
            user=user,
            on_step=steps.append,
        )
        end = {"state": State.DONE, "store": store}
        return store
    except BusinessError as problem:
        end["problem"] = problem.message
        raise
    finally:
        rows.update(consumer_key="", consumer_secret="", steps=[asdict(step) for step in steps], **end)
