"""`python -m stores.sandbox`: the store on its own, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys

from .server import Sandbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8090, help="port on 127.0.0.1, 0 for a free one (default 8090)")
    parser.add_argument(
        "--db", default=":memory:", metavar="PATH", help="SQLite file to keep the store in (default memory)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the generated history (default 1)")
    parser.add_argument("--scale", type=int, default=1, help="times the size of the history: 1, 10, 100 (default 1)")
    parser.add_argument("--history", choices=["staggered", "original", "none"], default="staggered")
    parser.add_argument("--zone", default="Europe/Bucharest", help="time zone of the store")
    parser.add_argument("--flavour", choices=["hpos", "posts"], default="hpos", help="how the store keeps its orders")
    parser.add_argument("--control", action="store_true", help="answer below /_control/ to callers on this machine")
    parser.add_argument("--live", type=float, default=0, metavar="N", help="new orders a minute (default none)")
    parser.add_argument("--key", default="", help="consumer key to use (default a random one)")
    parser.add_argument("--secret", default="", help="consumer secret to use (default a random one)")


def run(options: argparse.Namespace | dict[str, object]) -> int:
    """Runs until Ctrl-C or SIGTERM; 2 when the port is taken."""
    given = options if isinstance(options, dict) else vars(options)
    history = str(given["history"])
    if history != "none" and int(str(given["scale"])) > 1:
        sys.stderr.write(f"Filling the store with about {5 * int(str(given['scale']))},000 orders.\n")
    sandbox = Sandbox(
        path=str(given["db"]),
        zone=str(given["zone"]),
        flavour=str(given["flavour"]),
        control=bool(given["control"]),
        seed=None if history == "none" else int(str(given["seed"])),
        scale=int(str(given["scale"])),
        history=None if history == "none" else history,
        live_per_minute=float(str(given["live"])),
        port=int(str(given["port"])),
        key=str(given["key"]),
        secret=str(given["secret"]),
        auto_deliver=True,
        http_callbacks=True,
    )
    # Waited for rather than handled: a handler could strike while the lock that it needs is taken.
    endings = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, endings)
    try:
        sandbox.start()
        sys.stdout.write(f"Store:  {sandbox.url}\nKey:    {sandbox.key}\nSecret: {sandbox.secret}\n")
        sys.stdout.flush()
        signal.sigwait(endings)
    except OSError as error:
        sys.stderr.write(f"Port {given['port']} cannot be used: {error.strerror}. Choose another with --port.\n")
        return 2
    finally:
        sandbox.stop()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stores.sandbox", description=__doc__)
    add_arguments(parser)
    raise SystemExit(run(parser.parse_args()))
