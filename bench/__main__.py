"""`python -m bench [NAME ...]`: run the benchmarks, each in a process of its own, and print their tables.

Ratios and row counts are the result; seconds only describe this machine. Exits with 1 when an aim is missed
or a ratio that it needs could not be taken.
"""

import importlib
import pkgutil
import subprocess
import sys

import bench

QUIET = {"harness", "shop", "stage", "workers", "__main__"}


def names() -> list[str]:
    """All benchmarks: modules of this package with a `main`."""
    return sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if module.name not in QUIET)


def main() -> int:
    # Those without runs of their own take long, and run only when named.
    chosen = sys.argv[1:] or names()
    unknown = set(chosen) - set(names())
    if unknown:
        print(f"No benchmark {', '.join(sorted(unknown))}; there are: {', '.join(names())}.")
        return 2
    failed = []
    for name in chosen:
        module = importlib.import_module(f"bench.{name}")
        for arguments in module.RUNS or ([[]] if sys.argv[1:] else []):
            title = " ".join([name, *arguments])
            print(f"== {title}", flush=True)
            if subprocess.run([sys.executable, "-m", f"bench.{name}", *arguments], check=False).returncode:
                failed.append(title)
    print(f"missed or failed: {', '.join(failed)}" if failed else "no aim missed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
