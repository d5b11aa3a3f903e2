"""Template tags of the dashboard: icons, money, numbers, times, addresses of lists."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from babel.numbers import format_decimal
from django import template
from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from postpurchase import clock, money

register = template.Library()

BADGE_ICONS = {"ok": "check", "warn": "clock", "bad": "bad", "info": "clock", "neutral": "skip"}
# Icons that mean a direction: mirrored in right-to-left scripts.
DIRECTED = {"start", "end", "back", "external", "sign-in", "sign-out", "truck"}


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """A decorative icon of the sprite; its meaning stands in words beside it."""
    directed = " i-dir" if name in DIRECTED else ""
    return format_html(
        '<svg class="i{}{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        directed,
        f" {css}" if css else "",
        static("vendor/icons.svg"),
        name,
    )


@register.filter
def badge_icon(state: str) -> str:
    """The usual icon of a badge's state."""
    return BADGE_ICONS.get(state, "skip")


@register.filter
def show_money(amount: Decimal | None, currency: str) -> str:
    """An amount for people, in the reader's notation: `{{ order.total|show_money:order.currency }}`."""
    if amount is None:
        return ""
    shown = money.show(abs(amount), currency, get_language() or "en")
    return f"−{shown}" if amount < 0 else shown


@register.filter
def number(value: Any, decimals: int = 0) -> str:
    """1284 as "1,284" in the reader's notation, with a fixed number of decimals."""
    if value is None or value == "":
        return ""
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    return str(format_decimal(value, format=pattern, locale=get_language() or "en"))


@register.filter
def percent(value: Any) -> str:
    """23.41 as "23.4%"; nothing for None."""
    return "" if value is None else f"{number(value, 1)}%"


@register.filter
def share(part: Any, whole: Any) -> str:
    """`part|share:whole` as "7.5%"; nothing when there is no whole."""
    return percent(Decimal(part) * 100 / Decimal(whole)) if whole else ""


def say_time(value: datetime, *, with_day: bool = True) -> str:
    """A local time in a few words: "10:41" or "Today 10:41", "Thu 12 Nov, 19:32", with the year when it is another."""
    local, now = timezone.localtime(value), timezone.localtime(clock.now())
    hours = date_format(local, "H:i")
    if local.date() == now.date():
        return _("Today %(time)s") % {"time": hours} if with_day else hours
    day = date_format(local, "D j M" if local.year == now.year else "j M Y")
    return f"{day}, {hours}"


@register.filter
def say_day(value: date | datetime | None) -> str:
    """A day in a few words: "Thu 12 Nov", with the year when it is another."""
    if value is None:
        return ""
    day = timezone.localtime(value).date() if isinstance(value, datetime) else value
    return date_format(day, "D j M" if day.year == timezone.localtime(clock.now()).year else "j M Y")


def say_ago(value: datetime) -> str:
    """ "2 min ago", "3 h ago", "4 days ago"."""
    gone = max(clock.now() - value, timedelta(0))
    minutes = int(gone.total_seconds() // 60)
    if minutes < 1:
        return _("just now")
    if minutes < 60:
        return _("%(n)d min ago") % {"n": minutes}
    if minutes < 48 * 60:
        return _("%(n)d h ago") % {"n": minutes // 60}
    days = minutes // (24 * 60)
    return ngettext("%(n)d day ago", "%(n)d days ago", days) % {"n": days}


def _time_element(value: datetime, text: str) -> SafeString:
    local = timezone.localtime(value)
    full = date_format(local, "l j F Y, H:i") + f" {local.tzname() or ''}"
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), full, text)


@register.filter
def at(value: datetime | None) -> str:
    """A <time> with the local day and time."""
    return "" if value is None else _time_element(value, say_time(value))


@register.filter
def clock_time(value: datetime | None) -> str:
    """A <time> that leaves the day out when it is today."""
    return "" if value is None else _time_element(value, say_time(value, with_day=False))


@register.filter
def ago(value: datetime | None) -> str:
    """A <time> with how long ago it was; the full time stands in its title."""
    return "" if value is None else _time_element(value, say_ago(value))


@register.filter
def initials(name: str) -> str:
    """ "Ana Marinescu" as "AM", an address as its first letter."""
    words = [word for word in str(name).split("@")[0].replace(".", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


@register.filter
def own_language(code: str) -> str:
    """The language's own name for a code that the shop gave; the code itself when we have none."""
    return dict(settings.LANGUAGES).get(code[:2], code)


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The present address's query string with some keys changed; None takes one away."""
    request: HttpRequest = context["request"]
    params = request.GET.copy()
    for key, value in changes.items():
        if value is None:
            params.pop(key, None)
        else:
            params[key] = str(value)
    encoded = params.urlencode()
    return f"?{encoded}" if encoded else request.path
