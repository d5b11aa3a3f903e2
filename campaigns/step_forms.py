"""Forms made from the dataclass of a step's or trigger's parameters, so that a new kind needs no page of its own.

A field of the dataclass may say more by its metadata: `label`, `help`, `unit`, `choices` (pairs, or a function that
gives them), `widget` (text, textarea, time, times, date, template, url, hidden) and `low`, `high`. What it leaves out is
derived from its type and name. The form only refuses what has the wrong type; all else is for the step's own `faults()`, so that
a draft can be saved half done.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from campaigns.steps.split import MOST_VARIANTS
from campaigns.triggers.params import file_name
from stores.models import Store

Choices = list[tuple[str, Any]]


class Window(forms.MultiWidget):
    """Two times of day side by side."""

    use_fieldset = True

    def __init__(self) -> None:
        times = [
            forms.TimeInput(attrs={"type": "time", "aria-label": label}, format="%H:%M")
            for label in (_("From"), _("Until"))
        ]
        super().__init__(times)

    def decompress(self, value: Any) -> list[Any]:
        return list(value) if isinstance(value, list | tuple) and len(value) == 2 else [None, None]

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return format_html('<div class="pair">{}</div>', super().render(name, value, attrs, renderer))


class WindowField(forms.Field):
    """["10:00", "18:00"], or nothing."""

    widget = Window

    def clean(self, value: Any) -> list[str]:
        given = [str(one).strip()[:5] for one in value or [] if one]
        if len(given) == 1:
            raise ValidationError(_("Give both times, or none."))
        return given

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or []) != [one for one in data or [] if one]


class ListField(forms.CharField):
    """Several values, one on a line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def __init__(self, *, each: Any = str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.each = each if each in {int, str} else str

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        try:
            return [self.each(line.strip()) for line in str(value or "").splitlines() if line.strip()]
        except ValueError as error:
            raise ValidationError(_("Each line is a whole number.")) from error


class Ways(forms.MultiWidget):
    """The ways of a split: a name and a weight each, with empty rows for more."""

    use_fieldset = True

    def __init__(self) -> None:
        one = [
            widget
            for n in range(1, MOST_VARIANTS + 1)
            for widget in (
                forms.TextInput(attrs={"aria-label": _("Name of way %(n)s") % {"n": n}, "maxlength": 40}),
                forms.NumberInput(attrs={"aria-label": _("Weight of way %(n)s") % {"n": n}, "min": 1, "max": 1000}),
            )
        ]
        super().__init__(one)

    def decompress(self, value: Any) -> list[Any]:
        flat: list[Any] = []
        for each in value or []:
            flat += [each.get("name", ""), each.get("weight", 1)]
        return flat + [None] * (2 * MOST_VARIANTS - len(flat))

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[Any]:
        flat = super().value_from_datadict(data, files, name)
        return [
            {"name": (flat[n] or "").strip(), "weight": flat[n + 1] or 1, "row": n // 2} for n in range(0, len(flat), 2)
        ]

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return format_html('<div class="pair">{}</div>', super().render(name, value, attrs, renderer))

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        # MultiWidget takes a list for one that is taken apart already.
        return super().get_context(name, self.decompress(value), attrs)


class WaysField(forms.Field):
    """[{name, weight, row}]: which of the present ways each was, so that it keeps its steps."""

    widget = Ways

    def clean(self, value: Any) -> list[dict[str, Any]]:
        found = []
        for each in value or []:
            if not each["name"]:
                continue
            if not str(each["weight"]).isdecimal():
                raise ValidationError(_("A weight is a whole number."))
            found.append(each | {"weight": int(each["weight"])})
        return found


class ParamsForm(forms.Form):
    """The form of one step or trigger. `params()` is what the flow file keeps: only what is not the usual."""

    defaults: Mapping[str, Any]
    # No field is marked optional: what must be there is told by the step's faults, on its card.
    half_done_is_fine = True

    def params(self) -> dict[str, Any]:
        kept = {}
        for name, value in self.cleaned_data.items():
            plain = str(value) if isinstance(value, Decimal) else value
            # An emptied number is the usual one.
            if plain is not None and (name not in self.defaults or plain != self.defaults[name]):
                kept[name] = plain
        return kept


def make(params: type, raw: Mapping[str, Any], *, store: Store, data: Mapping[str, Any] | None = None) -> ParamsForm:
    """A form for the parameters, filled with those of the file (`raw`) or with what was typed (`data`).

    Conditions (mappings) are not in it: they have an editor of their own.
    """
    hints = typing.get_type_hints(params)
    fields: dict[str, forms.Field] = {}
    initial: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    for each in dataclasses.fields(params):
        name = file_name(each)
        made = _field(each, hints[each.name], raw.get(name), store)
        if made is None:
            continue
        fields[name] = made
        usual = _usual(each)
        if usual is not dataclasses.MISSING:
            defaults[name] = _plain(usual)
        initial[name] = raw.get(name, None if usual is dataclasses.MISSING else _plain(usual))
    kind = type("Params", (ParamsForm,), fields)
    form: ParamsForm = kind(data, initial=initial, prefix="p")
    form.defaults = defaults
    return form


def conditions_in(params: type) -> list[str]:
    """The parameters that are conditions."""
    hints = typing.get_type_hints(params)
    return [file_name(each) for each in dataclasses.fields(params) if _asks(hints[each.name])]


def trees_in(params: type) -> list[str]:
    """The parameters that are one condition each."""
    hints = typing.get_type_hints(params)
    return [file_name(each) for each in dataclasses.fields(params) if _bare(hints[each.name]) is dict]


def _asks(hint: Any) -> bool:
    """Whether a parameter is a condition or a list of them."""
    return _bare(hint) is dict or any(_bare(each) is dict for each in typing.get_args(hint))


def has_fields(params: type) -> bool:
    """Whether there is anything to set in a form."""
    return len(dataclasses.fields(params)) > len(conditions_in(params))


def blank(params: type) -> dict[str, Any]:
    """What a new step begins with: nothing but what a form cannot leave out."""
    hints = typing.get_type_hints(params)
    empty: dict[Any, Any] = {str: "", int: 0, bool: False, Decimal: "0", dict: {}, tuple: []}
    ways: list[dict[str, Any]] = [{"name": name, "weight": 1, "steps": []} for name in ("A", "B")]
    return {
        file_name(each): ways if each.metadata.get("widget") == "variants" else empty.get(_bare(hints[each.name]), "")
        for each in dataclasses.fields(params)
        if _usual(each) is dataclasses.MISSING
    }


def _usual(each: dataclasses.Field[Any]) -> Any:
    if each.default is not dataclasses.MISSING:
        return each.default
    return each.default_factory() if each.default_factory is not dataclasses.MISSING else dataclasses.MISSING


def _plain(value: Any) -> Any:
    """As the flow file keeps it."""
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Decimal) else value


def _bare(hint: Any) -> Any:
    """The type without "or None" and without what is in it."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        hint = next(each for each in typing.get_args(hint) if each is not type(None))
    return typing.get_origin(hint) or hint


def _field(each: dataclasses.Field[Any], hint: Any, now: Any, store: Store) -> forms.Field | None:
    said, bare = each.metadata, _bare(hint)
    wanted = str(said.get("widget") or _GUESSED.get(each.name, ""))
    label = str(said.get("label") or each.name.replace("_", " ").capitalize())
    common = {
        "label": _("%(label)s, in %(unit)s") % {"label": label, "unit": said["unit"]} if said.get("unit") else label,
        "help_text": said.get("help", ""),
        "required": False,
    }
    choices = said.get("choices") or None
    if wanted == "variants":
        return WaysField(**common)
    if wanted == "hidden" or _asks(hint):
        return None
    if wanted == "template":
        return forms.ChoiceField(choices=_with(messages_of(store), now), **common)
    if choices is not None and bare is tuple:
        options = choices() if callable(choices) else choices
        for one in now or []:
            options = _with(list(options), one)
        return forms.MultipleChoiceField(choices=list(options), widget=forms.CheckboxSelectMultiple, **common)
    if choices is not None:
        options = list(choices() if callable(choices) else choices)
        usual = _usual(each)
        if usual is not dataclasses.MISSING and str(usual) not in {str(key) for key, _label in options}:
            options = [(str(usual), _("the usual")), *options]
        return forms.TypedChoiceField(choices=_with(options, now), coerce=_coerce(bare), empty_value="", **common)
    if wanted == "times":
        return WindowField(**common)
    if bare is bool:
        return forms.BooleanField(**common)
    required = common | {"required": not _optional(hint) and _usual(each) is dataclasses.MISSING}
    if bare is int:
        return forms.IntegerField(min_value=said.get("low"), max_value=said.get("high"), **required)
    if bare is Decimal:
        return forms.DecimalField(**required)
    if bare is tuple:
        return ListField(each=next(iter(typing.get_args(hint)), str), **common)
    return forms.CharField(widget=_TEXT.get(wanted, _line)(), **common)


_GUESSED = {"template": "template", "between": "times", "until": "time"}


def _line() -> forms.Widget:
    return forms.TextInput()


_TEXT: dict[str, Callable[[], forms.Widget]] = {
    "textarea": lambda: forms.Textarea(attrs={"rows": 4}),
    "time": lambda: forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    "date": lambda: forms.DateInput(attrs={"type": "date"}),
    "url": forms.URLInput,
    "email": forms.EmailInput,
}


def _optional(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


def _coerce(bare: Any) -> Callable[[str], Any]:
    return int if bare is int else str


def _with(options: Choices, now: Any) -> Choices:
    """The choices and, when it is none of them, what stands there now: opening a form must not change the flow."""
    if now in (None, "") or str(now) in {str(key) for key, _label in options}:
        return options
    return [*options, (str(now), _("%(name)s (not there any more)") % {"name": now})]


def messages_of(store: Store) -> Choices:
    """The messages a step may send."""
    names = store.message_templates.order_by("name").values_list("name", flat=True)
    return [("", _("Choose a message")), *((name, name) for name in names)]
