"""Speed and memory, each beside a floor measured in the same run. Run with `make bench`; see docs/performance.md."""
