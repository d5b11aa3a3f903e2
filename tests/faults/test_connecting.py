"""Connecting to shops that are not as they should be: each fault has a name and a fix, and none changes anything here."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.test import override_settings

from postpurchase import clock
from postpurchase.errors import BusinessError
from postpurchase.queue import run_until_idle
from stores import abilities, approval, connect, hooks, registries, selftest
from stores.connect import ConnectRefused
from stores.models import AuditEvent, ConnectAttempt, Store, SyncTask
from stores.sandbox.server import Sandbox
from stores.sync import tasks
from stores.woo.client import USER_AGENT
from stores.woo.errors import Blocked
from stores.woo.probe import Step
from tests.factories import make_user
from tests.stores.fake_shop import Shop, drop, serve
from tests.stores.shop import running

pytestmark = pytest.mark.django_db
PASTED = {"key": "ck_a", "secret": "cs_a"}
INDEX = {"name": "Shop", "namespaces": ["wp/v2", "wc/v3"], "timezone_string": "", "gmt_offset": 2}


@pytest.fixture
def shop() -> Iterator[Shop]:
    with serve() as fake:
        yield fake


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with key and certificate of 127.0.0.1, its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2049, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file: Path = tmp_path_factory.mktemp("tls") / "shop.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return str(file)


def join(sandbox: Sandbox, **given: Any) -> Store:
    keys: dict[str, Any] = {"key": sandbox.key, "secret": sandbox.secret}
    return connect.connect(given.pop("url", sandbox.url), **(keys | given))


def refused(url: str, **given: Any) -> ConnectRefused:
    """What connecting says; afterwards there is no trace of the shop here."""
    with pytest.raises(ConnectRefused) as caught:
        connect.connect(url, **(PASTED | given))
    assert (Store.objects.count(), SyncTask.objects.count()) == (0, 0)
    assert "<" not in caught.value.message
    return caught.value


def found(store: Store, name: str) -> Any:
    return {check.name: check for check in registries.checks(store)}[name]


def html(text: str, status: int) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "text/html"}, text.encode()


# C01


def test_c01_a_dropped_authorization_header_is_told_from_a_wrong_key(
    certificate: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with running(orders=1, certificate=certificate, basic_over_http=False) as sandbox:
        sandbox.fault("strip", path="/wp-json", times=0)
        steps: list[Step] = []
        store = join(sandbox, ca=certificate, on_step=steps.append)
        assert store.auth_mode == "query"
        assert [(step.name, step.code) for step in steps if step.name == "read"] == [("read", "header_stripped")]
        access = found(store, "Access")
        assert (access.ok, access.level) == (False, "warn")
        assert "Authorization header" in access.fix
        with pytest.raises(ConnectRefused) as caught:
            join(sandbox, ca=certificate, key="ck_unknown")
        assert caught.value.code == "keys_refused"
        with pytest.raises(ConnectRefused) as caught:
            join(sandbox, ca=certificate, secret="cs_wrong")
        assert caught.value.code == "secret_wrong"
        told = caplog.text + str(list(AuditEvent.objects.values())) + str(steps)
        assert sandbox.key not in told
        assert sandbox.secret not in told
        assert "cs_wrong" not in told + caught.value.message


def test_c01_query_keys_are_never_shown_over_plain_http() -> None:
    with running(orders=1, basic_over_http=False) as sandbox:
        sandbox.fault("strip", path="/wp-json", times=0)
        assert join(sandbox).auth_mode == "oauth"
        assert not [one for one in sandbox.requests if sandbox.secret in one["query"]]


def test_c01_a_shop_behind_a_proxy_that_hides_https_is_signed_for(certificate: str) -> None:
    with running(orders=1, certificate=certificate, https_hidden=True, basic_over_http=False) as sandbox:
        steps: list[Step] = []
        store = join(sandbox, ca=certificate, on_step=steps.append)
        assert store.auth_mode == "oauth"
        assert [step.code for step in steps if step.name == "read"] == ["https_not_seen"]
        assert "https" in found(store, "Access").sentence


def test_c01_a_repaired_header_is_noticed_and_a_broken_one_is_not_worked_round_in_silence(certificate: str) -> None:
    with running(orders=1, certificate=certificate, basic_over_http=False) as sandbox:
        sandbox.fault("strip", path="/wp-json", times=0)
        store = join(sandbox, ca=certificate)
        sandbox.clear_faults()
        assert abilities.look(store) is None
        store.refresh_from_db()
        assert store.auth_mode == "basic"
        sandbox.fault("strip", path="/wp-json", times=0)
        before = len(sandbox.requests)
        bad = abilities.look(store)
        assert bad is not None
        assert bad.code == "keys_refused"
        store.refresh_from_db()
        assert store.auth_mode == "basic"
        assert not [one for one in sandbox.requests[before:] if sandbox.secret in one["query"]]


# C03


def test_c03_unknown_key_wrong_secret_and_missing_right_are_three_diagnoses(certificate: str) -> None:
    with running(orders=1, certificate=certificate, basic_over_http=False) as sandbox:
        customer = sandbox.add_key("read_write", "customer")
        cases = [
            ("ck_unknown", "cs_unknown", "keys_refused"),
            (sandbox.key, "cs_wrong", "secret_wrong"),
            (customer.consumer_key, customer.consumer_secret, "no_right"),
        ]
        told = [refused(sandbox.url, ca=certificate, key=key, secret=secret) for key, secret, _code in cases]
        assert [problem.code for problem in told] == [code for _key, _secret, code in cases]
        assert len({problem.message for problem in told}) == 3
        assert all("Nothing was changed." in problem.message for problem in told)


@pytest.mark.parametrize("text", ["Der API-Schlüssel hat keine Schreibrechte.", "書き込み権限がありません。"])
def test_c03_read_only_keys_are_known_by_what_they_do_in_any_language(text: str) -> None:
    with running(orders=2) as sandbox:
        body = json.dumps({"code": "woocommerce_rest_authentication_error", "message": text, "data": {"status": 401}})
        sandbox.fault("status", method="POST", path="/coupons", times=0, status=401, body=body)
        store = join(sandbox)
        assert store.can_write is False
        assert found(store, "Shop").level == "warn"
        run_until_idle()
        assert store.orders.count() == 2


# C06


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_c06_a_redirect_within_the_site_is_followed_once_without_keys_and_saved(shop: Shop, status: int) -> None:
    with running(orders=1) as sandbox:

        def redirect(handler: Any) -> None:
            handler.send_response(status)
            handler.send_header("Location", sandbox.url + handler.path)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        shop.will(redirect)
        store = join(sandbox, url=shop.url)
        assert store.base_url == sandbox.url
        assert {one.method for one in shop.asked} == {"GET"}
        assert all("Authorization" not in one.headers and not one.params for one in shop.asked)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_c06_reads_and_writes_with_keys_follow_no_redirect(shop: Shop, status: int) -> None:
    from stores.woo.client import Client

    shop.will((status, {"Location": "http://127.0.0.1:9/elsewhere"}, b""))
    client = Client(shop.url, key="ck_a", secret="cs_a")
    for call in (lambda: client.page("orders"), lambda: client.post("coupons", {"code": "a"})):
        with pytest.raises(Blocked) as caught:
            call()
        assert caught.value.code == "moved"
        assert "127.0.0.1:9" in caught.value.message
    assert [one.method for one in shop.asked] == ["GET", "POST"]


def test_c06_keys_never_go_to_another_host(shop: Shop) -> None:
    with serve() as other:
        other.will((200, {}, json.dumps(INDEX).encode()))
        shop.will((302, {"Location": other.url.replace("127.0.0.1", "localhost") + "/wp-json/"}, b""))
        refused(shop.url)
        assert other.asked == []


def test_c06_a_shop_that_moved_is_shown_and_not_followed_by_itself(shop: Shop) -> None:
    with running(orders=1) as sandbox:
        store = join(sandbox)
        shop.will((301, {"Location": f"{sandbox.url}/wp-json/"}, b""))
        Store.objects.filter(pk=store.pk).update(base_url=shop.url)
        store.refresh_from_db()
        abilities.look(store)
        store.refresh_from_db()
        assert store.base_url == shop.url
        assert store.capabilities["moved_to"] == sandbox.url
        assert sandbox.url in found(store, "Abilities").sentence


# C07


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "/",
        "  ",
        "/wp-admin/",
        "/wp-admin/edit.php?post_type=shop_order",
        "/wp-login.php",
        "/wp-json/wc/v3/",
        "/product/mug/",
        "//",
    ],
)
def test_c07_whatever_is_pasted_of_a_shop_ends_at_one_address(ending: str) -> None:
    with running(orders=1) as sandbox:
        pasted = f" {sandbox.url.replace('http', 'HTTP', 1)}{ending}"
        assert join(sandbox, url=pasted).base_url == sandbox.url


def test_c07_a_shop_without_rewriting_is_used_by_way_of_index_php(shop: Shop) -> None:
    with running(orders=1) as sandbox:

        def by_index(handler: Any) -> None:
            import urllib.error
            import urllib.request

            if not handler.path.startswith("/index.php/"):
                status, body = 404, b"<html>Not found</html>"
            else:
                ask = urllib.request.Request(sandbox.url + handler.path.removeprefix("/index.php"))
                try:
                    with urllib.request.urlopen(ask) as answer:
                        status, body = answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    status, body = error.code, error.read()
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        shop.will(by_index)
        with override_settings(PUBLIC_URL="http://127.0.0.1:1"):
            url = approval.ask(shop.url, user=make_user(), session_key="s")
        assert url.startswith(f"{shop.url}/index.php/wc-auth/v1/authorize?")
        assert ConnectAttempt.objects.get().base_url == shop.url


# C08


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]",
        "http://[::ffff:10.0.0.1]",
        "http://100.64.0.1",
        "http://2130706433",
        "http://0x7f.1",
        "http://10.0.0.1:22",
        "http://0.0.0.0",
    ],
)
def test_c08_addresses_inside_are_refused_before_any_connection_like_a_closed_port(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    closed = refused("http://127.0.0.1:1").message
    opened: list[Any] = []
    monkeypatch.setattr(socket, "create_connection", lambda *args, **more: opened.append(args))
    with override_settings(ALLOWED_PRIVATE_HOSTS=[]):
        problem = refused(url)
    assert (problem.code, problem.message, opened) == ("unreachable", closed, [])


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://user:pass@shop.example.com", "gopher://x", "http://"])
def test_c08_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(BusinessError) as caught:
        connect.connect(url, **PASTED)
    assert caught.value.code == "bad_address"


def test_c08_a_redirect_to_an_inside_address_is_not_followed(shop: Shop) -> None:
    with override_settings(ALLOWED_PRIVATE_HOSTS=["127.0.0.1"]):
        shop.will((302, {"Location": "http://127.0.0.1:22/wp-json/"}, b""))
        assert refused(shop.url).code in {"unreachable", "not_wordpress"}
        shop.will((302, {"Location": "http://169.254.169.254/wp-json/"}, b""))
        assert refused(shop.url).code == "not_wordpress"


# C10


@pytest.mark.parametrize(
    ("status", "page"),
    [
        (403, "<html>Forbidden</html>"),
        (406, "<html>Not Acceptable</html>"),
        (455, "<html>Denied</html>"),
        (503, "<html><title>Just a moment...</title></html>"),
        (200, "<html><title>Just a moment...</title><script src=/cdn-cgi/challenge-platform/x></script></html>"),
        (200, "<html><form action=/wp-login.php>Log in</form></html>"),
    ],
)
def test_c10_a_firewall_is_named_with_what_it_has_to_let_pass(shop: Shop, status: int, page: str) -> None:
    shop.will(html(page, status))
    with override_settings(OUTGOING_IP="203.0.113.7"):
        problem = refused(shop.url)
    assert problem.code == "blocked"
    assert USER_AGENT in problem.message
    assert "203.0.113.7" in problem.message


def test_c10_a_firewall_before_the_orders_alone_is_no_fault_of_the_keys() -> None:
    with running(orders=1) as sandbox:
        sandbox.fault("status", path="/wc/v3/orders", times=0, status=403)
        problem = refused(sandbox.url, key=sandbox.key, secret=sandbox.secret)
        assert (problem.steps[-1].name, problem.code) == ("read", "blocked")
        sandbox.clear_faults()
        store = join(sandbox)
        sandbox.fault("status", path="/wp-json", times=0, status=403)
        tasks.poll_now(store)
        store.refresh_from_db()
        assert store.state == Store.State.UNREACHABLE
        assert "<" not in store.state_reason


# C47


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_c47_an_address_of_ours_that_redirects_is_refused(shop: Shop, status: int) -> None:
    shop.will((status, {"Location": "https://other.example.com/"}, b""))
    with override_settings(PUBLIC_URL=shop.url), running(orders=1) as sandbox:
        fault = selftest.own_address()
        assert fault is not None
        assert fault.code == "address_redirects"
        assert selftest.reachable_for("https://shop.example.com", fault) is False
        steps: list[Step] = []
        store = join(sandbox, on_step=steps.append)
        assert steps[-1].code == "address_redirects"
        assert store.capabilities["webhooks"] is False
        hooks.ensure_webhooks(SyncTask.objects.get(store=store, key="webhooks"))
        assert sandbox.store.storage.count("kind = 'webhook'", ()) == 0


@pytest.mark.parametrize(
    ("status", "code"), [(200, None), (201, "address_wrong"), (404, "address_wrong"), (502, "address_wrong")]
)
def test_c47_only_exactly_200_will_do(shop: Shop, status: int, code: str | None) -> None:
    shop.will((status, {}, b""))
    with override_settings(PUBLIC_URL=shop.url):
        fault = selftest.own_address()
    assert (fault.code if fault else None) == code
    assert shop.asked[0].method == "POST"


@pytest.mark.django_db(transaction=True)
def test_c47_our_own_server_passes_its_self_test(live_server: Any) -> None:
    with override_settings(PUBLIC_URL=live_server.url):
        assert selftest.own_address() is None


# The eight named faults of a first connect


def test_each_of_eight_faults_has_its_own_name_and_fix(shop: Shop, certificate: str) -> None:
    told: dict[str, str] = {}

    def plain(handler: Any) -> None:
        good = "rest_route" in handler.path
        body = json.dumps(INDEX).encode() if good else b"<html>Not found</html>"
        handler.send_response(200 if good else 404)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def hang(handler: Any) -> None:
        import time

        time.sleep(1)
        drop(handler)

    shop.will(plain)
    told["plain_permalinks"] = refused(shop.url).message
    shop.will(html("<html>Not Implemented</html>", 501))
    told["modsecurity"] = refused(shop.url).message
    shop.will(html("<html>Briefly unavailable for scheduled maintenance.</html>", 503))
    told["maintenance"] = refused(shop.url).message
    with pytest.MonkeyPatch.context() as patched:
        from stores.woo import probe

        patched.setattr(probe, "ASK_SECONDS", 0.2)
        shop.will(hang)
        told["time_out"] = refused(shop.url).message
    with running(orders=1, certificate=certificate, basic_over_http=False) as sandbox:
        told["no_https"] = refused(sandbox.url, key=sandbox.key, secret=sandbox.secret).message
        customer = sandbox.add_key("read_write", "customer")
        told["no_right"] = refused(
            sandbox.url, ca=certificate, key=customer.consumer_key, secret=customer.consumer_secret
        ).message
        sandbox.fault("strip", path="/wp-json", times=0)
        steps: list[Step] = []
        join(sandbox, ca=certificate, on_step=steps.append)
        told["header_stripped"] = " ".join(step.fix for step in steps if step.code == "header_stripped")
    words = {
        "plain_permalinks": "Settings, Permalinks",
        "modsecurity": "ModSecurity",
        "maintenance": "maintenance",
        "time_out": "too long",
        "no_https": "certificate",
        "no_right": "shop manager",
        "header_stripped": "Authorization header",
    }
    assert {name: words[name] in text for name, text in told.items()} == dict.fromkeys(words, True)


# What the shop can do, each day


def test_what_a_shop_can_do_is_tried_each_day_and_shown_with_its_date() -> None:
    with running(orders=1) as sandbox:
        store = join(sandbox)
        task = SyncTask.objects.get(store=store, key="abilities")
        assert task.due_at > clock.now() + timedelta(hours=23)
        first = store.probed_at
        assert first is not None
        sandbox.fault("status", path="/wc/v3/refunds", times=0, status=404, body=json.dumps({"code": "rest_no_route"}))
        with clock.shifted(timedelta(days=1, minutes=5)):
            tasks.run_due(10)
            store.refresh_from_db()
            assert store.probed_at is not None
            assert store.probed_at > first
            assert store.capabilities["refunds_list"] is False
            line = found(store, "Abilities")
            assert (line.ok, "refunds" in line.sentence) == (True, True)
            task.refresh_from_db()
            assert task.due_at > clock.now() + timedelta(hours=23)
            # Only the connect itself tried to write.
            writes = [one["method"] for one in sandbox.requests if "/wc/v3/coupons" in one["path"]]
            assert writes.count("POST") == 1


def test_a_look_that_fails_keeps_what_was_known() -> None:
    with running(orders=1) as sandbox:
        store = join(sandbox)
        known, at = store.capabilities, store.probed_at
        sandbox.fault("drop_before", path="/", times=0)
        assert abilities.look_again(SyncTask.objects.get(store=store, key="abilities")) == timedelta(hours=1)
        store.refresh_from_db()
        assert store.probed_at == at
        assert {key: store.capabilities[key] for key in known} == known
        assert found(store, "Abilities").ok is True
        with clock.shifted(timedelta(days=4)):
            assert found(store, "Abilities").ok is False
