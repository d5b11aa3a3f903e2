"""Fixtures that several tests of campaigns share."""

import pytest

from campaigns.channels import email
from tests.campaigns.letter_box import Post


@pytest.fixture
def post(monkeypatch):
    made = Post()
    monkeypatch.setattr(email, "send", made.send)
    return made
