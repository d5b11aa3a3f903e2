from django.apps import AppConfig


class StoresConfig(AppConfig):
    name = "stores"

    def ready(self) -> None:
        from postpurchase import clock, queue
        from stores import (
            abilities,
            coupon_write_backs,
            coupons,
            events,
            hooks,
            housekeeping,
            inbox,
            intents,
            jobs,
            lateness,
            pages,
            privacy,
            registries,
            segments,
            shipments,
            spool,
            timeline,
            write_backs,
        )
        from stores.elsewhere import forgetting, importing
        from stores.sync import backfill, checks, fetch, health, poll, probes, reconcile, tasks

        queue.register_drain("events", lambda budget: events.dispatch())
        queue.register_drain("intents", intents.run_due, cluster="sync")
        queue.register_drain("spool", spool.take_in)
        queue.register_drain("inbox", inbox.run_due)
        queue.register_drain("fetches", tasks.run_due, cluster="sync")
        queue.register_drain("jobs", jobs.run_due, cluster="sync")
        queue.register_tick("housekeeping", housekeeping.tidy)
        queue.register_tick("probes", health.tick_probes)
        queue.register_tick("order files", importing.tidy)
        queue.register_tick("crashed write-backs", intents.end_crashed)
        queue.register_tick("unanswered write-backs", intents.tick_unanswered)
        queue.register_tick("crashed jobs", jobs.end_crashed)
        queue.register_tick("coupon expiry", coupons.tick_expiry)
        queue.register_tick("lateness", lambda: lateness.tick_late(clock.now()))
        queue.register_tick("estimates", lambda: shipments.tick_estimates(clock.now()))
        queue.register_tick("nightly checks", reconcile.tick_nightly)
        # First, because it looks for the person by what the mirror still knows.
        registries.add_eraser(forgetting.forget_person)
        queue.register_tick("segments", lambda: segments.tick(clock.now()))
        registries.add_eraser(privacy.erase_from_mirror)
        registries.add_eraser(segments.forget)
        registries.add_eraser(write_backs.forget)
        for module in (
            pages,
            timeline,
            coupon_write_backs,
            write_backs,
            backfill,
            checks,
            hooks,
            abilities,
            fetch,
            poll,
            probes,
            reconcile,
            importing,
            segments,
        ):
            module.register()
