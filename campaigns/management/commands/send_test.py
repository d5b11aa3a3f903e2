"""`manage.py send_test MESSAGE --to ADDRESS [--store SLUG] [--language ro] [--for ORDER-OR-EMAIL]`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns import mail_tests
from postpurchase.errors import BusinessError
from stores.management.commands.backfill import pick_store


class Command(BaseCommand):
    help = "Sends a message to an address of yours, as a real customer or an example would get it. It counts nowhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("message", help="name of the text, such as R06.review_request")
        parser.add_argument("--to", required=True, help="the address that gets it")
        parser.add_argument("--store", help="slug; needed when there are several")
        parser.add_argument("--language", default="", help="en, ro or id; by default the store's")
        parser.add_argument(
            "--for", dest="who", default="", help="order number or email of the customer to write as for"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        store = pick_store(options["store"])
        try:
            sent = mail_tests.send_named(
                store,
                options["message"],
                to=options["to"],
                language=options["language"],
                who=options["who"],
                actor="command line",
            )
        except BusinessError as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"Sent to {sent['to']}: {sent['subject']}")
