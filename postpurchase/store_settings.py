"""The store's settings: how it speaks to its customers and what of the shop means what. One page, a form a section."""

import re
from datetime import time
from email.utils import formataddr
from typing import Any, cast

from anymail.exceptions import AnymailError
from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.channels import email
from campaigns.models import SendingRules
from postpurchase import colours
from postpurchase.errors import BusinessError
from reviews.models import ReviewSettings
from stores import audit, hooks
from stores.access import STORE_CONNECT, StoreRequest, store_view
from stores.models import Store

REACH = ("phone", "whatsapp", "chat", "email", "hours")
# Never in the audit log's difference: it holds a password.
SECRET = "email_url"  # noqa: S105
_COUNTRY = re.compile(r"[A-Z]{2}")
_DAYS = re.compile(r"(?P<name>.+?)\s*[:=]\s*(?P<min>\d{1,2})\s*(?:-|to|–)\s*(?P<max>\d{1,2})")


class Section(forms.ModelForm):
    """One part of the page. `heading` and `intro` stand over it; `section` says in the form which part was sent.

    The names must not be those of fields: a template looks a form's fields up first.
    """

    section = ""
    heading: Any = ""
    intro: Any = ""


class StoreSection(Section):
    section, heading = "store", gettext_lazy("Store")
    intro = gettext_lazy("Currency and time zone come from the shop itself.")
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=settings.LANGUAGES)

    class Meta:
        model = Store
        fields = ("name", "language", "country")
        labels = {"name": gettext_lazy("Name"), "country": gettext_lazy("Country, two letters")}

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).strip().upper()
        if country and not _COUNTRY.fullmatch(country):
            raise forms.ValidationError(_("Use the two letters of the country, such as RO."))
        return country


