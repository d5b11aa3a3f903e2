"""Long work: paused, resumed and cancelled by page, command line and API alike; the time left as a range."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.urls import reverse

from postpurchase import clock
from postpurchase.due import State
from postpurchase.errors import BusinessError, RetryLater
from stores import api_keys, jobs
from stores.jobs import JobProgress
from stores.models import Job, Quarantined, Store
from tests.factories import make_store, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def store() -> Store:
    return make_store()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A kind of job of ten rows, one a slice; what it has done."""
    done: list[int] = []

    def run(job: Job, budget: float) -> JobProgress:
        done.append(job.done)
        jobs.save(job, cursor={"at": job.done + 1}, done=job.done + 1, total=10, phase="rows")
        return JobProgress(job.done >= 10, "rows", job.done, 10)

    monkeypatch.setitem(jobs._handlers, "rows", run)
    return done


def api(store: Store, *scopes: str) -> dict[str, str]:
    _key, token = api_keys.create_api_key(store, name="Robot", scopes=list(scopes))
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def test_all_three_doors_pause_resume_and_cancel(store, steps, client: Browser):
    client.force_login(make_user(store))
    headers = api(store, "jobs:read", "jobs:write")
    job = jobs.start(store, "rows")

    def by_page(action: str) -> None:
        client.post(reverse("job_action", kwargs={"store": store.slug, "pk": job.pk}), {"action": action})

    def by_command(action: str) -> None:
        call_command("jobs", action, str(job.pk), stdout=io.StringIO())

    def by_api(action: str) -> None:
        key = {"HTTP_IDEMPOTENCY_KEY": f"{action}-{clock.now().isoformat()}"}
        answer = Browser().post(f"/api/v1/jobs/{job.pk}/{action}/", content_type="application/json", **headers, **key)
        assert answer.status_code == 200, answer.content

    for act in (by_page, by_command, by_api):
        act("pause")
        job.refresh_from_db()
        assert job.status == Job.Status.PAUSED
        before = list(steps)
        jobs.run_one(job.pk, 1)
        assert steps == before
        act("resume")
        assert jobs.run_one(job.pk, 1)
        job.refresh_from_db()
        assert (job.status, job.done) == (Job.Status.RUNNING, len(before) + 1)
    by_api("cancel")
    job.refresh_from_db()
    assert (job.status, job.state) == (Job.Status.CANCELLED, State.DONE)
    assert not jobs.run_one(job.pk, 1)


def test_refused_actions_change_nothing(store, steps):
    job = jobs.start(store, "rows")
    with pytest.raises(BusinessError):
        jobs.resume(job)
    jobs.cancel(job)
    for act in (jobs.pause, jobs.resume, jobs.cancel):
        with pytest.raises(BusinessError):
            act(job)
    with pytest.raises(CommandError):
        call_command("jobs", "pause", str(job.pk))
    job.refresh_from_db()
    assert job.status == Job.Status.CANCELLED


def test_cancelled_in_the_middle_of_a_step_it_writes_nothing_more(store, monkeypatch):
    def run(job: Job, budget: float) -> JobProgress:
        jobs.cancel(Job.objects.get(pk=job.pk))
        jobs.save(job, cursor={"at": 1}, done=1)
        raise AssertionError("not reached")

    monkeypatch.setitem(jobs._handlers, "rows", run)
    job = jobs.start(store, "rows")
    jobs.run_one(job.pk, 1)
    job.refresh_from_db()
    assert (job.status, job.state, job.cursor, job.done) == (Job.Status.CANCELLED, State.DONE, {}, 0)


def test_paused_in_the_middle_of_a_slice_it_is_held(store, monkeypatch):
    def run(job: Job, budget: float) -> JobProgress:
        jobs.pause(Job.objects.get(pk=job.pk))
        assert not jobs.wanted(job)
        return JobProgress(False, "rows", 1, 10)

    monkeypatch.setitem(jobs._handlers, "rows", run)
    job = jobs.start(store, "rows")
    jobs.run_one(job.pk, 1)
    job.refresh_from_db()
    assert (job.status, job.state, job.done) == (Job.Status.PAUSED, State.HELD, 1)


