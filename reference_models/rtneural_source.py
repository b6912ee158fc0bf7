"""RTNeural's source on this machine: the user's own, or Debian's copy of it fetched once into the cache.

RTNeural is in no package that could simply be depended on. Debian ships its full source, with the Eigen, xsimd and
nlohmann::json that it is built with, inside the source package of guitarix.

    python -m rtconform.reference_models.rtneural_source     fetches it if need be, and prints the folder
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from .atomic import write_atomic
from .cache import cache_folder, install_folder, locked, say, work_folder
from .debian_source import fetch_orig_tarball
from .errors import NotAvailable

PACKAGE = "guitarix"
VERSION = "0.46.0+dfsg"
SUITE = "trixie"
TARBALL = f"{PACKAGE}_{VERSION}.orig.tar.xz"
SHA256 = "08081fac0a731b105c4acf7279ccab66ca0de54d132d1309c48b9c4ea4fba4aa"
FOLDER = f"{PACKAGE}-{VERSION}/src/RTNeural/RTNeural"
HEADER = Path("RTNeural", "RTNeural.h")

_WAY_OUT = "set RTNEURAL_DIR to a checkout of RTNeural"
_COMPILED_FOLDERS = ("RTNeural", "modules/Eigen", "modules/json", "modules/xsimd/include")


def find_rtneural() -> Path:
    """The folder that holds RTNeural/RTNeural.h: RTNEURAL_DIR if that is set, else the cache, fetched if need be.

    Raises NotAvailable with one sentence: RTNEURAL_DIR names something else, or Debian's copy can't be had.
    """
    if named := os.environ.get("RTNEURAL_DIR"):
        folder = Path(named).expanduser().resolve()
        if not (folder / HEADER).is_file():
            raise NotAvailable(
                f"RTNEURAL_DIR was expected to name a checkout of RTNeural, but {folder} has no {HEADER}: "
                "correct it, or unset it to use Debian's copy"
            )
        return folder
    target = _debian_copy()
    if not (target / HEADER).is_file():
        with locked(target.parent, target.name, doing="fetching RTNeural"):
            if not (target / HEADER).is_file():
                _fetch(target)
    return target


def _debian_copy() -> Path:
    return cache_folder() / "rtneural" / SHA256[:12]


def _fetch(target: Path) -> None:
    """Puts Debian's copy of RTNeural at `target`; the caller holds the lock. The tarball is not kept."""
    say(f"RTNeural is not in the cache: getting Debian's source package {PACKAGE} {VERSION} (80 MB, once)")
    try:
        with work_folder(target.parent, "fetch") as work:
            tarball = fetch_orig_tarball(PACKAGE, TARBALL, suite=SUITE, work=work)
            _check_hash(tarball)
            say("unpacking RTNeural")
            unpack_folder(tarball, FOLDER, work / "unpacked")
            if not (work / "unpacked" / HEADER).is_file():
                raise NotAvailable(f"{TARBALL} was expected to hold {FOLDER}/{HEADER}, but doesn't")
            install_folder(work / "unpacked", target)
    except NotAvailable as error:
        raise NotAvailable(f"RTNeural can't be had: {error}; repair that, or {_WAY_OUT}") from error
    except (OSError, tarfile.TarError) as error:
        raise NotAvailable(
            f"RTNeural can't be had: unpacking it in {target.parent} gave: {error}; {_WAY_OUT}"
        ) from error
    say(f"RTNeural is in {target}")


def _check_hash(tarball: Path) -> None:
    found = hashlib.sha256()
    with tarball.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    if found.hexdigest() != SHA256:
        raise NotAvailable(f"{tarball.name} was expected to have sha256 {SHA256}, but has {found.hexdigest()}")


def unpack_folder(tarball: Path, folder: str, target: Path) -> None:
    """Writes the regular files below `folder` of the archive to `target`, and nothing else: no links, owners or modes.

    (Python's own extraction filters are missing from early 3.10 and 3.11 releases.)
    """
    with tarfile.open(tarball, "r|*") as archive:
        for member in archive:
            inside, _, name = member.name.partition(f"{folder}/")
            if inside or not name or not member.isreg() or ".." in name.split("/"):
                continue
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(member)
            assert content is not None  # a regular file has content
            with path.open("wb") as file:
                shutil.copyfileobj(content, file)


def source_version(folder: Path) -> str:
    """What a loader built from `folder` calls its version: Debian's, or RTNEURAL_DIR with a hash of the content."""
    return VERSION if folder == _debian_copy() else f"RTNEURAL_DIR-{source_hash(folder)[:8]}"


def source_hash(folder: Path) -> str:
    """sha256 over the names and the content of every file of RTNeural and its libraries that a build may read.

    Hashing ten megabytes at each start would be felt, so the result is kept in the cache under a digest of the files'
    names, sizes and times. Raises OSError if a file can't be read or the cache can't be written to.
    """
    files = sorted(_compiled_files(folder))
    stamp = hashlib.sha256(str(folder).encode())
    for name in files:
        status = (folder / name).stat()
        stamp.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    kept = cache_folder() / "rtneural" / "hashes" / stamp.hexdigest()[:32]
    if kept.is_file() and len(known := kept.read_text()) == 64:
        return known
    content = hashlib.sha256()
    for name in files:
        content.update(f"{name}\0{hashlib.sha256((folder / name).read_bytes()).hexdigest()}\n".encode())
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(kept, content.hexdigest().encode())
    return content.hexdigest()


def _compiled_files(folder: Path) -> Iterator[str]:
    for part in _COMPILED_FOLDERS:
        for parent, _, names in os.walk(folder / part):
            relative = os.path.relpath(parent, folder)
            yield from (f"{relative}/{name}" for name in names)


if __name__ == "__main__":
    try:
        print(find_rtneural())
    except NotAvailable as error:
        sys.exit(f"rtconform: {error}")
