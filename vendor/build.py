"""Rebuild what the repository holds of other people's static files. Needs npm; nobody who only runs the project does.

python vendor/build.py    fetches the pinned packages into a temporary folder, checks them against the digests below,
                          and writes the icon sprite, the licences and the manifest of checksums that a test compares.
"""

import hashlib
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "postpurchase" / "static" / "vendor"
AXE = ROOT / "tests" / "browser" / "vendor"
PACKAGES = {
    "@tabler/icons@3.51.0": "b30108713d3fa60aee862c2a133225da8e0f309be0708fe2925763ff810c766c",
    "axe-core@4.14.1": "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
}
_DRAWING = re.compile(r"<svg[^>]*>(.*)</svg>", re.S)
_FRAME = re.compile(r'<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>')


def fetch(name: str, digest: str, folder: Path) -> Path:
    """The unpacked package; stops when its archive is not the one that was looked at."""
    made = subprocess.run(["npm", "pack", "--silent", name], cwd=folder, check=True, capture_output=True, text=True)
    archive = folder / made.stdout.strip().splitlines()[-1]
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != digest:
        raise SystemExit(f"{name} has the digest {found}, expected {digest}. Nothing was written.")
    target = folder / archive.stem
    with tarfile.open(archive) as packed:
        packed.extractall(target, filter="data")
    return target / "package"


def sprite(icons: Path) -> str:
    """One SVG with a symbol for each line of icons.txt."""
    symbols = []
    for line in (ROOT / "vendor" / "icons.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        ours, theirs = line.split()
        source = (icons / "outline" / f"{theirs}.svg").read_text()
        found = _DRAWING.search(source)
        if not found:
            raise SystemExit(f"{theirs}.svg is no drawing. Nothing was written.")
        drawing = re.sub(r"\s*\n\s*", "", _FRAME.sub("", found.group(1))).replace(" />", "/>")
        symbols.append(f'<symbol id="{ours}" viewBox="0 0 24 24">{drawing}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        tabler, axe = (fetch(name, digest, Path(temporary)) for name, digest in PACKAGES.items())
        OUT.mkdir(parents=True, exist_ok=True)
        AXE.mkdir(parents=True, exist_ok=True)
        (OUT / "icons.svg").write_text(sprite(tabler / "icons"))
        shutil.copyfile(tabler / "LICENSE", OUT / "LICENSE.tabler-icons")
        shutil.copyfile(axe / "axe.min.js", AXE / "axe.min.js")
        shutil.copyfile(axe / "LICENSE", AXE / "LICENSE.axe-core")
    files = sorted(path for path in OUT.iterdir() if path.name != "MANIFEST.sha256")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in files]
    (OUT / "MANIFEST.sha256").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
