from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"

    def ready(self) -> None:
        """Register with the registries below."""
        from campaigns import (
            consent,
            engine,
            fields,
            hooks,
            housekeeping,
            notices,
            outbox,
            overlap,
            pages,
            requests,
            rezoning,
            shown,
            troubles,
        )
        from campaigns.simulation import kept
        from campaigns.triggers import entering
        from campaigns.views import inbox, shopper
        from postpurchase import queue
        from stores import events, jobs, public, registries

        jobs.register(kept.KIND, kept.run_slice)
        jobs.register(kept.REACH, kept.count_reach, starter=kept.start_reach)
        queue.register_tick("library reach", kept.count_reach_when_old)
        fields.register()
        pages.register()
        overlap.register()
        rezoning.register()
        entering.subscribe()
        requests.subscribe()
        troubles.register()
        events.subscribe(events.ORDER_PLACED, "campaigns.checkout_box", consent.read_checkout_box)
        registries.add_eraser(consent.forget)
        registries.add_eraser(housekeeping.forget)
        registries.add_eraser(hooks.forget)
        registries.add_eraser(notices.forget)
        inbox.register()
        shown.register()
        public.add_owner("d", shopper.owner_of_confirmation)
        queue.register_drain("flows", engine.run_due)
        queue.register_drain("outbox", outbox.run_due)
        queue.register_drain("notices", notices.run_due)
        queue.register_drain("hooks", hooks.run_due, cluster="sync")
        queue.register_tick("calls", hooks.tidy)
        queue.register_tick("crashed messages", outbox.end_crashed)
        queue.register_tick("letters", housekeeping.tidy)
