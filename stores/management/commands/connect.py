"""`manage.py connect URL --key K --secret S`: check a shop live and connect it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from postpurchase.errors import BusinessError
from stores import connect
from stores.models import Membership, Store, User
from stores.woo.probe import Step

_MARKS = {"ok": "ok  ", "warn": "warn", "bad": "FAIL"}


class Command(BaseCommand):
    help = (
        "Connects a WooCommerce shop by its keys after live checks; a store that has the slug already gets new keys. "
        "Exit code 0 connected, 1 a check failed, 2 wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url", help="address of the shop, as in the browser")
        parser.add_argument("--key", required=True, help="consumer key")
        parser.add_argument("--secret", required=True, help="consumer secret")
        parser.add_argument("--ca", help="file of certificates to trust, for a shop with an authority of its own")
        parser.add_argument("--slug", default="", help="short name in our addresses; of a known store: reconnect it")
        parser.add_argument("--owner", help="e-mail address of the person who shall own the store")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = None
        if options["owner"]:
            owner = User.objects.filter(email__iexact=options["owner"]).first()
            if owner is None:
                raise CommandError(f"Nobody signs in as {options['owner']}. Nothing was changed.", returncode=2)
        store = Store.objects.filter(slug=options["slug"]).first() if options["slug"] else None
        try:
            connected = connect.connect(
                options["url"],
                key=options["key"],
                secret=options["secret"],
                store=store,
                user=owner,
                ca=options["ca"],
                slug=options["slug"],
                on_step=self._print,
            )
        except BusinessError as problem:
            raise CommandError(f"{problem.message} [{problem.code}]", returncode=1) from None
        if store and owner:
            Membership.objects.get_or_create(store=connected, user=owner, defaults={"role": Membership.Role.OWNER})
        self.stdout.write(f"Connected {connected.name} as {connected.slug}. Its history is read by the worker.")

    def _print(self, step: Step) -> None:
        self.stdout.write(
            " ".join(part for part in (_MARKS[step.state], step.label, "-" if step.text else "", step.text) if part)
        )
        if step.fix:
            self.stdout.write(f"     {step.fix}")
