"""Liquid with its teeth drawn: merchants write templates, so loops, memory and reach are limited.

Only dict, list, str, Decimal, int, bool and None go in; nothing in a template can reach a Python object. `safe` is gone
(it would undo escaping), `date` too (its width field allocates memory; dates come formatted), and nothing loads files.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache, wraps
from typing import Any

from liquid import BoundTemplate, Environment, Mode, StrictUndefined
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import LiquidError, UndefinedError

from postpurchase.errors import BusinessError

RANGE_LIMIT = 1000
VALUE_LIMIT = 20_000
PRODUCT_LIMIT = 4_000_000
_DROPPED_FILTERS = ("safe", "date", "base64_decode", "base64_url_safe_decode", "escapejs")
_DROPPED_TAGS = ("include", "render", "tablerow")


class _TooMuch(LiquidError):
    pass


def _capped_range(self: RangeLiteral, context: Any) -> range:
    # Ranges inside filters escape the loop limit: `(1..100000000) | join` would take gigabytes. A range is lazy, so its
    # length is known before anything is built.
    span = self._make_range(self.start.evaluate(context), self.stop.evaluate(context))
    if len(span) > RANGE_LIMIT:
        raise _TooMuch(f"a range of {len(span)} steps; at most {RANGE_LIMIT} are allowed", token=self.token)
    return span


RangeLiteral.evaluate = _capped_range  # type: ignore[method-assign]


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose result stays small, and which is not even begun when two long values would be multiplied."""

    @wraps(function)
    def inner(value: Any, *args: Any, **kwargs: Any) -> Any:
        lengths = [len(part) for part in (value, *args) if isinstance(part, str | list | tuple | range)]
        if len(lengths) > 1 and lengths[0] * max(lengths[1:]) > PRODUCT_LIMIT:
            raise _TooMuch("a filter would make too long a text", token=None)
        result = function(value, *args, **kwargs)
        if isinstance(result, str | list | tuple) and len(result) > VALUE_LIMIT:
            raise _TooMuch(f"a value is longer than {VALUE_LIMIT}", token=None)
        return result

    return inner


class _Guarded(Environment):
    loop_iteration_limit = 2000
    output_stream_limit = 200_000
    local_namespace_limit = 100_000
    context_depth_limit = 8


def _environment(*, autoescape: bool) -> _Guarded:
    environment = _Guarded(tolerance=Mode.STRICT, undefined=StrictUndefined, autoescape=autoescape)
    for name in _DROPPED_FILTERS:
        environment.filters.pop(name, None)
    for name, function in environment.filters.items():
        environment.filters[name] = _bounded(function)
    for name in _DROPPED_TAGS:
        environment.tags.pop(name, None)
    return environment


_html, _text = _environment(autoescape=True), _environment(autoescape=False)


@lru_cache(maxsize=512)
def _parse(source: str, part: str) -> BoundTemplate:
    return (_html if part == "html" else _text).from_string(source, name=part)


def check(source: str, *, where: str) -> frozenset[str]:
    """Parse a template; the names of the variables it uses. BusinessError `template_syntax` names place and line."""
    try:
        return frozenset(_parse(source, "text").analyze().globals)
    except LiquidError as error:
        raise BusinessError(
            f"{where}, line {_line(error, source)}: {_words(error)}. Nothing was saved. Correct that line and save again.",
            "template_syntax",
        ) from error


def fill(source: str, context: Mapping[str, Any], *, part: str) -> str:
    """Render a template; `part` is "html" (values escaped), "text", "subject" or "preheader" (as they are).

    BusinessError `template_variable` for a variable that the message does not have, `template_limit` for a template
    that wants too much; both name part and line. TypeError when the context holds anything but plain data.
    """
    _plain(context)
    try:
        return _parse(source, part).render(**context)
    except UndefinedError as error:
        raise BusinessError(
            f"The {part}, line {_line(error, source)}: {_words(error)}. Nothing was sent. "
            "Take the variable out of the template, or use it only where the message has it.",
            "template_variable",
        ) from error
    except (LiquidError, RecursionError, ValueError, ArithmeticError) as error:
        raise BusinessError(
            f"The {part}, line {_line(error, source)}: {_words(error)}. Nothing was sent. Simplify the template.",
            "template_limit",
        ) from error


def _plain(value: Any, depth: int = 0) -> None:
    if depth > 8:
        raise TypeError("the context is nested too deeply")
    if isinstance(value, Mapping):
        for item in value.values():
            _plain(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _plain(item, depth + 1)
    # Exact types: a Markup is a str, and would go unescaped into the mail.
    elif type(value) not in {str, Decimal, int, bool, type(None)}:
        raise TypeError(f"{type(value).__name__} may not go into a template")


def _line(error: BaseException, source: str) -> int:
    token = getattr(error, "token", None)
    # A tag that never ends has no place: it is missing at the end.
    if token is None or token.start_index < 0:
        return source.count("\n") + 1
    return int(token.source.count("\n", 0, token.start_index)) + 1


def _words(error: BaseException) -> str:
    return str(getattr(error, "message", None) or error).strip().rstrip(".")
