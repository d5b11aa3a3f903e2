"""Settings are parsed strictly: a wrong value stops the start with one sentence, which holds no secret."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

PRODUCTION = {
    "SECRET_KEY": "k7Qz0vJp2mXw9sRt4uYb6nCd8eFg1hLa3k7Qz0vJp2mXw9sRt4uYb6n",
    "FIELD_KEYS": "c2l4dGVlbmJ5dGVzMTIzNHNpeHRlZW5ieXRlczEyMzQ=",
    "LINK_KEYS": "m3Xk8Pq1Wz5Rt7Yv0Bn2Cd4Fg6Hj9LsTe",
    "PUBLIC_URL": "https://after.example.com",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.com:587",
}


def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """`manage.py` in a process whose environment is only this."""
    base = {"PATH": os.environ["PATH"], "VAR_DIR": "/nonexistent", "DATABASE_URL": "sqlite:////tmp/settings.sqlite3"}
    return subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
        env=base | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"DEBUG": "maybe"}, "DEBUG"),
        ({"DEBUG": "true", "PUBLIC_URL": "after.example.com"}, "PUBLIC_URL"),
        ({"DEBUG": "true", "PUBLIC_URL": "https://after.example.com/path"}, "PUBLIC_URL"),
        ({"DEBUG": "true", "DATABASE_URL": "mysql://user:hush@host/name"}, "DATABASE_URL"),
        ({"DEBUG": "true", "DATABASE_URL": "postgres://user:hush@host:port/name"}, "DATABASE_URL"),
        ({"DEBUG": "true", "DATABASE_URL": "hush"}, "DATABASE_URL"),
        ({"DEBUG": "true", "EMAIL_URL": "pigeon://user:hush@host"}, "EMAIL_URL"),
        ({"DEBUG": "true", "REDIS_URL": "http://user:hush@host"}, "REDIS_URL"),
        ({"DEBUG": "true", "LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        ({**PRODUCTION, "SECRET_KEY": ""}, "SECRET_KEY"),
        ({**PRODUCTION, "FIELD_KEYS": ""}, "FIELD_KEYS"),
        ({**PRODUCTION, "LINK_KEYS": ""}, "LINK_KEYS"),
    ],
)
def test_a_wrong_or_missing_value_stops_the_start_with_one_sentence(variables, name):
    done = run("check", **variables)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{name} is not ")
    assert "Nothing was started" in line
    assert "hush" not in line


def test_a_production_environment_is_clean_under_check_deploy(tmp_path: Path):
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "staticfiles.json").write_text("{}")
    variables = PRODUCTION | {"VAR_DIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    done = run("check", "--deploy", "--fail-level", "WARNING", **variables)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_the_env_file_is_read_and_the_environment_wins(tmp_path: Path):
    (tmp_path / "env").write_text("DEBUG=true\nPUBLIC_URL=http://from.file.example\n")
    show = ("shell", "-v0", "-c", "from django.conf import settings; print(settings.PUBLIC_URL, settings.DEBUG)")
    assert run(*show, VAR_DIR=str(tmp_path)).stdout.split() == ["http://from.file.example", "True"]
    won = run(*show, VAR_DIR=str(tmp_path), PUBLIC_URL="http://won.example", DEBUG="true")
    assert won.stdout.split() == ["http://won.example", "True"]
