"""The probe of a held shop: one small request at a time, and three of them when it answers again."""

from datetime import timedelta

from stores.models import SyncTask
from stores.sync import health, tasks
from stores.woo.client import client_for
from stores.woo.errors import Blocked, Invalid, KeysRefused, Missing, Unreachable


def probe(task: SyncTask) -> timedelta | None:
    """Ask the shop for one order's id; says when to ask again, None once the store is no longer held."""
    store = task.store
    client = client_for(store)
    while health.is_held(store):
        try:
            client.page("orders", status="any", per_page=1, _fields="id")
        except (Unreachable, Blocked, KeysRefused) as error:
            health.failed(store, error, probe=True)
            return health.probe_in(store)
        except (Invalid, Missing):
            # It refuses the question, and so it answers.
            pass
        health.answered(store)
    return None


def register() -> None:
    """Called from `AppConfig.ready()`."""
    tasks.register_fetch(health.PROBE, probe)
