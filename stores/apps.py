from django.apps import AppConfig


class StoresConfig(AppConfig):
    name = "stores"

    def ready(self) -> None:
        from postpurchase import queue
        from stores import coupons, events, housekeeping, intents, jobs, pages

        queue.register_drain("events", lambda budget: events.dispatch())
        queue.register_drain("intents", intents.run_due)
        queue.register_drain("jobs", jobs.run_due, cluster="sync")
        queue.register_tick("housekeeping", housekeeping.tidy)
        pages.register()
        coupons.register()
