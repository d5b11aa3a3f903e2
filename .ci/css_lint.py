"""Style sheets use logical directions only, so that right-to-left languages need no second sheet."""

import re
import sys
from pathlib import Path

PHYSICAL = re.compile(
    r"""(?<![\w-])(
        (?:margin|padding|border|scroll-margin|scroll-padding)-(?:left|right)(?:-\w+)?\s*:
        |border-(?:top|bottom)-(?:left|right)-radius\s*:
        |(?:left|right)\s*:
        |(?:text-align|float|clear)\s*:\s*(?:left|right)\b
    )""",
    re.VERBOSE,
)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def problems(text: str) -> list[tuple[int, str]]:
    """Line number and text of each physical direction; comments do not count."""
    bare = COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)
    return [(number, line.strip()) for number, line in enumerate(bare.splitlines(), start=1) if PHYSICAL.search(line)]


def main(folder: str) -> int:
    """Print the problems of all our sheets below the folder; vendored ones are not ours."""
    found = 0
    for path in sorted(Path(folder).rglob("*.css")):
        if "vendor" in path.parts:
            continue
        for number, line in problems(path.read_text()):
            found += 1
            sys.stdout.write(f"{path}:{number}: use the logical property (inline-start, inline-end): {line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
