"""The points ledger as a file: all entries out, gifts of points in."""

from typing import Any

from import_export import fields, resources
from import_export.instance_loaders import BaseInstanceLoader

from loyalty import ledger
from loyalty.models import Entry
from stores.models import Customer, Store


class EntryResource(resources.ModelResource):
    """One row an entry."""

    customer = fields.Field(attribute="account__customer__email", column_name="customer")

    class Meta:
        model = Entry
        fields = ("at", "customer", "kind", "points", "reason", "note")
        export_order = fields


class _NothingToUpdate(BaseInstanceLoader):
    """The ledger is append only: no row of a file ever finds an entry to change."""

    def get_instance(self, row: Any) -> None:
        return None


class PointsImport(resources.Resource):
    """Points from a file with the columns email, points, reason, reference: each row gives points to a known customer.

    `reference` makes a repeated import harmless: a row whose reference was imported before gives nothing. Made with the
    store: `PointsImport(store=store).import_data(dataset, dry_run=True)`; a dry run writes nothing.
    """

    email = fields.Field(column_name="email")
    points = fields.Field(column_name="points")
    reason = fields.Field(column_name="reason")
    reference = fields.Field(column_name="reference")

    class Meta:
        import_id_fields = ("reference",)
        instance_loader_class = _NothingToUpdate
        use_transactions = True
        skip_diff = True

    def __init__(self, *, store: Store) -> None:
        super().__init__()
        self.store = store

    def init_instance(self, row: Any = None) -> dict[str, Any]:
        return {}

    def import_instance(self, instance: dict[str, Any], row: Any, **kwargs: Any) -> None:
        email = str(row.get("email") or "").strip()
        customer = Customer.objects.filter(store=self.store, email_key=email.lower()).first()
        if customer is None:
            raise ValueError(f"No customer of this store has the address {email!r}.")
        text = str(row.get("points") or "").strip()
        if not text.isdigit() or not 0 < int(text) <= 1_000_000:
            raise ValueError(f"{text!r} is not a number of points from 1 to 1,000,000.")
        reference = str(row.get("reference") or "").strip()
        if not reference or len(reference) > 100:
            raise ValueError("Each row needs a reference of 1 to 100 characters, so that a repeat gives nothing twice.")
        instance |= {
            "customer": customer,
            "points": int(text),
            "reason": str(row.get("reason") or "Imported")[:200],
            "key": f"import:{reference}",
        }

    def skip_row(self, instance: dict[str, Any], original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        return bool(instance) and Entry.objects.filter(store=self.store, key=instance["key"]).exists()

    def save_instance(self, instance: dict[str, Any], is_create: bool, row: Any, **kwargs: Any) -> None:
        if not kwargs.get("dry_run"):
            ledger.give(
                self.store,
                instance["customer"],
                points=instance["points"],
                key=instance["key"],
                reason=instance["reason"],
            )
