"""The typed condition tree: `{all|any|not: [...]}` or `{field, op, value}`, checked when saved, judged for one person.

Each app registers its fields in `AppConfig.ready()`. A field loads its values for many subjects at once, so that judging
a batch of people costs the same number of queries as judging one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from stores.models import Customer, Order, OrderLine, Store

Condition = Mapping[str, Any]
MAX_DEPTH = 5


@dataclass(frozen=True)
class Subject:
    """About whom a condition is judged: a customer, usually with the order and the event at hand."""

    store: Store
    customer: Customer
    order: Order | None = None
    event: Mapping[str, Any] = field(default_factory=dict)
    line: OrderLine | None = None


# Values of the subjects, in their order; None where there is nothing to tell (no order).
Load = Callable[[Sequence[Subject]], list[Any]]


@dataclass(frozen=True)
class Field:
    """Something one may ask about. `kind` is number, text, list or bool; `label` reads as "the order's total"."""

    name: str
    label: str
    kind: str
    load: Load


@dataclass(frozen=True)
class Operator:
    """A comparison: its words, the kinds it fits, whether it takes a list, and the test itself."""

    words: str
    kinds: tuple[str, ...]
    test: Callable[[Any, Any], bool]
    takes_list: bool = False
    takes_value: bool = True


OPERATORS: dict[str, Operator] = {
    "is": Operator("is", ("number", "text", "bool"), lambda seen, value: seen == value),
    "is_not": Operator("is not", ("number", "text", "bool"), lambda seen, value: seen != value),
    "in": Operator("is one of", ("number", "text"), lambda seen, value: seen in value, takes_list=True),
    "not_in": Operator("is none of", ("number", "text"), lambda seen, value: seen not in value, takes_list=True),
    "gt": Operator("is more than", ("number",), lambda seen, value: seen > value),
    "gte": Operator("is at least", ("number",), lambda seen, value: seen >= value),
    "lt": Operator("is less than", ("number",), lambda seen, value: seen < value),
    "lte": Operator("is at most", ("number",), lambda seen, value: seen <= value),
    "contains": Operator("contains", ("text", "list"), lambda seen, value: value in seen),
    "is_set": Operator(
        "is known", ("number", "text", "list", "bool"), lambda seen, value: bool(seen), takes_value=False
    ),
}

_fields: dict[str, Field] = {}


def register(new: Field) -> None:
    """Add a field; the same name again replaces it."""
    _fields[new.name] = new


def fields() -> list[Field]:
    """All fields, by name."""
    return [_fields[name] for name in sorted(_fields)]


def _children(tree: Condition) -> list[Any] | None:
    """The conditions under all, any or not; None for a leaf."""
    for joint in ("all", "any", "not"):
        if joint in tree:
            below = tree[joint]
            return below if isinstance(below, list) else [below]
    return None


def faults(tree: Any, *, at: str = "condition", depth: int = 1) -> list[str]:
    """What is wrong with a condition, a sentence for each fault; empty when it can be judged."""
    if not isinstance(tree, Mapping):
        return [f"{at}: a condition is a group (all, any, not) or field, op and value, not {tree!r}."]
    if depth > MAX_DEPTH:
        return [f"{at}: groups lie more than {MAX_DEPTH} deep; make it flatter."]
    below = _children(tree)
    if below is not None:
        if len(tree) != 1:
            return [f"{at}: a group has one key, all, any or not; this one has {', '.join(map(str, tree))}."]
        if not below:
            return [f"{at}: the group is empty; add a condition or remove it."]
        return [
            fault for n, child in enumerate(below, 1) for fault in faults(child, at=f"{at}, part {n}", depth=depth + 1)
        ]
    extra = sorted(set(tree) - {"field", "op", "value"})
    if extra:
        return [f"{at}: {', '.join(extra)} is not known; a condition has field, op and value."]
    known = _fields.get(str(tree.get("field")))
    if known is None:
        return [f"{at}: there is no field {tree.get('field')!r}. Known are {', '.join(sorted(_fields))}."]
    operator = OPERATORS.get(str(tree.get("op")))
    if operator is None or known.kind not in operator.kinds:
        fitting = ", ".join(name for name, each in OPERATORS.items() if known.kind in each.kinds)
        return [f"{at}: {tree.get('op')!r} does not fit {known.label}. Use {fitting}."]
    if not operator.takes_value:
        return [f"{at}: {tree['op']} takes no value."] if "value" in tree else []
    if "value" not in tree:
        return [f"{at}: a value to compare {known.label} with is missing."]
    try:
        _value(known, operator, tree["value"])
    except (ValueError, InvalidOperation):
        wanted = f"a list of {known.kind} values" if operator.takes_list else f"a {known.kind} value"
        return [f"{at}: {known.label} {operator.words} needs {wanted}, not {tree['value']!r}."]
    return []


def _value(known: Field, operator: Operator, raw: Any) -> Any:
    if operator.takes_list:
        if not isinstance(raw, list) or not raw:
            raise ValueError(raw)
        return [_scalar(known.kind, one) for one in raw]
    return _scalar(known.kind, raw)


def _scalar(kind: str, raw: Any) -> Any:
    if kind == "bool":
        if not isinstance(raw, bool):
            raise ValueError(raw)
        return raw
    if kind == "number":
        if isinstance(raw, bool | float) or not isinstance(raw, int | str | Decimal):
            raise ValueError(raw)
        number = Decimal(raw)
        if not number.is_finite():
            raise ValueError(raw)
        return number
    if not isinstance(raw, str):
        raise ValueError(raw)
    return raw


def fields_of(trees: Iterable[Condition]) -> frozenset[str]:
    """The names of the fields that conditions ask about."""
    found: set[str] = set()
    for tree in trees:
        below = _children(tree)
        found |= fields_of(below) if below is not None else {str(tree["field"])}
    return frozenset(found)


def load(names: Iterable[str], subjects: Sequence[Subject]) -> list[dict[str, Any]]:
    """The values of the named fields for each subject, each field loaded once for all of them."""
    values: list[dict[str, Any]] = [{} for _ in subjects]
    for name in names:
        for row, value in zip(values, _fields[name].load(subjects), strict=True):
            row[name] = value
    return values


def holds(tree: Condition, values: Mapping[str, Any]) -> bool:
    """Judge a checked condition. A field about which nothing is known fails every comparison, whatever the operator."""
    for joint, judge in (("all", all), ("any", any)):
        if joint in tree:
            return judge(holds(child, values) for child in tree[joint])
    if "not" in tree:
        return not any(holds(child, values) for child in _children(tree) or [])
    known, operator = _fields[tree["field"]], OPERATORS[tree["op"]]
    seen = values[known.name]
    if seen is None:
        return False
    return operator.test(seen, _value(known, operator, tree["value"]) if operator.takes_value else None)


def matches(tree: Condition, subject: Subject) -> bool:
    """Load and judge for one subject."""
    return holds(tree, load(fields_of([tree]), [subject])[0])


def parts(tree: Condition | None) -> list[str]:
    """What must hold, each condition of its own in words; nothing when there is none."""
    if not tree:
        return []
    return [describe(child) for child in tree["all"]] if "all" in tree else [describe(tree)]


def describe(tree: Condition) -> str:
    """The condition in words: "the order's total is more than 100, and ..."."""
    for joint, word in (("all", ", and "), ("any", ", or ")):
        if joint in tree:
            return word.join(describe(child) for child in tree[joint])
    if "not" in tree:
        return f"not ({', or '.join(describe(child) for child in _children(tree) or [])})"
    known, operator = _fields[tree["field"]], OPERATORS[tree["op"]]
    if known.kind == "bool" and tree["op"] in {"is", "is_not"}:
        return known.label if tree["value"] == (tree["op"] == "is") else f"not: {known.label}"
    if not operator.takes_value:
        return f"{known.label} {operator.words}"
    value = tree["value"]
    return f"{known.label} {operator.words} {', '.join(map(str, value)) if isinstance(value, list) else value}"


def _of_order(read: Callable[[Order], Any]) -> Load:
    return lambda subjects: [read(each.order) if each.order else None for each in subjects]


def _of_customer(read: Callable[[Customer], Any]) -> Load:
    return lambda subjects: [read(each.customer) for each in subjects]


def present_status(order: Order) -> str:
    """The order's status as a flow should see it: gone and fully refunded orders count as such whatever they say."""
    if order.deleted_at:
        return "deleted"
    if order.trashed_at:
        return "trash"
    return "refunded" if order.fully_refunded else order.status