def test_a_job_that_crashes_too_often_in_one_place_has_failed(store, steps):
    job = jobs.start(store, "rows")
    Job.objects.update(state=State.DEAD, status=Job.Status.RUNNING)
    jobs.end_crashed()
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    jobs.resume(job)
    assert jobs.run_one(job.pk, 1)


def test_the_time_left_is_a_range_and_follows_the_last_steps(store):
    job = Job(store=store, kind="rows", status=Job.Status.RUNNING, done=40, total=1000)
    job.pace = {"long": [200, 100], "short": [20, 10]}
    assert jobs.left(job) is None
    job.done = 100
    assert jobs.left(job) == (pytest.approx(360), pytest.approx(585))
    # The last few steps were half as fast: the range gets wider, not merely later.
    job.pace = {"long": [200, 100], "short": [10, 10]}
    assert jobs.left(job) == (pytest.approx(360), pytest.approx(1170))


def test_it_says_until_when_it_waits_for_the_store(store, client: Browser, monkeypatch):
    def run(job: Job, budget: float) -> JobProgress:
        raise RetryLater(600, "The shop asks for a pause of 600 seconds.")

    monkeypatch.setitem(jobs._handlers, "rows", run)
    job = jobs.start(store, "rows")
    jobs.run_one(job.pk, 1)
    job.refresh_from_db()
    until = jobs.waits_until(job)
    assert until is not None
    assert timedelta(minutes=9) < until - clock.now() <= timedelta(minutes=10)
    client.force_login(make_user(store))
    page = client.get(reverse("job", kwargs={"store": store.slug, "pk": job.pk}))
    assert "Waiting for the store until" in page.content.decode()
    assert f"waiting for the store until {until.astimezone(store.tz):%H:%M}" in jobs.line(job)
    told = Browser().get(f"/api/v1/jobs/{job.pk}/", **api(store, "jobs:read")).json()
    assert told["waits_until"].startswith(until.isoformat()[:19])


def test_what_was_put_aside_can_be_downloaded(store, client: Browser):
    job = jobs.start(store, "backfill")
    Quarantined.objects.create(store=store, entity="order", woo_id=7, reason="=1+1")
    Job.objects.update(errors_count=1)
    client.force_login(make_user(store))
    answer = client.get(reverse("job_errors", kwargs={"store": store.slug, "pk": job.pk}))
    lines = answer.content.decode().splitlines()
    assert lines[0] == "object,id,reason,at"
    assert lines[1].startswith("order,7,'=1+1,")
    same = Browser().get(f"/api/v1/jobs/{job.pk}/errors/", **api(store, "jobs:read"))
    assert same.content.decode().splitlines() == lines
    out = io.StringIO()
    call_command("jobs", "errors", str(job.pk), stdout=out)
    assert out.getvalue().splitlines() == lines


def test_the_api_starts_a_backfill_once_and_nothing_else(store):
    headers = {**api(store, "jobs:read", "jobs:write"), "HTTP_IDEMPOTENCY_KEY": "one"}
    browser = Browser()
    first = browser.post("/api/v1/jobs/", {"kind": "backfill"}, content_type="application/json", **headers)
    again = browser.post("/api/v1/jobs/", {"kind": "backfill"}, content_type="application/json", **headers)
    assert (first.status_code, first.json()) == (201, again.json())
    headers["HTTP_IDEMPOTENCY_KEY"] = "two"
    assert browser.post("/api/v1/jobs/", {"kind": "x"}, content_type="application/json", **headers).status_code == 400
    assert Job.objects.count() == 1


