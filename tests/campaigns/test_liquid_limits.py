"""Templates that loop, grow or reach: stopped within a second and 100 MB, measured in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
X = "x" * 1000
BOMBS = {
    "nested loops": "{% for i in (1..1000) %}{% for j in (1..1000) %}x{% endfor %}{% endfor %}",
    "loops one after the other": "{% for i in (1..1000) %}{% if i %}{% endif %}{% endfor %}" * 340,
    "a message of nothing but loops": "{% for i in (1..1000) %}{% if i %}{% endif %}{% endfor %}" * 3500,
    "a long body in a loop": "{% for i in (1..1000) %}" + "{% if i %}{% endif %}" * 900 + "{% endfor %}",
    "a huge range": "{% for i in (1..1000000000) %}x{% endfor %}",
    "a huge range in a filter": "{{ (1..100000000) | join: ',' | size }}",
    "a text that doubles": "{% assign a = 'aaaaaaaaaa' %}{% for i in (1..99) %}{% assign a = a | append: a %}{% endfor %}",
    "a list that doubles": "{% assign a = 'a,b' | split: ',' %}{% for i in (1..99) %}{% assign a = a | concat: a %}{% endfor %}",
    "a list of long texts, joined": (
        "{% assign b = '"
        + X
        + "' | append: '"
        + X
        + "' %}{% for i in (1..3) %}{% assign b = b | append: b %}{% endfor %}"
        "{% assign a = b | split: ';' %}{% for i in (1..13) %}{% assign a = a | concat: a %}{% endfor %}{{ a | join: '' | size }}"
    ),
    "replacing": "{{ 'aaaaaaaaaa'" + " | replace: 'a', 'aaaaaaaaaaaaaaaaaaaa'" * 9 + " }}",
    "numbers that grow": "{{ 9" + " | times: 999999999999" * 4000 + " }}",
    "squares": "{% assign a = 9 %}{% for i in (1..1000) %}{% assign a = a | times: a %}{% endfor %}{{ a }}",
    "captures": "{% capture a %}{% for i in (1..1000) %}" + "x" * 500 + "{% endfor %}{% endcapture %}",
    "sorting without end": (
        "{% assign a = (1..1000) | join: ',' | split: ',' %}{% for i in (1..2000) %}"
        + "{% assign b = a | sort | reverse | uniq %}" * 9
        + "{% endfor %}"
    ),
    "deep branches": "{% if true %}" * 5000 + "x" + "{% endif %}" * 5000,
    "deep filters": "{{ 'a'" + " | upcase" * 20_000 + " }}",
    "itself": "{% render 'text' %}",
    "a file": "{% include '/etc/passwd' %}",
    "wide dates": "{{ 'now' | date: '%9999999999d' }}",
    "cycles": "{% for i in (1..1000) %}{% for j in (1..2) %}{% cycle "
    + "'a'," * 3000
    + "'b' %}{% endfor %}{% endfor %}",
    "what is not there": "Hello\n{{ order.nothing }}",
}
RUN = """
import json, os, resource, sys, time
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
from campaigns import liquid
from postpurchase.errors import BusinessError
liquid.fill("{{ 1 | plus: 1 }}", {}, part="html")
found = {}
for name, bomb in json.load(sys.stdin).items():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code, said = "", ""
    began = time.thread_time()
    try:
        liquid.check(bomb, where="It")
    except BusinessError as refusal:
        code, said = refusal.code, refusal.message
    checked = time.thread_time()
    try:
        liquid.fill(bomb, {"order": {"number": "1"}}, part="html")
    except BusinessError as refusal:
        code, said = code or refusal.code, said or refusal.message
    took = max(checked - began, time.thread_time() - checked)
    grew = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert liquid.fill("{{ 1 | plus: 1 }}", {}, part="html") == "2"  # others go on
    found[name] = [code, took, grew, said]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[str, float, int, str]]:
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=ROOT, input=json.dumps(BOMBS), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, tuple[str, float, int, str]] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_bomb_is_stopped_in_time_and_memory_and_its_line_is_said(
    name: str, found: dict[str, tuple[str, float, int, str]]
) -> None:
    code, seconds, kilobytes, said = found[name]
    assert code in {"template_limit", "template_syntax", "template_variable"}, said
    assert seconds < 1
    assert kilobytes < 100_000
    assert ", line " in said or "longer than" in said


def test_the_line_of_what_is_not_there_is_shown(found: dict[str, tuple[str, float, int, str]]) -> None:
    assert "line 2: order.nothing is undefined" in found["what is not there"][3]