class SendingSection(Section):
    section, heading = "sending", gettext_lazy("Sending")
    intro = gettext_lazy("Who mails come from and how people reach you. The postal address stands in every mail.")
    phone = forms.CharField(label=gettext_lazy("Phone"), max_length=60, required=False)
    whatsapp = forms.CharField(label=gettext_lazy("WhatsApp"), max_length=60, required=False)
    chat = forms.URLField(label=gettext_lazy("Address of your chat"), required=False, assume_scheme="https")
    email = forms.EmailField(label=gettext_lazy("Email for questions"), required=False)
    hours = forms.CharField(label=gettext_lazy("When somebody answers"), max_length=120, required=False)
    email_url = forms.CharField(
        label=gettext_lazy("Mail account of your own"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy(
            "Such as smtp+tls://user:password@mail.example.com:587. Leave it empty to keep what is set; a dash (-) removes it."
        ),
    )

    class Meta:
        model = Store
        fields = ("mail_from", "mail_reply_to", "postal_address")
        labels = {
            "mail_from": gettext_lazy("Mails come from"),
            "mail_reply_to": gettext_lazy("Answers go to"),
            "postal_address": gettext_lazy("Postal address"),
        }
        widgets = {"postal_address": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["mail_from"].required = self.fields["postal_address"].required = True
        for key in REACH:
            self.fields[key].initial = self.instance.reach_us.get(key, "")

    def clean_mail_from(self) -> str:
        return self._address("mail_from")

    def clean_mail_reply_to(self) -> str:
        return self._address("mail_reply_to") if self.cleaned_data["mail_reply_to"] else ""

    def _address(self, field: str) -> str:
        given = str(self.cleaned_data[field])
        try:
            email.checked_address(given)
        except BusinessError as refusal:
            raise forms.ValidationError(refusal.message) from refusal
        return given

    def clean_email_url(self) -> str:
        given = str(self.cleaned_data["email_url"]).strip()
        if given and given != "-":
            try:
                email.backend_of(given)
            except BusinessError as refusal:
                raise forms.ValidationError(refusal.message) from refusal
        return given

    def save(self, commit: bool = True) -> Store:
        store = cast(Store, self.instance)
        kept = {key: value for key, value in store.reach_us.items() if key not in REACH}
        told = {key: self.cleaned_data[key] for key in REACH if self.cleaned_data[key]}
        store.reach_us = kept | told
        if account := self.cleaned_data["email_url"]:
            store.email_url = "" if account == "-" else account
        return cast(Store, super().save(commit))


class RulesSection(Section):
    """Caps and hours live in a row of their own (`campaigns.models.SendingRules`)."""

    section, heading = "rules", gettext_lazy("How much, and when")
    intro = gettext_lazy(
        "One limit for each person, over all flows and channels. What cannot go now waits, and is left out when it is no "
        "longer of use. Hours are those of the customer’s own place. Messages about an order go by email at any time."
    )
    marketing_per_week = forms.IntegerField(
        label=gettext_lazy("Marketing messages in 7 days, at most"), min_value=0, max_value=14
    )
    marketing_per_day = forms.IntegerField(
        label=gettext_lazy("Marketing messages in 24 hours, at most"), min_value=1, max_value=5
    )
    ask_gap_hours = forms.IntegerField(
        label=gettext_lazy("Hours between two questions for an opinion (review, survey)"), min_value=0, max_value=720
    )
    day_from = forms.TimeField(label=gettext_lazy("Emails from"), widget=forms.TimeInput(attrs={"type": "time"}))
    day_to = forms.TimeField(label=gettext_lazy("Emails until"), widget=forms.TimeInput(attrs={"type": "time"}))
    loud_from = forms.TimeField(
        label=gettext_lazy("SMS, WhatsApp and push from"), widget=forms.TimeInput(attrs={"type": "time"})
    )
    loud_to = forms.TimeField(
        label=gettext_lazy("SMS, WhatsApp and push until"), widget=forms.TimeInput(attrs={"type": "time"})
    )
    catch_up_per_minute = forms.IntegerField(
        label=gettext_lazy("After a stop, late messages in a minute"), min_value=1, max_value=6000
    )

    class Meta:
        model = Store
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row = SendingRules.objects.filter(store=self.instance).first() or SendingRules(store=self.instance)
        for name, field in self.fields.items():
            value = getattr(row, name)
            field.initial = value.strftime("%H:%M") if isinstance(value, time) else value

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        for start, end in (("day_from", "day_to"), ("loud_from", "loud_to")):
            if start in given and end in given and given[start] >= given[end]:
                self.add_error(end, _("The hours must begin before they end, on the same day."))
        return given

    def save(self, commit: bool = True) -> Store:
        SendingRules.objects.update_or_create(
            store=self.instance, defaults={name: self.cleaned_data[name] for name in self.fields}
        )
        return cast(Store, self.instance)


class BrandSection(Section):
    section, heading = "brand", gettext_lazy("Brand")
    intro = gettext_lazy("Mails and shopper pages wear your colour and mark.")
    logo_url = forms.URLField(label=gettext_lazy("Address of your logo"), required=False, assume_scheme="https")

    class Meta:
        model = Store
        fields = ("accent", "logo_url")
        labels = {"accent": gettext_lazy("Colour, such as #8A3F24")}

    def clean_accent(self) -> str:
        accent = str(self.cleaned_data["accent"]).strip().upper()
        if not colours.is_colour(accent):
            raise forms.ValidationError(_("A colour is # and six digits or letters A to F, such as #8A3F24."))
        readable = colours.brand(accent).light
        if readable.upper() != accent:
            raise forms.ValidationError(
                _("White text on %(accent)s cannot be read well. The nearest colour that can is %(readable)s.")
                % {"accent": accent, "readable": readable.upper()}
            )
        return accent


class ShopSection(Section):
    section, heading = "shop", gettext_lazy("What the shop tells")
    intro = gettext_lazy("Order fields that plugins write, and how long delivery takes where no carrier reports.")
    days = forms.CharField(
        label=gettext_lazy("Working days by shipping method"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("One method a line, as it is called at checkout: Courier: 1-3"),
    )

    class Meta:
        model = Store
        fields = ("opt_in_meta_key", "language_meta_key", "handling_days")
        labels = {
            "opt_in_meta_key": gettext_lazy("Order field with the consent box"),
            "language_meta_key": gettext_lazy("Order field with the language"),
            "handling_days": gettext_lazy("Working days until you hand over a parcel"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        table = self.instance.delivery_days.items()
        self.fields["days"].initial = "\n".join(f"{name}: {row['min']}-{row['max']}" for name, row in table)

    def clean_days(self) -> dict[str, dict[str, int]]:
        table = {}
        for line in str(self.cleaned_data["days"]).splitlines():
            if not line.strip():
                continue
            found = _DAYS.fullmatch(line.strip())
            if not found or int(found["min"]) > int(found["max"]):
                raise forms.ValidationError(_("“%(line)s” is not like “Courier: 1-3”.") % {"line": line.strip()[:60]})
            table[found["name"]] = {"min": int(found["min"]), "max": int(found["max"])}
        return table

    def save(self, commit: bool = True) -> Store:
        self.instance.delivery_days = self.cleaned_data["days"]
        return cast(Store, super().save(commit))


class FreshnessSection(Section):
    section, heading = "freshness", gettext_lazy("How changes arrive")
    intro = gettext_lazy("With webhooks the shop tells of a change within seconds, and polls catch what gets lost.")

    class Meta:
        model = Store
        fields = ("polling_only",)
        labels = {"polling_only": gettext_lazy("Go without webhooks")}
        help_texts = {
            "polling_only": gettext_lazy(
                "For shops that cannot call out, or should not. Orders are then asked for every five minutes: what happens is "
                "seen within six minutes, and nothing is lost. Webhooks made here are taken out of the shop."
            )
        }

    def save(self, commit: bool = True) -> Store:
        store = cast(Store, self.instance)
        hooks.choose(store, polling_only=self.cleaned_data["polling_only"])
        return store


class ConsentSection(Section):
    section, heading = "consent", gettext_lazy("Consent")
    intro = gettext_lazy("Where nothing is attested, nobody gets marketing without a consent of their own.")
    countries = forms.CharField(
        label=gettext_lazy("Countries"),
        required=False,
        help_text=gettext_lazy(
            "By naming a country (two letters, commas between) you attest that your checkout offers its buyers, "
            "when they give their address, to object to mails about similar goods."
        ),
    )

    class Meta:
        model = Store
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["countries"].initial = ", ".join(self.instance.soft_opt_in_countries)

    def clean_countries(self) -> list[str]:
        given = [part.strip().upper() for part in str(self.cleaned_data["countries"]).split(",") if part.strip()]
        for country in given:
            if not _COUNTRY.fullmatch(country):
                raise forms.ValidationError(_("“%(part)s” is not a country’s two letters.") % {"part": country[:20]})
        return sorted(set(given))

    def save(self, commit: bool = True) -> Store:
        self.instance.soft_opt_in_countries = self.cleaned_data["countries"]
        return cast(Store, super().save(commit))


class ReviewSection(Section):
    section, heading = "reviews", gettext_lazy("Reviews")
    intro = gettext_lazy("The same for one star and for five.")
    hours = forms.IntegerField(
        label=gettext_lazy("Publish reviews of real purchases by itself after hours"),
        required=False,
        min_value=0,
        max_value=720,
        help_text=gettext_lazy("Empty: each waits until you decide."),
    )

    class Meta:
        model = Store
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row = ReviewSettings.objects.filter(store=self.instance).first() or ReviewSettings(store=self.instance)
        self.fields["hours"].initial = row.auto_publish_hours

    def save(self, commit: bool = True) -> Store:
        ReviewSettings.objects.update_or_create(
            store=self.instance, defaults={"auto_publish_hours": self.cleaned_data["hours"]}
        )
        return cast(Store, self.instance)


SECTIONS: tuple[type[Section], ...] = (
    SendingSection,
    RulesSection,
    BrandSection,
    StoreSection,
    ShopSection,
    FreshnessSection,
    ConsentSection,
    ReviewSection,
)


@store_view(STORE_CONNECT)
def page(request: StoreRequest) -> HttpResponse:
    """GET shows all sections; POST saves the one that was sent, or sends a test mail. What is wrong stays as typed."""
    sent = request.POST.get("section", "")
    if sent == "test":
        _send_test(request)
        return redirect("settings", store=request.store.slug)
    sections = []
    for kind in SECTIONS:
        data = request.POST if sent == kind.section else None
        # Each form gets a store of its own, so that what one refuses is not shown by the others.
        form = kind(data, instance=Store.objects.get(pk=request.store.pk), auto_id=f"{kind.section}-%s")
        if data is not None and form.is_valid():
            _save(request, form)
            messages.success(request, _("%(section)s is saved.") % {"section": kind.heading})
            return redirect("settings", store=request.store.slug)
        sections.append(form)
    wrong = any(form.errors for form in sections)
    return render(request, "dashboard/settings.html", {"sections": sections}, status=422 if wrong else 200)


def _save(request: StoreRequest, form: Section) -> None:
    changed = [name for name in form.changed_data if name != SECRET]
    diff: dict[str, Any] = {
        name: [str(form.get_initial_for_field(form.fields[name], name)), str(form.cleaned_data[name])]
        for name in changed
    }
    if SECRET in form.changed_data:
        diff[SECRET] = ["(secret)", "(secret)"]
    with transaction.atomic():
        form.save()
        audit.record(request.store, f"settings.{form.section}", actor=request.user, diff=diff, request=request)


def _send_test(request: StoreRequest) -> None:
    """One mail through the store's own account, to the person who asks."""
    store, to = request.store, request.user.email
    if not store.mail_from:
        messages.error(request, _("Say first who mails come from. Nothing was sent."))
        return
    test = EmailMessage(
        _("A test from %(store)s") % {"store": store.name},
        _("If you read this, mails of %(store)s arrive.") % {"store": store.name},
        formataddr((store.name, store.mail_from)),
        [to],
        reply_to=[store.mail_reply_to] if store.mail_reply_to else None,
    )
    try:
        test.connection = email.connection_for(store)
        test.send()
    except (BusinessError, OSError, AnymailError) as error:
        said = error.message if isinstance(error, BusinessError) else str(error)
        messages.error(request, _("The test did not go out: %(said)s Nothing was changed.") % {"said": said})
    else:
        messages.success(request, _("A test is on its way to %(to)s.") % {"to": to})
