"""Makes, lists and revokes keys for machines."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from postpurchase import clock
from stores import audit
from stores.api_keys import SCOPES, create_api_key, revoke_api_key
from stores.models import ApiKey, Store

ACTOR = "command line"


class Command(BaseCommand):
    help = "API keys of a store: create, list, revoke."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a key; its secret is printed once")
        create.add_argument("--store", required=True, metavar="SLUG")
        create.add_argument("--scopes", required=True, help=f"comma-separated: {', '.join(sorted(SCOPES))}")
        create.add_argument("--name", default="command line", help="what the key is for")
        create.add_argument("--days", type=int, help="days until it expires; without it, never")
        listing = actions.add_parser("list", help="the keys of a store, or of all")
        listing.add_argument("--store", metavar="SLUG")
        revoke = actions.add_parser("revoke", help="end a key at once")
        revoke.add_argument("prefix", help="the part between the underscores: pp_<prefix>_...")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['action']}")(options)

    def _create(self, options: dict[str, Any]) -> None:
        store = _store(options["store"])
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        expires = clock.now() + timedelta(days=options["days"]) if options["days"] else None
        try:
            key, text = create_api_key(store, name=options["name"], scopes=scopes, expires_at=expires)
        except ValueError as error:
            raise CommandError(f"No key was made: {error}.") from error
        audit.record(store, "api_key.create", actor=ACTOR, target=key.prefix, diff={"scopes": key.scopes})
        self.stdout.write(text)
        self.stderr.write("Keep it now; it cannot be shown again.")

    def _list(self, options: dict[str, Any]) -> None:
        keys = ApiKey.objects.select_related("store").order_by("store__slug", "created_at")
        if options["store"]:
            keys = keys.filter(store=_store(options["store"]))
        for key in keys:
            used = f"last used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            ended = key.expires_at is not None and key.expires_at <= clock.now()
            state = "revoked" if key.revoked_at else "expired" if ended else "live"
            self.stdout.write(f"{key.store.slug}  {key.prefix}  {state}  {used}  {','.join(key.scopes)}  {key.name}")

    def _revoke(self, options: dict[str, Any]) -> None:
        key = ApiKey.objects.select_related("store").filter(prefix=options["prefix"], revoked_at=None).first()
        if key is None or not revoke_api_key(key):
            raise CommandError(f"There is no live key {options['prefix']!r}. Nothing was changed.")
        audit.record(key.store, "api_key.revoke", actor=ACTOR, target=key.prefix)
        self.stdout.write(f"Revoked {key.prefix} of {key.store.slug}.")


def _store(slug: str) -> Store:
    store = Store.objects.filter(slug=slug).first()
    if store is None:
        known = ", ".join(Store.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no store {slug!r}. Nothing was changed. Known: {known}.")
    return store
