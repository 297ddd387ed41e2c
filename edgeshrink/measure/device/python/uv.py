"""uv on a device: its own, else the one of the registry's wheel for that kind of machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from edgeshrink.core.device import ProbedDevice
from edgeshrink.devices.workspace import Workspace
from edgeshrink.errors import ToolMissing
from edgeshrink.measure.files import sha256_of

UV = "uv==0.13.9"
"""What is brought; a uv that the device has already is taken as it is."""
PLATFORMS = {"aarch64": "manylinux2014_aarch64", "x86_64": "manylinux2014_x86_64"}
_BINARY = ".data/scripts/uv"
_DOWNLOAD_S = 600.0


def find_uv(workspace: Workspace, device: ProbedDevice) -> str:
    """What to call on the device. ToolMissing where there is none for it, or none can be fetched."""
    if workspace.run(("uv", "--version"), timeout_s=30).status == 0:
        return "uv"
    platform = PLATFORMS.get(device.machine)
    if device.system != "linux" or platform is None:
        raise ToolMissing(
            f"{device.address} has no uv, and none can be brought to {device.system} {device.machine}",
            hint="install Python 3.11 or uv there",
        )
    with tempfile.TemporaryDirectory(prefix="edgeshrink-") as scratch:
        binary = fetch_uv(platform, Path(scratch))
        return workspace.put(binary, sha256=sha256_of(binary), name="uv", executable=True)


def download_command(platform: str, folder: Path) -> Sequence[str]:
    """This host's own pip, which knows the registry that this host uses; it brings a wheel for another machine."""
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
    return (*pip, "--no-deps", "--only-binary=:all:", "--platform", platform, "--dest", str(folder), UV)


def fetch_uv(platform: str, folder: Path) -> Path:
    """The program `uv` for `platform` (a wheel's tag) in `folder`. ToolMissing."""
    try:
        done = subprocess.run(
            download_command(platform, folder), capture_output=True, text=True, check=False, timeout=_DOWNLOAD_S
        )
    except subprocess.TimeoutExpired:
        raise ToolMissing("uv did not come from the package registry in time", hint="install uv there") from None
    wheels = sorted(folder.glob("uv-*.whl"))
    if done.returncode != 0 or not wheels:
        said = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise ToolMissing(f"uv could not be fetched for the device: {said}", hint="install uv or Python 3.11 there")
    with zipfile.ZipFile(wheels[0]) as wheel:
        member = next((name for name in wheel.namelist() if name.endswith(_BINARY)), None)
        if member is None:
            raise ToolMissing(f"{wheels[0].name} holds no program uv", hint="install uv or Python 3.11 there")
        binary = folder / "uv"
        binary.write_bytes(wheel.read(member))
    return binary
