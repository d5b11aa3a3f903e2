"""Writing mails: 10,000 messages of 30 KB filled for a person each, against the template engine alone.

The floor parses the same four sources once with the engine as it comes, without a guard, and renders them; ours is
`rendering.render`: the same with all limits, with the look at what goes in, header-safe subject, size and tidy text.
What is read from the database for a person is no part of either side; its queries are counted and printed.
"""

import os
import sys
from typing import Any

from bench import harness, stage

MESSAGES = int(os.environ.get("BENCH_MAILS", "10000"))
AIM = 2.0
SIZE = 30_000
PARAGRAPH = "Thank you, {{ customer.first_name }}. Your order {{ order.number }} of {{ order.date }} is with us. " * 4
RUNS = [["sqlite"]]


def message() -> tuple[Any, dict[str, Any]]:
    """A saved text whose mail has about 30 KB, and what it says to an example person."""
    from campaigns import content, rendering, variables
    from campaigns.models import MessageTemplate
    from stores.models import Store

    store = Store.objects.create(slug="bench", name="Bench", base_url="https://shop.example.com", currency="EUR")
    template = MessageTemplate.objects.create(store=store, name="bench", klass="M", purpose="marketing")
    context = variables.example(store, language="en", klass="M", purpose="marketing")
    blocks: list[dict[str, Any]] = [
        {"kind": "heading", "text": "Thank you, {{ customer.first_name }}"},
        {"kind": "items", "title": "Your order {{ order.number }}"},
        {"kind": "products", "title": "What goes with it"},
        {"kind": "button", "text": "Buy again", "url": "{{ order.reorder_url }}"},
    ]
    while True:
        version = content.save_version(
            template, language="en", subject="Order {{ order.number }}", preheader="Inside: your receipt", blocks=blocks
        )
        if len(rendering.render(version, context, language="en").html) >= SIZE:
            return version, context
        blocks.append({"kind": "text", "text": PARAGRAPH})


def people(context: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """So many contexts, each of its own person and order."""
    return [
        context
        | {
            "customer": context["customer"] | {"first_name": f"Ana {n}"},
            "order": context["order"] | {"number": str(n)},
        }
        for n in range(count)
    ]


def run(*, mails: int = MESSAGES, rounds: int = harness.ROUNDS) -> list[harness.Comparison]:
    """Measure on the present database; asserts that both sides write the same."""
    from liquid import Environment

    from campaigns import liquid, rendering

    version, context = message()
    everybody = people(context, mails)
    bare = [Environment(autoescape=True), Environment(autoescape=False)]
    for environment in bare:
        environment.filters["web"] = liquid.web
    html, text, subject, preheader = (
        bare[kind].from_string(source)
        for kind, source in ((0, version.html), (1, version.text), (1, version.subject), (1, version.preheader))
    )

    def floor() -> None:
        for values in everybody:
            html.render(**values), text.render(**values), subject.render(**values), preheader.render(**values)

    def ours() -> None:
        for values in everybody:
            rendering.render(version, values, language="en")

    one = rendering.render(version, everybody[0], language="en")
    assert one.html == html.render(**everybody[0])
    assert one.subject == subject.render(**everybody[0])
    found = harness.compare(
        f"{mails:,} mails of {len(one.html) / 1000:.0f} KB written",
        aim=AIM,
        units=mails,
        unit="mails",
        floor=floor,
        ours=ours,
        rounds=rounds,
    )
    return [found]


def main() -> int:
    with stage.database(sys.argv[1]):
        return harness.show(*run())


if __name__ == "__main__":
    sys.exit(main())
