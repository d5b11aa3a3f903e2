from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


def _make_schedule(**_: object) -> None:
    from postpurchase import queue

    queue.ensure_schedule()


class PostpurchaseConfig(AppConfig):
    name = "postpurchase"

    def ready(self) -> None:
        # This app has no tables, so Django sends it no signal; the schedule is a row of the queue's own app.
        post_migrate.connect(_make_schedule, sender=apps.get_app_config("django_q"))
