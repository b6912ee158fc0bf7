"""The plugin core as a pipeline: its library with one loader beside it, as a plugin's bundle would have them.

Each function returns the connection string of one pipeline: `abi:<path of the library>#plugin-core-<loader>`. The
library comes with the package; it looks for loaders in the folder `loaders/` beside it, so that each loader gets a
bundle of its own in the cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import compact_loaders, loaders
from .cache import cache_folder, install_folder, locked, work_folder
from .errors import NotAvailable


def plugin_core() -> str:
    """The plugin core on rtneural-checked; raises NotAvailable with one sentence if it can't be had here."""
    return _on_rtneural("checked")


def plugin_core_stl() -> str:
    """The plugin core on rtneural-stl; raises NotAvailable as above."""
    return _on_rtneural("stl")


def plugin_core_eigen() -> str:
    """The plugin core on rtneural-eigen; raises NotAvailable as above."""
    return _on_rtneural("eigen")


def plugin_core_xsimd() -> str:
    """The plugin core on rtneural-xsimd; raises NotAvailable as above."""
    return _on_rtneural("xsimd")


def plugin_core_compact_f32() -> str:
    """The plugin core on compact-f32; raises NotAvailable as above."""
    return _connection(compact_loaders.library, "compact-f32")


def plugin_core_compact_f16() -> str:
    """The plugin core on compact-f16; raises NotAvailable as above."""
    return _connection(compact_loaders.library, "compact-f16")


def plugin_core_compact_i8() -> str:
    """The plugin core on compact-i8; raises NotAvailable as above."""
    return _connection(compact_loaders.library, "compact-i8")


def _on_rtneural(backend: str) -> str:
    return _connection(partial(loaders.library, backend), f"rtneural-{backend}")


def _connection(library: Callable[[], Path], loader: str) -> str:
    try:
        return f"abi:{bundle(library())}#plugin-core-{loader}"
    except OSError as error:
        raise NotAvailable(
            f"the plugin core can't be put beside its loader in {cache_folder()}: {error}. "
            "Set RTCONFORM_CACHE to a folder with room"
        ) from error


def bundle(loader: Path) -> Path:
    """The plugin core's library in a folder of the cache where it finds this loader, and no other.

    Raises NotAvailable if the native half of rtconform isn't built, OSError if files can't be read or written.
    """
    core = _library_of_the_package()
    digest = hashlib.sha256(core.read_bytes() + loader.read_bytes()).hexdigest()[:16]
    folder = cache_folder() / "plugins"
    target = folder / f"{loader.stem}-{digest}" / core.name
    if not target.is_file():
        with locked(folder, target.parent.name, doing="putting the plugin core beside its loader"):
            if not target.is_file():
                with work_folder(folder, loader.stem) as work:
                    finished = work / "finished"
                    (finished / "loaders").mkdir(parents=True)
                    shutil.copy2(core, finished)
                    shutil.copy2(loader, finished / "loaders")
                    install_folder(finished, target.parent)
    return target


def _library_of_the_package() -> Path:
    """The library is installed beside the module _plugin_core."""
    spec = importlib.util.find_spec(f"{__package__}._plugin_core")
    library = Path(spec.origin).with_name("librtconform_plugin_pipeline.so") if spec and spec.origin else None
    if library is None or not library.is_file():
        raise NotAvailable(
            "the plugin core of rtconform is not built; install rtconform on a system with a C++ compiler"
        )
    return library
