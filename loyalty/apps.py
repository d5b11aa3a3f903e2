from django.apps import AppConfig


class LoyaltyConfig(AppConfig):
    name = "loyalty"

    def ready(self) -> None:
        from loyalty import fields, handlers, ledger, shown
        from postpurchase import queue

        fields.register()
        handlers.subscribe()
        queue.register_drain("points", lambda budget: ledger.make_usable())
        shown.register()
