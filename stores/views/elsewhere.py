"""Orders from elsewhere by file: upload, say what the columns hold, try, import."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from postpurchase.errors import BusinessError
from stores import audit
from stores.access import STORE_CONNECT, StoreRequest, store_view
from stores.elsewhere import channels, files, importing
from stores.elsewhere.fields import FIELDS, NEEDED
from stores.models import Job, Order, OrderFile, Store

SHOWN = 10
MOST_BYTES = 500 * 1024 * 1024
_OPEN = {Job.Status.QUEUED, Job.Status.RUNNING, Job.Status.PAUSED}
# How an import stands: (banner state, icon, sentence).
_STANDS: dict[str, tuple[str, str, Any]] = {
    Job.Status.QUEUED: ("info", "clock", gettext_lazy("This file is about to be imported.")),
    Job.Status.RUNNING: ("info", "clock", gettext_lazy("This file is being imported.")),
    Job.Status.PAUSED: ("warn", "pause", gettext_lazy("The import of this file is paused.")),
    Job.Status.DONE: ("info", "check", gettext_lazy("This file was imported.")),
    Job.Status.FAILED: ("bad", "bad", gettext_lazy("The import of this file broke off. What was imported stays.")),
    Job.Status.CANCELLED: (
        "warn",
        "x",
        gettext_lazy("The import of this file was cancelled. What was imported before stays; the rest is not in."),
    ),
}


class UploadForm(forms.Form):
    """Where a file comes from, and whom of there flows may write to."""

    channel = forms.CharField(
        label=gettext_lazy("Sales channel"),
        max_length=40,
        help_text=gettext_lazy("A short name, such as market or till. The same name again updates its orders."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    contact = forms.ChoiceField(
        label=gettext_lazy("Its buyers may be written to"),
        choices=[
            ("", gettext_lazy("As it is; about the order only for a new channel")),
            *((choice.value, choice.label) for choice in Order.Contact),
        ],
        required=False,
        help_text=gettext_lazy("Marketplaces as a rule allow messages about the order only. Holds for all its orders."),
    )
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        help_text=gettext_lazy(
            "The first row names the columns. Nothing is imported before you have seen what it does."
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.tsv,text/csv"}),
    )

    def clean_file(self) -> Any:
        given = self.cleaned_data["file"]
        if given.size > MOST_BYTES:
            raise ValidationError(
                _("The file is larger than 500 MB. Nothing was stored. Cut it, or import it on the server.")
            )
        return given


class MappingForm(forms.Form):
    """Which column holds what, and how amounts and dates are written."""

    def __init__(self, source: OrderFile, *args: Any) -> None:
        columns: list[str] = source.layout["columns"]
        mapped = source.mapping["columns"]
        super().__init__(*args)
        choices = [("", _("Not in the file")), *((str(place), name) for place, name in enumerate(columns))]
        for name, label in FIELDS.items():
            here = columns.index(mapped[name]) if mapped.get(name) in columns else None
            self.fields[name] = forms.ChoiceField(
                label=label,
                choices=choices,
                required=name in NEEDED,
                initial="" if here is None else str(here),
                help_text=_example(source, here),
            )
        self.fields["decimal"] = forms.ChoiceField(
            label=_("Amounts are written"),
            choices=[(".", "1,234.56"), (",", "1.234,56")],
            initial=source.mapping["decimal"],
        )
        self.fields["day_first"] = forms.ChoiceField(
            label=_("03/04/2026 is"),
            choices=[("1", _("3 April")), ("0", _("4 March"))],
            initial="1" if source.mapping["day_first"] else "0",
        )
        self.fields["usual_currency"] = forms.RegexField(
            r"^[A-Za-z]{3}$",
            label=_("Currency where no column tells it"),
            required=False,
            initial=source.mapping.get("currency") or source.store.currency,
        )
        self.columns = columns

    def mapping(self) -> dict[str, Any]:
        """The same form as `Channel.mapping`."""
        given = self.cleaned_data
        return {
            "columns": {name: self.columns[int(given[name])] for name in FIELDS if given[name]},
            "decimal": given["decimal"],
            "day_first": given["day_first"] == "1",
            "currency": given["usual_currency"].upper(),
        }


def _example(source: OrderFile, place: int | None) -> str:
    if place is None:
        return ""
    values = [row[place] for row in source.layout["sample"] if place < len(row) and row[place]]
    return _("Such as: %(values)s") % {"values": " · ".join(dict.fromkeys(values[:3]))} if values else _("It is empty.")


def _recent(store: Store) -> list[OrderFile]:
    return list(store.order_files.select_related("channel", "job").order_by("-uploaded_at")[:SHOWN])


@store_view(STORE_CONNECT)
def upload(request: StoreRequest) -> HttpResponse:
    """Choose a file and its channel; the files so far."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            with transaction.atomic():
                channel = channels.open_channel(request.store, given["channel"], contact=given["contact"] or None)
                source = files.keep(
                    request.store, channel, given["file"].name, given["file"].chunks(), user=request.user
                )
                audit.record(request.store, "orders.upload", actor=request.user, target=source.name, request=request)
        except ValidationError as error:
            form.add_error("channel", error.messages[0])
        except BusinessError as refused:
            form.add_error("channel" if refused.code == "channel_taken" else "file", refused.message)
        else:
            return redirect("order_file", store=request.store.slug, pk=source.pk)
    context = {
        "form": form,
        "files": _recent(request.store),
        "channels": request.store.channels.order_by("name"),
    }
    return render(request, "stores/orders_upload.html", context)


@store_view(STORE_CONNECT)
def order_file(request: StoreRequest, pk: int) -> HttpResponse:
    """Map the columns of a file, try it, and import it."""
    source = get_object_or_404(request.store.order_files.select_related("channel", "trial", "job"), pk=pk)
    source.store = request.store
    form = MappingForm(source, request.POST or None)
    if request.method == "POST" and form.is_valid():
        dry = request.POST.get("action") != "import"
        source.mapping = form.mapping()
        try:
            job = importing.start(source, dry=dry, user=request.user)
        except BusinessError as refused:
            form.add_error(None, refused.message)
        else:
            audit.record(
                request.store,
                "orders.try" if dry else "orders.import",
                actor=request.user,
                target=source.name,
                request=request,
            )
            if dry:
                return redirect("order_file", store=request.store.slug, pk=pk)
            messages.success(request, _("The import has begun."))
            return redirect("job", store=request.store.slug, pk=job.pk)
    trial, imported = source.trial, source.job
    context = {
        "source": source,
        "stands": _STANDS[imported.status] if imported else None,
        "may_import": bool(source.file) and (imported is None or imported.status == Job.Status.CANCELLED),
        "form": form,
        "trial": trial,
        "trying": trial is not None and trial.status in _OPEN,
        # A trial of another mapping says nothing about this one.
        "tried": trial is not None
        and trial.status == Job.Status.DONE
        and trial.params.get("mapping") == source.mapping
        and not form.errors,
        "counts": [
            (label, trial.result.get(name, 0))
            for name, label in (
                ("new", _("New")),
                ("changed", _("Changed")),
                ("unchanged", _("As they are")),
                ("refused", _("Refused")),
            )
        ]
        if trial and trial.result
        else [],
        "faults": importing.refused(source, trial) if trial else [],
        "sample": [row[:8] for row in source.layout["sample"][:3]],
        "columns": source.layout["columns"][:8],
    }
    return render(request, "stores/order_file.html", context)