def _items(subjects: Sequence[Subject]) -> list[Any]:
    from django.db.models import Sum

    from stores.models import OrderLine

    ids = {each.order.pk for each in subjects if each.order}
    sums = dict(OrderLine.objects.filter(order_id__in=ids).values_list("order_id").annotate(Sum("quantity")).order_by())
    return [sums.get(each.order.pk, Decimal(0)) if each.order else None for each in subjects]


for _field in [
    Field("event", "the event", "text", lambda subjects: [each.event.get("name") for each in subjects]),
    Field("order.total", "the order's total", "number", _of_order(lambda order: order.total)),
    Field("order.status", "the order's status", "text", _of_order(present_status)),
    Field("order.payment_method", "the way of paying", "text", _of_order(lambda order: order.payment_method)),
    Field("order.items_count", "the number of items", "number", _items),
    Field("order.country", "the order's country", "text", _of_order(lambda order: order.country)),
    Field("order.language", "the order's language", "text", _of_order(lambda order: order.language)),
    Field("order.channel", "the sales channel", "text", _of_order(lambda order: order.channel)),
    Field("order.created_via", "where the order was made", "text", _of_order(lambda order: order.created_via)),
    Field("order.renewal", "a subscription made the order", "bool", _of_order(lambda order: order.renewal)),
    Field("order.paid", "the order is paid", "bool", _of_order(lambda order: order.paid_gmt is not None)),
    Field("order.delivered", "the order is delivered", "bool", _of_order(lambda order: order.delivered_at is not None)),
    Field("customer.orders_count", "the number of orders", "number", _of_customer(lambda who: who.orders_count)),
    Field("customer.spent", "what the customer spent", "number", _of_customer(lambda who: who.spent)),
    Field("customer.language", "the customer's language", "text", _of_customer(lambda who: who.language)),
    Field("customer.country", "the customer's country", "text", _of_customer(lambda who: who.country)),
    Field("customer.account", "the customer has an account", "bool", _of_customer(lambda who: who.woo_id is not None)),
]:
    register(_field)
