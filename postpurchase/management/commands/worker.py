"""Works off what is due: as long as it runs, or once."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand

from postpurchase import queue


class Command(BaseCommand):
    help = (
        "Work off what is due. Without options: both clusters, until SIGTERM or Ctrl-C (exit code 0) or until a part "
        "of it dies (70: start it again). With --once: until nothing is due (0), or 1 when a part of the work failed."
    )

    # Not those of addresses and templates, for which everything that only the web needs would be loaded.
    requires_system_checks: list[str] = [Tags.database, Tags.security, "worker"]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="work until nothing is due, then exit")
        parser.add_argument("--cluster", choices=queue.CLUSTERS, help="only this cluster; `sync` is for long work")

    def handle(self, *args: Any, **options: Any) -> None:
        clusters = [options["cluster"]] if options["cluster"] else list(queue.CLUSTERS)
        if options["once"]:
            sys.exit(self._once(clusters))
        from postpurchase import worker

        if options["cluster"] is None:
            sys.exit(worker.run_all())
        if os.environ.get("Q_CLUSTER_NAME", queue.CLUSTERS[0]) != options["cluster"]:
            # django-q2 reads the name while Django starts, so start again with the name set.
            command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker", "--cluster", options["cluster"]]
            os.execve(sys.executable, command, {**os.environ, "Q_CLUSTER_NAME": options["cluster"]})  # noqa: S606
        sys.exit(worker.run_cluster())

    def _once(self, clusters: list[str]) -> int:
        queue.tick()
        total, failed = 0, set()
        while True:
            rounds = [queue.drain_round(cluster, queue.DRAIN_SECONDS) for cluster in clusters]
            worked = sum(done.worked for done in rounds)
            failed |= {name for done in rounds for name in done.failed}
            total += worked
            if worked:
                self.stdout.write(f"worked off {total} rows")
            elif all(done.idle for done in rounds):
                break
        for name in sorted(failed):
            self.stderr.write(f"The {name} drain failed; its rows are kept and tried again. The log has the reason.")
        self.stdout.write(f"nothing is due; {total} rows in all")
        return 1 if failed else 0
