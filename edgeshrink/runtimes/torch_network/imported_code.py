"""The code that a person's function stands on, once it is imported: own files, and installed packages."""

from __future__ import annotations

import sys
import sysconfig
from importlib.metadata import packages_distributions, version
from pathlib import Path

from edgeshrink.core.network import NetworkSource

_OURS = Path(__file__).resolve().parents[2]
_INSTALLED = {"site-packages", "dist-packages"}


def loaded_files(source: NetworkSource) -> tuple[Path, ...]:
    """The imported files of code that neither come with Python or edgeshrink nor were copied in by an installer: those
    beside the function, and those of packages that are installed to be edited."""
    library = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))
    files = {source.path}
    for module in tuple(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and Path(file).is_file():
            path = Path(file).resolve()
            known = _INSTALLED.intersection(path.parts) or any(path.is_relative_to(root) for root in (*library, _OURS))
            if not known:
                files.add(path)
    return tuple(sorted(files))


def imported_packages() -> tuple[str, ...]:
    """ "name==version" of every distribution that an imported module belongs to, but for edgeshrink."""
    imported = {name.partition(".")[0] for name in tuple(sys.modules)} - sys.stdlib_module_names
    found = {name for module, names in packages_distributions().items() if module in imported for name in names if name}
    return tuple(sorted(f"{name}=={version(name)}" for name in found if name != "edgeshrink"))