def test_a_key_reaches_no_job_of_another_store(store):
    other = jobs.start(make_store(), "backfill")
    headers = {**api(store, "jobs:read", "jobs:write"), "HTTP_IDEMPOTENCY_KEY": "one"}
    assert Browser().post(f"/api/v1/jobs/{other.pk}/pause/", **headers).status_code == 404
    assert Browser().get(f"/api/v1/jobs/{other.pk}/errors/", **headers).status_code == 404
    other.refresh_from_db()
    assert other.status == Job.Status.QUEUED


def test_gentle_is_kept_with_the_store(store, client: Browser):
    job = jobs.start(store, "backfill")
    client.force_login(make_user(store))
    for action, kept in (("gentle", True), ("brisk", False)):
        client.post(reverse("job_action", kwargs={"store": store.slug, "pk": job.pk}), {"action": action})
        store.refresh_from_db()
        assert store.gentle is kept


def client_of(store, role="owner"):
    client = Browser()
    client.force_login(make_user(store, role=role))
    return client


def a_job(store, **fields):
    given = {"kind": "backfill", "key": f"k{Job.objects.count()}", "status": "running", "done": 30, "total": 120}
    return Job.objects.create(store=store, **(given | fields))


def test_the_list_shows_all_jobs_of_the_store_by_tabs():
    store, other = make_store(), make_store()
    a_job(other, kind="reconcile")
    a_job(store)
    a_job(store, kind="trial of orders from a file", status="failed", error="The file is broken.")
    a_job(store, kind="reconcile", status="done", errors_count=2, result={"sentence": "Nothing differed."})
    client = client_of(store)

    def page(query=""):
        return client.get(f"/app/{store.slug}/jobs/{query}").content.decode()

    everything = page()
    assert all(
        words in everything
        for words in ("Reading the history", "Trial of orders", "The file is broken.", "Nothing differed.", "30 of 120")
    )
    assert everything.count("<tbody") == 1
    assert "3 jobs" in everything
    assert (
        "Reading the history</a>" in page("?view=open"),
        "Trial of orders from a file</a>" in page("?view=open"),
    ) == (
        True,
        False,
    )
    assert "Trial of orders from a file</a>" in page("?view=failed")
    assert "Comparison with the shop</a>" in page("?view=errors")
    assert "1 job" in page("?kind=backfill")


def test_a_ring_in_the_top_bar_tells_of_long_work_to_who_looks():
    store = make_store()
    client = client_of(store)
    home = f"/app/{store.slug}/orders/"
    assert 'id="ring"' not in client.get(home).content.decode()
    job = a_job(store)
    a_job(make_store())
    page = client.get(home).content.decode()
    assert f'href="/app/{store.slug}/jobs/{job.pk}/" aria-label="1 job runs, 25% done"' in page
    assert 'stroke-dasharray="25 100"' in page
    a_job(store, done=0, total=0)
    page = client.get(f"/app/{store.slug}/jobs/ring/").content.decode()
    assert f'href="/app/{store.slug}/jobs/" aria-label="2 jobs run, 25% done"' in page
    Job.objects.filter(store=store).update(status="done")
    assert client.get(f"/app/{store.slug}/jobs/ring/").content.strip() == b""


def test_a_job_that_asks_the_shop_is_not_run_by_hand_while_the_shop_rests():
    store = make_store(quiet_until=clock.now() + timedelta(minutes=5))
    asking, other = a_job(store, kind="reconcile"), a_job(store, kind="trial of orders from a file", params={"file": 0})
    assert jobs.run_one(asking.pk, 1) is False
    assert jobs.run_one(other.pk, 1) is True
    asking.refresh_from_db()
    assert (asking.state, asking.attempts) == ("due", 0)
    for fields in ({"quiet_until": None, "state": "unreachable"}, {"state": "connected", "refusals": 1}):
        store.__class__.objects.filter(pk=store.pk).update(**fields)
        assert jobs.run_one(asking.pk, 1) is False
