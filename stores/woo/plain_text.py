"""Words on their way into the shop and back: they leave as plain text, and are compared as plain text."""

import html
import re


def inert(words: str) -> str:
    """Words that the shop prints as they are, because keys of an administrator may write markup.

    Quotes stay: shops show them curled, and nothing is put into an attribute.
    """
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(text: str) -> str:
    """The shop's text for comparing: without the paragraphs and entities that it may have put in."""
    without_tags = re.sub(r"</?(?:p|br)\s*/?>", " ", text)
    return " ".join(html.unescape(without_tags).split())
