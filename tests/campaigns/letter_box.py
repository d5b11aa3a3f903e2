"""A channel that keeps what it is given, and messages planned for it."""

from campaigns.channels.email import Handed
from campaigns.models import Message
from tests.campaigns.flow_files import file, happen, publish, run, send
from tests.factories import make_order, make_store


class Post:
    """A channel that keeps what it is given and answers as told."""

    def __init__(self):
        self.letters = []
        self.answers = []

    def send(self, message, rendered):
        answer = self.answers.pop(0) if self.answers else Handed(True, provider_id=f"p{len(self.letters)}")
        if isinstance(answer, BaseException):
            raise answer
        self.letters.append((message.to, rendered.subject))
        return answer


def planned(store=None, *, klass="T", order=None, state="on", slug="test-flow", **extra):
    """A message planned by a flow for a paid order."""
    store = store or (order.store if order else make_store())
    order = order or make_order(store)
    publish(store, file(send(**extra), klass=klass), state=state, slug=slug)
    happen(order)
    run()
    return Message.objects.latest("pk")


def fresh(message):
    return Message.objects.get(pk=message.pk)
