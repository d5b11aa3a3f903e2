"""The store as a program: starting, stopping, keeping its file, the trickle of live orders."""

import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stores.sandbox import storefront
from stores.sandbox.server import Sandbox
from tests.stores.sandbox.conftest import NOON, Client

ROOT = Path(__file__).parents[3]


def program(*options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "stores.sandbox", "--history", "none", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_prints_address_and_keys_and_ctrl_c_ends_it(sandbox: Sandbox) -> None:
    running = program("--port", "0", "--key", "ck_1", "--secret", "cs_1", "--control")
    try:
        assert running.stdout is not None
        told = [running.stdout.readline().split() for _ in range(3)]
        assert told[1:] == [["Key:", "ck_1"], ["Secret:", "cs_1"]]
        with socket.create_connection(("127.0.0.1", int(told[0][1].rpartition(":")[2])), timeout=5):
            pass
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=10) == 0
        assert running.stderr is not None
        assert running.stderr.read() == ""
    finally:
        running.kill()


def test_a_taken_port_is_named_with_its_remedy(sandbox: Sandbox) -> None:
    port = sandbox.url.rpartition(":")[2]
    running = program("--port", port)
    _, error = running.communicate(timeout=20)
    assert running.returncode == 2
    assert error == f"Port {port} cannot be used: Address already in use. Choose another with --port.\n"


def test_a_store_in_a_file_is_there_again_and_not_filled_twice(tmp_path: Path) -> None:
    path = str(tmp_path / "store.sqlite3")
    with Sandbox(path=path, seed=1, key="ck_1", secret="cs_1", clock=lambda: NOON) as first:
        order = first.place_order()
        counts = first.state()["counts"]
    with Sandbox(path=path, seed=1, key="ck_1", secret="cs_1", clock=lambda: NOON) as second:
        assert second.state()["counts"] == counts
        assert second.place_order()["id"] > order["id"]
        assert Client(second, "ck_1", "cs_1").get(f"orders/{order['id']}").json()["status"] == "processing"


def test_a_live_minute_sells_ships_and_delivers() -> None:
    sandbox = Sandbox(seed=1, clock=lambda: NOON)
    chance = random.Random(1)

    def waiting() -> list[int]:
        rows = "kind = 'order' AND status = 'processing' AND created > '2026-10-25' AND created < '2026-11-23T12:00:00'"
        return [body["id"] for body in sandbox.store.storage.bodies(rows, order="created")]

    before, orders = waiting(), sandbox.state()["counts"]["order"]
    made = storefront.live_step(sandbox.store, chance)
    assert made["status"] == "processing"
    assert waiting() == before[1:]
    assert sandbox.state()["counts"]["order"] == orders + 1
    sandbox.stop()


def test_what_breaks_inside_is_wordpresss_page_and_changes_nothing(
    client: Client, capfd: pytest.CaptureFixture
) -> None:
    answer = client.post("orders", {"line_items": [{"product_id": "many", "quantity": 1}]})
    assert answer.status_code == 500
    assert "There has been a critical error" in answer.text
    assert answer.headers["Content-Type"].startswith("text/html")
    assert client.ids("orders") == []
    assert "ValueError" in capfd.readouterr().err


def test_answers_carry_the_stores_own_date(sandbox: Sandbox, client: Client) -> None:
    sandbox.advance(hours=1)
    assert client.get("orders").headers["Date"] == "Tue, 24 Nov 2026 13:00:00 GMT"


def test_changing_an_orders_lines_is_refused_not_ignored(sandbox: Sandbox, client: Client) -> None:
    order = sandbox.place_order()
    answer = client.put(f"orders/{order['id']}", {"line_items": [{"product_id": 102}]})
    assert (answer.status_code, answer.json()["code"]) == (501, "sandbox_not_supported")
    assert sandbox.get("order", order["id"]) == order
