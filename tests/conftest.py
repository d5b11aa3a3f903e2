"""What every test may use."""

from collections.abc import Iterator

import pytest

from postpurchase import clock


@pytest.fixture(autouse=True)
def _clock_is_reset() -> Iterator[None]:
    yield
    clock.reset()
