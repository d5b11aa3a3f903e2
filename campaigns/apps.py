from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        """Register with the registries below."""
        from campaigns import engine, fields, outbox, rechecks, requests, triggers
        from postpurchase import queue

        fields.register()
        triggers.subscribe()
        requests.subscribe()
        rechecks.add_hold(fields.hold_for_cases)
        queue.register_drain("flows", engine.run_due)
        queue.register_drain("outbox", outbox.run_due)
