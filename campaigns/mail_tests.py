"""A test of a message to whoever edits it: through the store's own mail account, never counted, never to a customer."""

import secrets
from typing import Any

from django.utils.translation import gettext as _

from campaigns import mail_drafts, mail_people
from campaigns.channels import email
from campaigns.mail_parts import Text
from campaigns.mail_people import Person
from campaigns.models import Message, MessageTemplate
from campaigns.rendering import Rendered
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import audit
from stores.models import Customer, Store, User

HEADER = "X-Postpurchase-Test"


def send(template: MessageTemplate, text: Text, person: Person, *, to: str, actor: User | str) -> dict[str, Any]:
    """Write the text as this person would get it and send it to `to`; the address and the subject that went out.

    No row of the outbox, no event and no ledger entry comes of it; its links are those of a preview, and it has no
    unsubscribe header, so that no customer can be unsubscribed by it. Its subject ends in a word of its own: mail
    programs fold mails of equal subjects together and cut them sooner. BusinessError `test_faults` or `test_refused`.
    """
    context = mail_people.context_for(template, person, language=text.language, text=text)
    found = mail_drafts.proof_of(template, text, context)
    if found.rendered is None:
        said = " ".join(one.words for one in found.stops)
        raise BusinessError(
            _("The test was not sent; your work is kept. Mend this first: %(said)s") % {"said": said}, "test_faults"
        )
    rendered = Rendered(
        subject=f"{found.rendered.subject} [{_('test')} {secrets.token_hex(2)}]",
        preheader=found.rendered.preheader,
        html=found.rendered.html,
        text=found.rendered.text,
    )
    store = template.store
    message = Message(
        store=store,
        customer=person.customer or Customer(store=store, email=to),
        channel="email",
        klass=template.klass,
        purpose=template.purpose,
        template=template.name,
        language=text.language,
        planned_for=clock.now(),
    )
    address = email.checked_address(to)
    mail = email.build(message, rendered, to=address)
    mail.extra_headers[HEADER] = "1"
    handed = email.deliver(store, mail, to=address)
    audit.record(store, "message.test", actor=actor, target=template.name, diff={"accepted": handed.accepted})
    if not handed.accepted:
        raise BusinessError(
            _("The test did not go out: %(said)s Your work is kept. Look at the mail account in settings.")
            % {"said": handed.error},
            "test_refused",
        )
    return {"to": address, "subject": rendered.subject}


def send_named(
    store: Store, name: str, *, to: str, language: str = "", who: str = "", actor: User | str
) -> dict[str, Any]:
    """The same by name, for the command line and the API: what is in use of a message, for a person found by `who`."""
    from campaigns import content

    template = content.of(store, name)
    language = language or mail_drafts.chain(store)[0]
    texts = {one.language: one for one in content.texts_of(template)}
    text = next((texts[one] for one in [language, *mail_drafts.chain(store)] if one in texts), None)
    if text is None:
        raise BusinessError(
            _("The message %(name)s has no text yet. Nothing was sent.") % {"name": name}, "template_missing"
        )
    return send(template, text, mail_people.find(store, who), to=to, actor=actor)
