"""RTNeural's source is found where the user says, else fetched once from Debian, checked, and never left half there."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rtconform.reference_models import debian_source, rtneural_source
from rtconform.reference_models.errors import NotAvailable

DEB822 = """\
# a comment
Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /keys/security.gpg

Enabled: no
Types: deb
URIs: http://switched-off.example/debian
Suites: bookworm
Components: main

Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Architectures: amd64
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no RTNEURAL_DIR, and a system whose apt knows the Debian archive."""
    apt = tmp_path / "apt"
    (apt / "sources.list.d").mkdir(parents=True)
    (apt / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n")
    monkeypatch.setattr(debian_source, "SYSTEM_APT", apt)
    monkeypatch.setenv("RTCONFORM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RTNEURAL_DIR", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def apt_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts an apt-get on PATH that runs the given shell line for `apt-get source`; returns the file of its calls."""

    def install(on_source: str) -> Path:
        programs = tmp_path / "programs"
        programs.mkdir()
        calls = tmp_path / "calls"
        script = programs / "apt-get"
        script.write_text(f'#!/bin/sh\necho "$*" >>{calls}\ncase "$2" in source) {on_source};; esac\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        return calls

    return install


def write_tarball(path: Path, files: dict[str, str]) -> str:
    """Writes an archive of the given texts and one link; returns its sha256."""
    with tarfile.open(path, "w:xz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        link = tarfile.TarInfo(f"{rtneural_source.FOLDER}/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def good_tarball(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small archive with an RTNeural folder in it, whose hash is the expected one."""
    path = tmp_path / "good.tar.xz"
    folder = rtneural_source.FOLDER
    files = {
        f"{folder}/RTNeural/RTNeural.h": "// the header",
        f"{folder}/../escaped": "x",
        "guitarix-0.46.0+dfsg/src/other.cpp": "x",
    }
    monkeypatch.setattr(rtneural_source, "SHA256", write_tarball(path, files))
    return path


def sentence(error: pytest.ExceptionInfo[NotAvailable]) -> str:
    """The message, which has to be one line."""
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_checkout_of_the_user_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RTNEURAL_DIR wins over the cache and needs no network."""
    (tmp_path / "RTNeural").mkdir()
    (tmp_path / "RTNeural" / "RTNeural.h").touch()
    monkeypatch.setenv("RTNEURAL_DIR", str(tmp_path))
    assert rtneural_source.find_rtneural() == tmp_path.resolve()


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal names the variable, the folder and the file that it lacks."""
    monkeypatch.setenv("RTNEURAL_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(NotAvailable) as error:
        rtneural_source.find_rtneural()
    for part in ("RTNEURAL_DIR", str(tmp_path / "nowhere"), "RTNeural.h"):
        assert part in sentence(error)


def test_debians_copy_is_fetched_once_and_only_its_folder_is_kept(
    cache: Path, apt_get: Callable[[str], Path], good_tarball: Path
) -> None:
    """What stays are the regular files of the RTNeural folder; a second call runs no apt-get."""
    calls = apt_get(f"cp {good_tarball} {rtneural_source.TARBALL}")
    folder = rtneural_source.find_rtneural()
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*")] == ["RTNeural", "RTNeural/RTNeural.h"]
    assert [path for path in (cache / "rtneural").iterdir() if path.suffix != ".lock"] == [folder]

    ran = calls.read_text()
    assert "source --download-only --tar-only guitarix" in ran
    assert rtneural_source.find_rtneural() == folder
    assert calls.read_text() == ran


def test_nothing_is_unpacked_outside_the_folder(good_tarball: Path, tmp_path: Path) -> None:
    """A name with `..` in the archive, or a link, writes nothing."""
    rtneural_source.unpack_folder(good_tarball, rtneural_source.FOLDER, tmp_path / "out" / "target")
    written = [path for path in (tmp_path / "out").rglob("*") if not path.is_dir()]
    assert written == [tmp_path / "out" / "target" / "RTNeural" / "RTNeural.h"]


def test_two_at_once_fetch_once(cache: Path, apt_get: Callable[[str], Path], good_tarball: Path) -> None:
    """The second waits for the first and finds its work done."""
    calls = apt_get(f"sleep 0.3; cp {good_tarball} {rtneural_source.TARBALL}")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: rtneural_source.find_rtneural(), range(2))
    assert first == second
    assert calls.read_text().count("source") == 1


def test_a_wrong_hash_is_refused_and_nothing_is_kept(cache: Path, apt_get: Callable[[str], Path]) -> None:
    """The refusal gives both hashes and the way out; the next run starts afresh."""
    apt_get(f"echo other bytes >{rtneural_source.TARBALL}")
    with pytest.raises(NotAvailable) as error:
        rtneural_source.find_rtneural()
    found = hashlib.sha256(b"other bytes\n").hexdigest()
    for part in (rtneural_source.SHA256, found, rtneural_source.TARBALL, "RTNEURAL_DIR"):
        assert part in sentence(error)
    assert [path.suffix for path in (cache / "rtneural").iterdir()] == [".lock"]


def test_a_network_that_fails_is_told_in_apts_words(cache: Path, apt_get: Callable[[str], Path]) -> None:
    """apt-get's own error is in the sentence."""
    apt_get("echo 'E: Failed to fetch http://mirror.example' >&2; exit 100")
    with pytest.raises(NotAvailable) as error:
        rtneural_source.find_rtneural()
    assert "Failed to fetch http://mirror.example" in sentence(error)
    assert "RTNEURAL_DIR" in sentence(error)


def test_another_version_in_debian_is_told(cache: Path, apt_get: Callable[[str], Path]) -> None:
    """Debian's suite can move on: the sentence says what came instead."""
    apt_get("touch guitarix_9.9.orig.tar.xz")
    with pytest.raises(NotAvailable) as error:
        rtneural_source.find_rtneural()
    assert rtneural_source.TARBALL in sentence(error) and "guitarix_9.9.orig.tar.xz" in sentence(error)


def test_a_system_without_apt_is_told(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No apt-get on PATH: the sentence names it and RTNEURAL_DIR."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotAvailable) as error:
        rtneural_source.find_rtneural()
    assert "apt-get" in sentence(error) and "RTNEURAL_DIR" in sentence(error)


def test_a_cache_that_cannot_be_written_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file where the cache should be: the sentence names it and RTCONFORM_CACHE."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("RTCONFORM_CACHE", str(tmp_path / "file"))
    monkeypatch.delenv("RTNEURAL_DIR", raising=False)
    with pytest.raises(NotAvailable) as error:
        rtneural_source.find_rtneural()
    assert str(tmp_path / "file") in sentence(error) and "RTCONFORM_CACHE" in sentence(error)


def test_the_systems_own_deb822_entry_is_reused(tmp_path: Path) -> None:
    """Mirror and key are kept, a key written out included; security, disabled and binary-only fields are not."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    entry = debian_source.source_entry("trixie", tmp_path)
    assert entry == (
        "Types: deb-src\nSuites: trixie\nComponents: main\nURIs: http://mirror.example/debian\n"
        "Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----\n"
    )


def test_the_systems_own_one_line_entry_is_reused(tmp_path: Path) -> None:
    """The old format says the same in another way."""
    (tmp_path / "sources.list").write_text(
        "# deb http://commented.example/debian bookworm main\n"
        "deb https://packages.example/apt tools-bookworm main\n"
        "deb [arch=amd64 signed-by=/keys/debian.gpg] http://mirror.example/debian bookworm-updates main non-free # x\n"
    )
    assert debian_source.source_entry("trixie", tmp_path) == (
        "Types: deb-src\nSuites: trixie\nComponents: main\n"
        "URIs: http://mirror.example/debian\nSigned-By: /keys/debian.gpg\n"
    )


def test_a_system_without_the_debian_archive_is_told(tmp_path: Path) -> None:
    """Another distribution's entries are not Debian's."""
    (tmp_path / "sources.list").write_text("deb http://archive.ubuntu.example/ubuntu jammy main universe\n")
    with pytest.raises(NotAvailable, match="Debian archive"):
        debian_source.source_entry("trixie", tmp_path)


def test_the_hash_follows_the_content(cache: Path, tmp_path: Path) -> None:
    """Another content, another hash and another version; the same content again, the same hash again."""
    header = tmp_path / "source" / "RTNeural" / "RTNeural.h"
    header.parent.mkdir(parents=True)
    seen = []
    for text in ("// one", "// two", "// one"):
        header.write_text(text)
        os.utime(header, ns=(0, 1000 * len(seen)))
        seen.append(rtneural_source.source_hash(tmp_path / "source"))
    assert seen[0] == seen[2] != seen[1]
    assert rtneural_source.source_version(tmp_path / "source") == f"RTNEURAL_DIR-{seen[2][:8]}"


def test_as_a_program_it_prints_the_folder_or_one_sentence(tmp_path: Path) -> None:
    """stdout is the answer; a refusal is one line on stderr and a failing exit, never a traceback."""
    (tmp_path / "RTNeural").mkdir()
    command = [sys.executable, "-m", "rtconform.reference_models.rtneural_source"]
    environment = {**os.environ, "RTNEURAL_DIR": str(tmp_path)}
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    (tmp_path / "RTNeural" / "RTNeural.h").touch()
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, f"{tmp_path.resolve()}\n")
