"""Fetches the original tarball of a Debian source package with apt, without root and without touching the system.

Everything that apt writes lies in a private folder. The mirror, the key and the way out to the network (proxies,
timeouts, credentials) are those that the system's own apt is configured with.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from .cache import say
from .errors import NotAvailable

SYSTEM_APT = Path("/etc/apt")
_DEBIAN_SUITES = frozenset(
    [
        "bullseye",
        "bookworm",
        "trixie",
        "forky",
        "duke",
        "sid",
        "oldoldstable",
        "oldstable",
        "stable",
        "testing",
        "unstable",
    ]
)
_FIELDS_NOT_KEPT = frozenset(
    [
        "types",
        "suites",
        "components",
        "enabled",
        "architectures",
        "arch",
        "languages",
        "lang",
        "targets",
        "target",
    ]  # in both formats
)
_ONE_LINE = re.compile(
    r"^(deb|deb-src)\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<components>.*)$"
)


def apt_entries(apt: Path) -> list[dict[str, str]]:
    """The enabled entries of the apt configuration in `apt`, as deb822 fields, from both formats (sources.list(5))."""
    parts = sorted((apt / "sources.list.d").glob("*"))
    entries: list[dict[str, str]] = []
    for path in [apt / "sources.list", *parts]:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if path.suffix == ".list":
            entries += [entry for line in text.splitlines() if (entry := _one_line_entry(line))]
        elif path.suffix == ".sources":
            entries += [entry for stanza in _stanzas(text) if (entry := _deb822_entry(stanza))]
    return [entry for entry in entries if entry.get("Enabled", "yes").lower() not in {"no", "false", "0", "off"}]


def _one_line_entry(line: str) -> dict[str, str] | None:
    match = _ONE_LINE.match(line.split("#", 1)[0].strip())
    if not match:
        return None
    entry = {
        "Types": match[1],
        "URIs": match["uri"],
        "Suites": match["suite"],
        "Components": match["components"].strip(),
    }
    for option in (match["options"] or "").split():
        name, _, value = option.partition("=")
        entry["-".join(part.capitalize() for part in name.split("-"))] = value.replace(",", " ")
    return entry


def _stanzas(text: str) -> list[list[str]]:
    """The paragraphs of a deb822 file, comments left out."""
    stanzas: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if line.strip():
            stanzas[-1].append(line)
        elif stanzas[-1]:
            stanzas.append([])
    return stanzas


def _deb822_entry(stanza: list[str]) -> dict[str, str] | None:
    entry: dict[str, str] = {}
    name = ""
    for line in stanza:
        if line[0] in " \t" and name:
            entry[name] += "\n" + line  # a continuation, such as a key written out
        else:
            name, _, value = line.partition(":")
            entry[name] = value.strip()
    return entry if {"Types", "URIs", "Suites"} <= entry.keys() else None


def source_entry(suite: str, apt: Path) -> str:
    """The entry for the Debian archive in the apt configuration `apt`, rewritten to the sources of `suite` (deb822).

    Raises NotAvailable if there is no such entry.
    """
    for entry in apt_entries(apt):
        suites = {re.sub(r"-(updates|backports)$", "", name) for name in entry["Suites"].split()}
        of_debian = suites & _DEBIAN_SUITES and "main" in entry.get("Components", "").split()
        if of_debian and not entry["URIs"].startswith("cdrom:"):
            kept = {name: value for name, value in entry.items() if name.lower() not in _FIELDS_NOT_KEPT}
            fields = {"Types": "deb-src", "Suites": suite, "Components": "main", **kept}
            return "".join(f"{name}: {value}\n" for name, value in fields.items())
    raise NotAvailable(
        f"fetching from Debian needs an entry for the Debian archive in {apt}/sources.list or {apt}/sources.list.d, "
        "and none was found there"
    )


def fetch_orig_tarball(package: str, tarball: str, *, suite: str, work: Path) -> Path:
    """Downloads `tarball`, the original source of `package` in Debian's `suite`, into the empty folder `work`.

    Its content is not checked here beyond what apt does. Raises NotAvailable with one sentence if there is no apt-get,
    no network, no such package in the suite, or another version of it.
    """
    apt_get = shutil.which("apt-get")
    if apt_get is None:
        raise NotAvailable("fetching from Debian needs apt-get, which is not on PATH")
    entry = source_entry(suite, SYSTEM_APT)
    for folder in ("parts", "sources", "lists/partial", "cache/archives/partial", "download"):
        (work / folder).mkdir(parents=True)
    (work / "sources" / "debian.sources").write_text(entry, encoding="utf-8")
    config = work / "apt.conf"
    config.write_text(_configuration(work), encoding="utf-8")
    # APT_CONFIG is read first, and it points away the folder of further configuration, hooks included.
    environment = {**os.environ, "APT_CONFIG": str(config), "LC_ALL": "C"}
    _run([apt_get, "-q", "update"], environment, work, f"reading the list of {suite}'s source packages")
    _run(
        [apt_get, "-q", "source", "--download-only", "--tar-only", package],
        environment,
        work,
        f"downloading {tarball}",
    )
    found = sorted(path.name for path in (work / "download").iterdir())
    if tarball not in found:
        raise NotAvailable(
            f"Debian's {suite} was expected to have {tarball} for its source package {package}, "
            f"but apt-get brought {', '.join(found) or 'nothing'}"
        )
    return work / "download" / tarball


def _configuration(work: Path) -> str:
    """An apt configuration that writes to `work` only and goes out to the network as the system's own apt does."""
    network = ""
    if apt_config := shutil.which("apt-config"):
        dump = subprocess.run([apt_config, "dump", "Acquire"], capture_output=True, text=True, check=False).stdout
        network = "".join(f"{line}\n" for line in dump.splitlines() if line.startswith("Acquire::http"))
    return (
        f"{network}"
        'Acquire::Languages "none";\n'
        'Acquire::Retries "2";\n'
        'APT::Update::Error-Mode "any";\n'
        'APT::Sandbox::User "root";\n'  # as root: the folder is private to root, and apt's own user can't enter it
        f'Dir::Etc::Main "/dev/null";\n'
        f'Dir::Etc::Parts "{work}/parts";\n'
        f'Dir::Etc::SourceList "/dev/null";\n'
        f'Dir::Etc::SourceParts "{work}/sources";\n'
        f'Dir::Etc::Preferences "/dev/null";\n'
        f'Dir::Etc::PreferencesParts "{work}/parts";\n'
        f'Dir::State::Lists "{work}/lists";\n'
        f'Dir::Cache "{work}/cache";\n'
    )


def _run(command: list[str], environment: dict[str, str], work: Path, doing: str) -> None:
    """Runs apt-get, with a line of progress now and every ten seconds; raises NotAvailable with its first error."""
    say(doing)
    started = time.monotonic()
    log = work / "apt.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=work / "download", env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            while process.poll() is None:
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    size = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
                    say(f"{doing}: {size / 1e6:.0f} MB after {time.monotonic() - started:.0f} s")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        errors = [line[2:].strip() for line in log.read_text(errors="replace").splitlines() if line.startswith("E:")]
        reason = errors[0] if errors else f"exit code {process.returncode}"
        raise NotAvailable(f"{doing} failed: apt-get says: {reason}")
