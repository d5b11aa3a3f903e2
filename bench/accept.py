"""Accepting a webhook, against a bare view that checks the HMAC and makes one INSERT of the same bytes, in plain.

Both are called through the whole WSGI application of the site, one request after the other, as a server calls it: up to
and with the `close()` of the answer, in which ours rings the bell after the shop has its answer.
"""

import base64
import hashlib
import hmac
import io
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import harness, stage

REQUESTS = 1_000
RUNS = [["sqlite"], ["postgresql"]]
AIM = 1.5
BODY = b'{"id":15,"number":"15","status":"processing","note":"' + b"x" * 4_000 + b'"}'


class Floor:
    """The bare view, put beside the site's own addresses."""

    def __init__(self, endpoint: Any) -> None:
        from django.db import connection
        from django.urls import clear_url_caches, path
        from django.views.decorators.csrf import csrf_exempt

        import postpurchase.urls
        from stores.models import Delivery

        row = stage.defaults(
            Delivery, store_id=endpoint.store_id, endpoint_id=endpoint.pk, topic=endpoint.topic, priority=10
        )
        names = [*(name for name in row if name not in {"key", "body"}), "key", "body"]
        first = [row[name] for name in names[:-2]]
        sql = stage.insert_sql(Delivery._meta.db_table, names).replace("?", "%s")
        secret = endpoint.secret.encode()

        def view(request: Any) -> Any:
            from django.http import HttpResponse

            body = request.body
            due = base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest())
            if not hmac.compare_digest(due, request.headers["X-WC-Webhook-Signature"].encode()):
                return HttpResponse(status=401)
            with connection.cursor() as cursor:
                cursor.execute(sql, [*first, request.headers["X-WC-Webhook-Delivery-ID"], body.decode()])
            return HttpResponse(status=200)

        postpurchase.urls.urlpatterns.insert(0, path("bench/", csrf_exempt(view)))
        clear_url_caches()


class Caller:
    """Calls a path of the site with signed bodies, each different, and keeps the seconds of each."""

    def __init__(self, path: str, secret: str, requests: int) -> None:
        from django.core.wsgi import get_wsgi_application

        self.path, self.secret, self.requests = path, secret.encode(), requests
        self.application: Callable[..., Any] = get_wsgi_application()
        self.sent = 0
        self.seconds: list[float] = []

    def run(self) -> float:
        """One round; the median seconds of a request."""
        took = []
        for _ in range(self.requests):
            self.sent += 1
            body = BODY + str(self.sent).encode()
            environ = self._environ(body)
            began = time.perf_counter()
            status: list[str] = []
            answer = self.application(environ, lambda told, headers, seen=status: seen.append(told))
            for _part in answer:
                pass
            answer.close()
            took.append(time.perf_counter() - began)
            assert status == ["200 OK"], status
        self.seconds += took
        return harness.percentile(took, 0.5)

    def _environ(self, body: bytes) -> dict[str, Any]:
        return {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": self.path,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_HOST": "127.0.0.1",
            "HTTP_X_WC_WEBHOOK_SIGNATURE": base64.b64encode(
                hmac.new(self.secret, body, hashlib.sha256).digest()
            ).decode(),
            "HTTP_X_WC_WEBHOOK_DELIVERY_ID": f"{self.path}{self.sent}",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }


def run(kind: str, *, requests: int = REQUESTS, rounds: int = harness.ROUNDS) -> harness.Comparison:
    """Measure on the present, empty database; asserts that each request left one row of the same bytes."""
    from django.db.models import Sum
    from django.db.models.expressions import RawSQL

    from stores.models import Delivery, Store, WebhookEndpoint

    store = Store.objects.create(slug="bench", name="Bench")
    endpoint = WebhookEndpoint.objects.create(store=store, topic="order.updated", secret="s3cret " * 4)
    Floor(endpoint)
    floor = Caller("/bench/", endpoint.secret, requests)
    ours = Caller(f"/hooks/woo/{endpoint.token}/", endpoint.secret, requests)

    def check() -> None:
        rows = Delivery.objects.count()
        assert rows == requests, rows
        # As it lies there: ours is encrypted, the floor's is plain.
        size = Delivery.objects.annotate(stored=RawSQL("length(body)", ())).aggregate(sum=Sum("stored"))["sum"]
        assert size >= requests * len(BODY), size

    found = harness.compare(
        f"webhook accepted, {kind}, p50",
        aim=AIM,
        units=1,
        unit="requests",
        floor=floor.run,
        ours=ours.run,
        before=lambda: stage.clear(Delivery._meta.db_table),
        after=check,
        rounds=rounds,
    )
    late = [harness.percentile(side.seconds, 0.99) * 1000 for side in (floor, ours)]
    found.notes.append(f"p99: floor {late[0]:.2f} ms, ours {late[1]:.2f} ms")
    return found


def main() -> int:
    kind = sys.argv[1]
    with stage.database(kind):
        return harness.show(run(kind))


if __name__ == "__main__":
    sys.exit(main())
