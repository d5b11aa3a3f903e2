"""Runs the whole of it on this machine: web, worker and, for the demo, a sandbox store."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from postpurchase.supervisor import Program, Supervisor

HOST = "127.0.0.1"
MANAGE = str(settings.BASE_DIR / "manage.py")
READY_SECONDS = 120
OWNER = "owner@example.com"
# Where no var/env has been made: with DEBUG, on an address that only this machine reaches.
DEMO = {"SANDBOX_KEY": "ck_sandbox", "SANDBOX_SECRET": "cs_sandbox", "DEMO_PASSWORD": "demo-password"}


class Command(BaseCommand):
    help = "Run web and worker, and a sandbox store with demo data unless --no-demo, until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the web server; the sandbox takes the next")
        parser.add_argument("--no-demo", action="store_true", help="no sandbox store and no demo data")

    def handle(self, *args: Any, **options: Any) -> None:
        port, demo = options["port"], not options["no_demo"]
        if demo and not settings.DEBUG:
            raise CommandError("The demo runs only with DEBUG=true. Nothing was started. Use --no-demo for real shops.")
        for wanted in [port, port + 1] if demo else [port]:
            _require_free(wanted, first=port)
        for name, value in {"PUBLIC_URL": f"http://{HOST}:{port}", **(DEMO if demo else {})}.items():
            os.environ.setdefault(name, value)
        call_command("migrate", verbosity=0)
        connections.close_all()
        supervisor = Supervisor(self.stdout)  # type: ignore[arg-type]
        try:
            if self._start(supervisor, port, demo=demo):
                supervisor.run()
        finally:
            supervisor.stop()

    def _start(self, supervisor: Supervisor, port: int, *, demo: bool) -> bool:
        if demo:
            supervisor.start(_sandbox(port + 1))
            if not supervisor.run(until=lambda: _answers(f"http://{HOST}:{port + 1}/"), seconds=READY_SECONDS):
                return self._give_up("The sandbox store does not answer", supervisor)
        # Before the demo connects: the store rings at each new webhook.
        supervisor.start(_web(port))
        if not supervisor.run(until=lambda: _answers(f"http://{HOST}:{port}/healthz"), seconds=READY_SECONDS):
            return self._give_up("The web server does not answer", supervisor)
        if demo and subprocess.run(_demo(port + 1), check=False).returncode:
            return self._give_up("The demo could not be set up", supervisor)
        supervisor.start(Program("worker", [sys.executable, MANAGE, "worker"]))
        self.stdout.write(f"\n  Open     {os.environ['PUBLIC_URL']}/")
        if demo:
            self.stdout.write(f"  Sign in  {OWNER} with the password {os.environ['DEMO_PASSWORD']}")
            self.stdout.write(f"  Store    http://{HOST}:{port + 1}/ (sandbox)")
        self.stdout.write("  Stop     Ctrl-C\n\n")
        return True

    def _give_up(self, what: str, supervisor: Supervisor) -> bool:
        if not supervisor.signals:
            supervisor.stop()
            raise CommandError(f"{what}; its lines above say why. Everything was stopped, nothing is lost.")
        return False


def _require_free(port: int, *, first: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used ({error.strerror}). Nothing was started. "
                f"Stop what uses it, or run `make run PORT={first + 10}`."
            ) from error


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def _web(port: int) -> Program:
    options = ["--workers=2", "--worker-class=gthread", "--threads=4", "--log-level=warning", "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", "postpurchase.wsgi", f"--bind={HOST}:{port}", *options]
    return Program("web", command)


def _sandbox(port: int) -> Program:
    options = ["--port", str(port), "--db", str(settings.VAR_DIR / "sandbox.sqlite3"), "--control", "--live", "2"]
    keys = ["--key", os.environ["SANDBOX_KEY"], "--secret", os.environ["SANDBOX_SECRET"]]
    return Program("sandbox", [sys.executable, MANAGE, "sandbox", *options, *keys])


def _demo(port: int) -> list[str]:
    # Keys and password are in its environment.
    return [sys.executable, MANAGE, "demo", "--url", f"http://{HOST}:{port}", "--email", OWNER]
