from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        """Register with the registries below."""
        from campaigns import engine, fields, triggers
        from postpurchase import queue

        fields.register()
        triggers.subscribe()
        queue.register_drain("flows", engine.run_due)
