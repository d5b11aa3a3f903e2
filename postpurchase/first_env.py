"""`python -m postpurchase.first_env FILE`: writes the settings of a demo once, with random keys. Standard library only."""

import base64
import os
import secrets
import sys
from pathlib import Path

TEXT = """\
# Settings of this installation, made by `make run`. The environment wins over this file; docs/operator.md explains each.
# For real use: DEBUG=false, PUBLIC_URL=https://..., EMAIL_URL=..., and keep the keys.
DEBUG=true
SECRET_KEY={secret}
FIELD_KEYS={field}
LINK_KEYS={link}
ALLOWED_PRIVATE_HOSTS=127.0.0.1,localhost
SANDBOX_KEY=ck_{key}
SANDBOX_SECRET=cs_{shared}
# Of owner@example.com, until changed in the dashboard.
DEMO_PASSWORD={password}
"""


def write(path: Path) -> bool:
    """Write the file, for its owner's eyes only. False when it exists already; then it stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = TEXT.format(
        secret=secrets.token_urlsafe(48),
        field=base64.urlsafe_b64encode(os.urandom(32)).decode(),
        link=secrets.token_urlsafe(48),
        key=secrets.token_hex(20),
        shared=secrets.token_hex(20),
        password=secrets.token_urlsafe(9),
    )
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


if __name__ == "__main__":
    write(Path(sys.argv[1]))
