"""Live checks of a shop before it is connected: named steps, each with cause and fix in the merchant's words."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from postpurchase import clock, http
from stores import overlap, selftest
from stores.woo import abilities, address, decode, diagnosis, freshness
from stores.woo.client import USER_AGENT, Client
from stores.woo.errors import Blocked, Invalid, KeysRefused, ReadOnlyKeys, Unreachable, WooError

PAGE_BYTES = 4 * 1024 * 1024
ASK_SECONDS = 30.0
REDIRECTS = 3
# WooCommerce takes signatures of the last 15 minutes; ours may be a little off, too.
SIGNED_FOR = timedelta(minutes=10)
# Ways of showing keys, the most careful first.
MODES = ("basic", "query", "oauth")


@dataclass(frozen=True)
class Step:
    """One check: `state` ok, warn (goes on, with a drawback) or bad (cannot connect). `fix` is what to do about it."""

    name: str
    label: str
    state: str
    text: str = ""
    fix: str = ""
    code: str = ""


@dataclass
class Found:
    """What the checks learned of the shop."""

    base_url: str = ""
    index_php: bool = False
    mode: str = "basic"
    can_write: bool = True
    webhooks: bool = True
    name: str = ""
    zone: str = "UTC"
    currency: str = ""
    decimals: int = 2
    country: str = ""
    language: str = ""
    capabilities: dict[str, Any] = field(default_factory=dict)
    # The shop's own clock, never ahead of ours.
    now: datetime | None = None


_Check = tuple[str, str, Callable[[], tuple[str, str, str]]]


class _Stop(Exception):
    """A step failed so that no further one makes sense."""

    def __init__(self, text: str, fix: str, code: str) -> None:
        super().__init__(text)
        self.text, self.fix, self.code = text, fix, code

    @classmethod
    def of(cls, found: diagnosis.Diagnosis) -> "_Stop":
        """A step that ends with this diagnosis."""
        return cls(found.text, found.fix, found.code)


class Probe:
    """The checks of one shop. Iterate `steps()`; after a bad step there is no further one. `found` fills on the way."""

    def __init__(self, pasted: str, *, key: str, secret: str, ca: str = "") -> None:
        self.pasted, self.key, self.secret, self.ca = pasted, key.strip(), secret.strip(), ca
        self.found = Found()
        self.client: Client | None = None
        self._session = http.session(ca=ca)
        self._index: dict[str, Any] = {}
        # The first page that came where the index was due.
        self._refused: http.Answer | None = None
        # How far the shop's clock is off ours.
        self._off = timedelta(0)

    def steps(self) -> Iterator[Step]:
        """Run the checks one after the other. BusinessError `bad_address` when what was pasted is no address."""
        yield from self._run(
            [
                *self._without_keys(),
                ("read", _("Keys may read"), self._read),
                ("settings", _("Settings of the shop"), self._settings),
                ("write", _("Keys may write"), self._write),
                ("address", _("Our own address"), self._address),
            ]
        )

    def again(self, mode: str) -> Iterator[Step]:
        """The checks of a connected shop, without writing. Keys are never shown in a less careful way than `mode`."""
        modes = MODES[: MODES.index(mode) + 1]
        yield from self._run(
            [
                *self._without_keys(),
                ("read", _("Keys may read"), lambda: self._read(modes)),
                ("settings", _("Settings of the shop"), self._settings),
                ("address", _("Our own address"), self._address),
            ]
        )

    def site(self) -> Iterator[Step]:
        """Only the checks that need no keys, as before asking for approval."""
        yield from self._run([*self._without_keys(), ("address", _("Our own address"), self._address)])

    @property
    def root(self) -> str:
        """What the shop's addresses begin with, once it was found."""
        return self.found.base_url + ("/index.php" if self.found.index_php else "")

    def _without_keys(self) -> list[_Check]:
        bases = address.candidates(self.pasted)
        return [
            ("reachable", _("Shop answers"), lambda: self._reachable(bases)),
            ("https", _("HTTPS"), self._https),
            ("wordpress", _("WordPress and its REST API"), self._wordpress),
            ("woocommerce", _("WooCommerce"), self._woocommerce),
        ]

    def _run(self, checks: list[_Check]) -> Iterator[Step]:
        for name, label, check in checks:
            try:
                text, fix, code = check()
            except _Stop as stop:
                yield Step(name, label, "bad", stop.text, stop.fix, stop.code)
                return
            except WooError as error:
                found = diagnosis.of_error(error)
                yield Step(name, label, "bad", found.text, found.fix, found.code)
                return
            yield Step(name, label, "warn" if code else "ok", text, fix, code)

    # Each check gives (text, fix, code); a code makes it a warning, _Stop a failure.

    def _ask(self, url: str) -> tuple[http.Answer, str]:
        """GET without keys, following redirects within the site; the answer and where it came from."""
        for _hop in range(REDIRECTS + 1):
            answer = http.call(
                self._session, "GET", url, headers={"User-Agent": USER_AGENT}, max_bytes=PAGE_BYTES, seconds=ASK_SECONDS
            )
            self.found.now = _their_clock(answer.headers.get("Date", ""))
            if (told := freshness.told_at(answer.headers)) is not None:
                self._off = told - clock.now()
            target = urljoin(url, answer.headers.get("Location", ""))
            if not 300 <= answer.status < 400 or target == url or not address.same_site(url, target):
                return answer, url
            url = target
        return answer, url

    def _reachable(self, bases: list[str]) -> tuple[str, str, str]:
        problem: http.NoAnswer | None = None
        answers = False
        for base in bases:
            if base.startswith("http://") and self.found.base_url.startswith("https://"):
                break
            try:
                found = self._rest_root(base)
            except http.NoAnswer as error:
                problem = problem if problem and problem.kind == "tls" else error
                continue
            answers = True
            self.found.base_url = self.found.base_url or base
            if found:
                return (self.found.base_url, "", "")
        if answers:
            return (self.found.base_url, "", "")
        if problem and problem.kind == "tls":
            raise _Stop(
                _("The shop's certificate is not trusted, so nobody could be sure to talk to the shop."),
                _("Have the host renew the certificate. For an own authority give its file with --ca."),
                "no_https",
            )
        if problem and problem.kind == "time_out":
            raise _Stop.of(diagnosis.time_out())
        raise _Stop(
            _("There is no answer at this address."),
            _(
                "Look for a typing error. If the shop stands in your own network, the operator has to name it in "
                "ALLOWED_PRIVATE_HOSTS."
            ),
            "unreachable",
        )

    def _rest_root(self, base: str) -> bool:
        """Look for WordPress's index under a base; True when it is there, and where it really is."""
        for tail in ("/wp-json/", "/index.php/wp-json/"):
            answer, url = self._ask(base + tail)
            index = _object(answer)
            if index is not None:
                self._index = index
                self.found.base_url = (url.partition("/wp-json")[0]).removesuffix("/index.php").rstrip("/")
                self.found.index_php = "/index.php/wp-json" in url
                return True
            self._refused = self._refused or answer
        return False

    def _https(self) -> tuple[str, str, str]:
        if self.found.base_url.startswith("https://"):
            return ("", "", "")
        return (
            _("The shop answers without HTTPS. Keys are only used to sign there, but customers' data travel readable."),
            _("Ask the host for a certificate, then connect with https://."),
            "no_https",
        )

    def _wordpress(self) -> tuple[str, str, str]:
        if self._index:
            if "namespaces" not in self._index and "code" not in self._index:
                raise _Stop.of(diagnosis.of_front(200, b""))
            return ("", "", "")
        base = self.found.base_url
        try:
            plain = _object(self._ask(f"{base}/?rest_route=/")[0])
            front, _url = self._ask(f"{base}/")
        except http.NoAnswer as error:
            raise Unreachable(str(error), code=error.kind) from None
        if plain is not None and "namespaces" in plain:
            raise _Stop(
                _("The shop uses plain permalinks, and with those WooCommerce does not take keys."),
                _("In WordPress under Settings, Permalinks, choose any form but “Plain” and save."),
                "plain_permalinks",
            )
        refused = self._refused and diagnosis.of_page(self._refused.status, self._refused.body)
        raise _Stop.of(refused or diagnosis.of_front(front.status, front.body))

    def _woocommerce(self) -> tuple[str, str, str]:
        namespaces = self._index.get("namespaces")
        if isinstance(namespaces, list) and "wc/v3" not in namespaces:
            raise _Stop(
                _("WordPress is there, but WooCommerce is not active, or older than 3.5."),
                _("Activate or update WooCommerce under Plugins."),
                "no_woocommerce",
            )
        self.found.name = decode.plain(str(self._index.get("name") or ""))[:120]
        return ("", "", "")

    def _read(self, modes: tuple[str, ...] = MODES) -> tuple[str, str, str]:
        """Find the way in which the shop takes keys. Over plain http they are only ever used to sign."""
        secure = self.found.base_url.startswith("https://")
        for mode in modes if secure else ("oauth",):
            client = Client(self.root, key=self.key, secret=self.secret, mode=mode, ca=self.ca)
            try:
                client.page("orders", per_page=1)
            except KeysRefused as error:
                if error.code == "no_right":
                    raise _Stop.of(diagnosis.no_right()) from None
                if error.code == "write_only_keys" or (mode != "oauth" and error.code == "secret_refused"):
                    raise _Stop.of(diagnosis.secret_wrong()) from None
                continue
            self.client, self.found.mode = client, mode
            repair = diagnosis.of_mode(mode, secure=secure)
            return (repair.text, repair.fix, repair.code) if repair else ("", "", "")
        if not secure and abs(self._off) > SIGNED_FOR:
            raise _Stop.of(diagnosis.clock_wrong(round(self._off / timedelta(minutes=1))))
        raise _Stop.of(diagnosis.keys_unknown(secure=secure))

    def _settings(self) -> tuple[str, str, str]:
        client, found = self._connected(), self.found
        values: dict[str, Any] = {}
        status: dict[str, Any] = {}
        try:
            values = {str(row.get("id")): row.get("value") for row in client.page("settings/general").rows}
            status = client.get("system_status")
        except (KeysRefused, Invalid, Unreachable, Blocked):
            # Some hosts close it; what is missing is read from orders below.
            pass
        environment, shop = _part(status, "environment"), _part(status, "settings")
        newest = client.page("orders", per_page=1).rows
        found.currency = str(values.get("woocommerce_currency") or (newest[0].get("currency") if newest else "") or "")[
            :3
        ]
        decimals = str(values.get("woocommerce_price_num_decimals", "2"))
        found.decimals = min(int(decimals), 4) if decimals.isdecimal() else 2
        found.country = str(values.get("woocommerce_default_country") or "")[:2]
        found.language = str(environment.get("language") or "")[:2].lower()
        found.zone = self._zone(newest)
        found.capabilities = {
            "woo_version": str(environment.get("version") or ""),
            "wp_version": str(environment.get("wp_version") or ""),
            "hpos": shop.get("HPOS_enabled"),
            **({"coupons_on": told == "yes"} if (told := values.get("woocommerce_enable_coupons")) else {}),
            **({"index_php": True} if found.index_php else {}),
            **abilities.by_behaviour(client),
            "others": overlap.look(client, status if isinstance(status, dict) else {}),
            # Who it says it is: a copy or a moved shop says something else.
            "home": str(self._index.get("home") or "")[:200],
        }
        version = found.capabilities["woo_version"]
        return (
            _("WooCommerce %(version)s, %(currency)s, %(zone)s")
            % {
                "version": version or "?",
                "currency": found.currency or "?",
                "zone": found.zone,
            },
            "",
            "",
        )

    def _zone(self, newest: list[dict[str, Any]]) -> str:
        named = self._index.get("timezone_string")
        try:
            if named and ZoneInfo(str(named)):
                return str(named)
        except (ValueError, OSError, LookupError):
            pass
        offset = self._index.get("gmt_offset")
        if isinstance(offset, int | float) or (
            isinstance(offset, str) and offset.lstrip("-").replace(".", "", 1).isdigit()
        ):
            return address.zone_of_offset(round(float(offset) * 60))
        try:
            local, gmt = (datetime.fromisoformat(newest[0][name]) for name in ("date_created", "date_created_gmt"))
            return address.zone_of_offset(round((local - gmt).total_seconds() / 60))
        except (IndexError, KeyError, TypeError, ValueError):
            return "UTC"

    def _write(self) -> tuple[str, str, str]:
        client = self._connected()
        code = f"postpurchase-check-{secrets.token_hex(5)}"
        try:
            made = client.post(
                "coupons",
                {
                    "code": code,
                    "status": "draft",
                    "amount": "0",
                    "discount_type": "fixed_cart",
                    "date_expires": "2000-01-01T00:00:00",
                    "description": "Check of the keys; may be deleted.",
                },
            )
            client.delete(f"coupons/{made['id']}", force=True)
        except ReadOnlyKeys:
            self.found.can_write = False
            return (
                _(
                    "These keys may read but not write: the shop is mirrored, but coupons and reviews cannot be written."
                ),
                _("To write, make keys with “Read/Write” permission and connect again; nothing is lost by that."),
                "read_only_keys",
            )
        except (WooError, KeyError, TypeError):
            return (
                _("The trial coupon %(code)s could not be made and removed again.") % {"code": code},
                _("Look for it under Marketing, Coupons, and delete it. Writing is tried again when it is needed."),
                "write_unsure",
            )
        return ("", "", "")

    def _address(self) -> tuple[str, str, str]:
        """Whether the shop can call us: only then are webhooks worth having. Polling works in any case."""
        fault = selftest.own_address()
        self.found.webhooks = selftest.reachable_for(self.found.base_url, fault)
        if fault is None:
            return ("", "", "")
        return (fault.text + " " + _("Until then the shop is asked every five minutes."), fault.fix, fault.code)

    def _connected(self) -> Client:
        assert self.client is not None
        return self.client


def _their_clock(told: str) -> datetime:
    """The time that a server tells, within six hours of ours: an older one is a cache's."""
    now = clock.now()
    try:
        theirs = parsedate_to_datetime(told)
    except (TypeError, ValueError, IndexError):
        return now
    if theirs.tzinfo is None or not now - timedelta(hours=6) < theirs < now:
        return now
    return theirs


def _object(answer: http.Answer) -> dict[str, Any] | None:
    """WordPress's own JSON object: an index, or its refusal."""
    try:
        value, _junk = decode.parse(answer.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and ("namespaces" in value or "code" in value) else None


def _part(body: Any, name: str) -> dict[str, Any]:
    part = body.get(name) if isinstance(body, dict) else None
    return part if isinstance(part, dict) else {}
