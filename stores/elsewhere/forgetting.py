"""Files on their way in, and the rows that were refused of them, forget a person who is erased.

A row is overwritten in place with as many separators, which read as an empty row: so the places that a running job keeps
in these files stay true, and nothing of the person is left on the disk under the old name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, Any

from django.core.files.storage import Storage

from stores.elsewhere import files, importing
from stores.models import Customer, Job, Order, OrderFile
from stores.models.people import PHONE_DIGITS

_MOST_DIGITS = 16


@dataclass(frozen=True)
class _Person:
    emails: frozenset[str]
    phone: str  # its last digits, "" for none
    names: tuple[str, str]
    orders: frozenset[tuple[str, str]]  # (channel, id there)

    def is_in(self, cells: Sequence[str], channel: str) -> bool:
        """Whether a row tells of the person; rather a row too many, since it can be uploaded again."""
        said = [cell.strip().casefold() for cell in cells if cell]
        if any(email in cell for email in self.emails for cell in said):
            return True
        if self.phone and any(self.phone == _digits(cell) for cell in said):
            return True
        first, last = self.names
        if first and last and any(first in cell for cell in said) and any(last in cell for cell in said):
            return True
        return any((channel, files.clean(cell)) in self.orders for cell in cells)


def _digits(cell: str) -> str:
    found = "".join(sign for sign in cell if sign.isdecimal())
    return found[-PHONE_DIGITS:] if PHONE_DIGITS <= len(found) <= _MOST_DIGITS else ""


def _who(customer: Customer) -> _Person:
    orders = Order.objects.filter(store=customer.store, customer=customer)
    emails = {customer.email, customer.email_key, *orders.values_list("email", flat=True).distinct()}
    return _Person(
        frozenset(email.strip().casefold() for email in emails if "@" in email),
        _digits(customer.phone) or _digits(customer.email_key.partition("phone:")[2]),
        (customer.first_name.strip().casefold(), customer.last_name.strip().casefold()),
        frozenset(orders.filter(woo_id__isnull=True).values_list("channel", "external_id")),
    )


def forget_person(customer: Customer) -> None:
    """This folder's part of `registries.erase`; called before the mirror forgets, by which the person is found."""
    if customer.erased_at is not None:
        return
    person = _who(customer)
    for source in OrderFile.objects.filter(store=customer.store).exclude(file="").select_related("channel"):
        channel, layout = source.channel.name, source.layout
        _blank(source.file.storage, str(source.file.name), layout["separator"], layout["begins"], person, channel)
        kept = [row for row in layout["sample"] if not person.is_in(row, channel)]
        if kept != layout["sample"]:
            OrderFile.objects.filter(pk=source.pk).update(layout={**layout, "sample": kept})
    for job in _refusing(customer):
        channel = OrderFile.objects.filter(pk=job.params["file"]).values_list("channel__name", flat=True).first() or ""
        _blank(job.error_file.storage, str(job.error_file.name), ",", 0, person, channel)


def _refusing(customer: Customer) -> Iterable[Job]:
    kinds = [importing.KIND, importing.TRIAL]
    return Job.objects.filter(store=customer.store, kind__in=kinds).exclude(error_file="")


def _blank(storage: Storage, name: str, separator: str, begins: int, person: _Person, channel: str) -> None:
    if not storage.exists(name):
        return
    handle: IO[Any]
    with storage.open(name, "r+b") as opened:
        handle = opened.file or opened
        handle.seek(begins)
        before, gone = begins, []
        for ends, cells in files.records(handle, separator, 1):
            if any(cells) and person.is_in(cells, channel):
                gone.append((before, ends))
            before = ends
        for start, end in gone:
            handle.seek(start)
            row = handle.read(end - start)
            body = row.rstrip(b"\r\n")
            handle.seek(start)
            handle.write(separator.encode() * len(body) + row[len(body) :])
