"""Addresses that come from a shop's data."""

from urllib.parse import urlsplit


def web(url: str) -> str | None:
    """The address if it is one of the web; a `javascript:` or `data:` address from a shop's catalogue is none."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    return url.strip() if parts.scheme in {"http", "https"} and parts.hostname else None
