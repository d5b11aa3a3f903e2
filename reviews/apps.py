from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    name = "reviews"

    def ready(self) -> None:
        """Register with the registries below."""
        from postpurchase import queue
        from reviews import fields, handlers, moderation, publishing, shown

        publishing.register()
        fields.register()
        handlers.register_links()
        shown.register()
        queue.register_tick("auto-publish reviews", moderation.publish_due)
