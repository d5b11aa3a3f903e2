"""`manage.py audit_ledgers`: prove that every balance is the sum of its entries."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from loyalty import ledger
from loyalty.models import Account, Entry
from stores.models import Store


class Command(BaseCommand):
    help = "Recompute every points balance from its entries. Changes nothing; exits with 1 when one differs."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--store", help="slug of one store; all stores without it")

    def handle(self, *args: Any, **options: Any) -> None:
        store = None
        if options["store"]:
            store = Store.objects.filter(slug=options["store"]).first()
            if store is None:
                raise CommandError(f"There is no store {options['store']!r}.", returncode=2)
        accounts = Account.objects.filter(store=store) if store else Account.objects.all()
        entries = Entry.objects.filter(store=store) if store else Entry.objects.all()
        wrong = ledger.check_balances(store)
        for finding in wrong:
            account = finding.account
            self.stdout.write(
                f"account {account.pk}: says {account.usable} usable and {account.pending} pending, "
                f"its entries sum to {finding.usable} and {finding.pending}"
            )
        awards = ledger.check_awards(store)
        for award in awards:
            self.stdout.write(f"award {award.pk} ({award.subject}): posted {award.posted}, target {award.target}")
        self.stdout.write(f"{accounts.count()} accounts, {entries.count()} entries, {len(wrong) + len(awards)} differ")
        if wrong or awards:
            raise CommandError("The ledger does not prove itself. Nothing was changed; see the lines above.")
