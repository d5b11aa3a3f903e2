"""People's own pages: first run, account, look. They belong to no store."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, password_validation
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from stores import audit
from stores.models import User

YEAR = 365 * 24 * 3600


class OwnerForm(forms.Form):
    """The first person of the installation."""

    name = forms.CharField(label=gettext_lazy("Your name"), max_length=120)
    email = forms.EmailField(label=gettext_lazy("Email"), widget=forms.EmailInput(attrs={"autocomplete": "username"}))
    password = forms.CharField(
        label=gettext_lazy("Password"),
        help_text=gettext_lazy("At least 10 characters. A short sentence is good and easy to keep in mind."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        if password := cleaned.get("password"):
            person = User(email=cleaned.get("email", ""), name=cleaned.get("name", ""))
            try:
                password_validation.validate_password(password, person)
            except forms.ValidationError as weak:
                self.add_error("password", weak)
        return cleaned


def setup(request: HttpRequest) -> HttpResponse:
    """First run: makes the owner while nobody exists; afterwards there is no such page."""
    if User.objects.exists():
        raise Http404
    form = OwnerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        with transaction.atomic():
            # Of two first visitors only one may become the owner; both see the other's row or wait for it.
            if User.objects.select_for_update().exists():
                raise Http404
            owner = User.objects.create_superuser(given["email"], given["password"], name=given["name"])
            audit.record(None, "owner.create", actor=owner, request=request)
        login(request, owner, backend=settings.AUTHENTICATION_BACKENDS[0])
        return redirect("/setup/connect/")
    return render(request, "account/setup.html", {"form": form})


class AccountForm(forms.ModelForm):
    """What a person may change about themselves."""

    language = forms.ChoiceField(label=gettext_lazy("Language of the dashboard"), choices=settings.LANGUAGES)
    theme = forms.ChoiceField(
        label=gettext_lazy("Theme"),
        choices=[
            ("system", gettext_lazy("As the system")),
            ("light", gettext_lazy("Light")),
            ("dark", gettext_lazy("Dark")),
        ],
    )
    density = forms.ChoiceField(
        label=gettext_lazy("Rows of tables"),
        choices=[("comfortable", gettext_lazy("Comfortable")), ("compact", gettext_lazy("Compact"))],
    )

    class Meta:
        model = User
        fields = ("name", "language", "theme", "density")


def _remember(response: HttpResponse, user: User) -> HttpResponse:
    """Let the sign-in page of this browser look and speak the same."""
    response.set_cookie("theme", user.theme, max_age=YEAR, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        user.language,
        max_age=YEAR,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Name, language, look, and the way to password and second factor."""
    user = cast(User, request.user)
    form = AccountForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return _remember(redirect("account"), user)
    return render(request, "account/account.html", {"form": form})


@require_POST
@login_required
def look(request: HttpRequest) -> HttpResponse:
    """Change theme or density from the account menu and go back to the page."""
    user = cast(User, request.user)
    theme, density = request.POST.get("theme"), request.POST.get("density")
    if theme in {"system", "light", "dark"}:
        user.theme = theme
    if density in {"comfortable", "compact"}:
        user.density = density
    user.save(update_fields=["theme", "density"])
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return _remember(redirect(target if safe else "/"), user)
