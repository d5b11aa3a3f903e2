"""`worker --once`: until nothing is due, then exit."""

from io import StringIO

import pytest
from django.core.management import call_command

from postpurchase import queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def left(monkeypatch):
    """Rows of each cluster, as numbers; a drain of each takes one at a time."""
    left = {"postpurchase": 3, "sync": 2}

    def take(cluster):
        taken = min(left[cluster], 1)
        left[cluster] -= taken
        return taken

    monkeypatch.setattr(queue, "_ticks", [])
    monkeypatch.setattr(queue, "_drains", {name: [("take", lambda _, name=name: take(name))] for name in left})
    return left


def run(*arguments):
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("worker", "--once", *arguments, stdout=out, stderr=err)
    return ended.value.code, out.getvalue(), err.getvalue()


def test_once_works_until_nothing_is_due_and_beats(left):
    assert run() == (0, "worked off 5 rows\nnothing is due; 5 rows in all\n", "")
    assert left == {"postpurchase": 0, "sync": 0}
    assert queue.last_beat() is not None


def test_once_for_one_cluster_leaves_the_other(left):
    assert run("--cluster", "sync")[0] == 0
    assert left == {"postpurchase": 3, "sync": 0}


def test_a_part_that_fails_is_told_and_ends_with_one(left):
    def breaks(budget):
        raise ValueError("broken")

    queue.register_drain("breaks", breaks)
    code, _, err = run()
    assert code == 1
    assert err.startswith("The breaks drain failed; its rows are kept")
    assert left == {"postpurchase": 0, "sync": 0}
