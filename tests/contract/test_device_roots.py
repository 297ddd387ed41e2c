"""The test devices are what they say: everything that is proven on them rests on this."""

from __future__ import annotations

import itertools
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.adb_device import AndroidDevice
from lab.device import LabDevice
from lab.namespaces import TESTS
from lab.programs import arm64_program
from lab.sensors import SteppingSensor
from lab.ssh_devices import SshDevice

TRIED_S = 60.0


class Link:
    """A device behind its real client, as a person at a shell would use it."""

    def __init__(self, device: LabDevice, folder: str) -> None:
        self.device = device
        self.folder = folder

    def words(self, command: str) -> list[str]:
        kind, _, name = self.device.address.partition(":")
        if kind == "adb":
            return [os.environ["EDGESHRINK_ADB"], "-s", name, "shell", command]
        host, _, port = name.rpartition(":")
        return [*shlex.split(os.environ["EDGESHRINK_SSH"]), "-p", port, host, command]

    def run(self, command: str, *, stdin: str = "", seconds: float = TRIED_S) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.words(command), input=stdin, capture_output=True, text=True, timeout=seconds)

    def start(self, command: str) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen(self.words(command), stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)

    def push(self, source: Path, name: str) -> subprocess.CompletedProcess[str]:
        return self._copy(str(source), f"{self.folder}/{name}", to_device=True)

    def pull(self, name: str, target: Path) -> subprocess.CompletedProcess[str]:
        return self._copy(f"{self.folder}/{name}", str(target), to_device=False)

    def _copy(self, source: str, target: str, *, to_device: bool) -> subprocess.CompletedProcess[str]:
        kind, _, name = self.device.address.partition(":")
        if kind == "adb":
            words = [os.environ["EDGESHRINK_ADB"], "-s", name, "push" if to_device else "pull", source, target]
        else:
            host, _, port = name.rpartition(":")
            options = shlex.split(os.environ["EDGESHRINK_SSH"])[1:]
            ends = (source, f"{host}:{target}") if to_device else (f"{host}:{source}", target)
            words = ["scp", *options, "-P", port, *ends]
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TRIED_S)


@pytest.fixture
def ssh(ssh_device: SshDevice) -> Link:
    return Link(ssh_device, "/home/lab")


@pytest.fixture
def x86(x86_ssh_device: SshDevice) -> Link:
    return Link(x86_ssh_device, "/home/lab")


@pytest.fixture
def adb(adb_device: AndroidDevice) -> Link:
    return Link(adb_device, "/data/local/tmp")


@pytest.fixture(params=["ssh", "adb"])
def arm64(request: pytest.FixtureRequest) -> Link:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.fixture(params=["x86", "adb"])
def quick(request: pytest.FixtureRequest) -> Link:
    """Where the CPU does not matter: the two links whose devices answer soonest."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    file = tmp_path / "payload"
    file.write_bytes(os.urandom(4 << 20))
    return file


@pytest.mark.parametrize(("link", "machine"), [("ssh", "aarch64"), ("adb", "aarch64"), ("x86", os.uname().machine)])
def test_commands_run_there_with_streams_and_status(link: str, machine: str, request: pytest.FixtureRequest) -> None:
    reached: Link = request.getfixturevalue(link)
    done = reached.run('uname -m; read line; echo "[$line]" >&2; kill -15 $$', stdin="to the device\n")
    assert done.stdout.split() == [machine]
    assert "[to the device]" in done.stderr
    assert reached.run("exit 7").returncode == 7


def test_the_host_knows_nothing_of_the_private_table_of_formats(arm64: Link) -> None:
    inside = arm64.run("cd /proc/sys/fs/binfmt_misc && echo *").stdout.split()
    assert "qemu-aarch64" in inside
    outside = Path("/proc/sys/fs/binfmt_misc")
    assert not any("flags: F\n" in file.read_text() for file in outside.glob("qemu-aarch64"))


def test_files_travel_there_and_back(arm64: Link, payload: Path, tmp_path: Path) -> None:
    arm64.device.leaves_things = True
    assert arm64.push(payload, "a b").returncode == 0
    assert f"{arm64.folder}/a b" in arm64.device.files()
    assert arm64.pull("a b", tmp_path / "back").returncode == 0
    assert (tmp_path / "back").read_bytes() == payload.read_bytes()


def test_an_empty_file_travels_too(quick: Link, tmp_path: Path) -> None:
    quick.device.leaves_things = True
    (tmp_path / "empty").touch()
    assert quick.push(tmp_path / "empty", "empty").returncode == 0
    assert quick.run(f"wc -c <{quick.folder}/empty").stdout.strip() == "0"


def test_only_the_devices_own_processes_show(quick: Link) -> None:
    shown = [int(name) for name in quick.run("cd /proc && echo [0-9]*").stdout.split()]
    assert 1 in shown
    assert len(shown) < 12


def test_the_command_is_not_root(arm64: Link) -> None:
    done = arm64.run("id -u; echo x >/etc/x")
    assert done.stdout.strip() != "0"
    assert done.returncode != 0


def test_programs_for_glibc_fail_on_android_only(ssh: Link, adb: Link, tmp_path: Path) -> None:
    adb.device.leaves_things = True
    program = tmp_path / "program"
    program.write_bytes((ssh.device.root / "usr/bin/true").read_bytes())
    program.chmod(0o755)
    assert ssh.run("/usr/bin/true").returncode == 0
    assert adb.push(program, "program").returncode == 0
    done = adb.run("/data/local/tmp/program")
    assert done.returncode in (126, 127, 255)
    assert "ld-linux-aarch64.so.1" in done.stderr or "not found" in done.stderr


@pytest.mark.parametrize(
    ("cpu", "feature", "status"),
    [
        ("cortex-a72", "none", 0),
        ("cortex-a72", "dotprod", 132),
        ("cortex-a76", "dotprod", 0),
        ("cortex-a76", "i8mm", 132),
        ("max", "i8mm", 0),
    ],
)
def test_the_cpu_is_the_chosen_one(arm64: Link, cpu: str, feature: str, status: int) -> None:
    folder = "tmp" if arm64.folder == "/home/lab" else "data/local/tmp"
    arm64.device.plant(f"/{folder}/program", arm64_program(feature), mode=0o755)
    arm64.device.cpu(cpu)
    # A shell on the way: it is what says that a signal ended a program.
    assert arm64.run(f"/{folder}/program; exit $?").returncode == status


def test_what_is_planted_shows_and_goes(quick: Link) -> None:
    device = quick.device
    shown = "cat /sys/class/lab/two/temp /proc/version /etc/passwd"
    users = (device.root / "etc/passwd").read_text()
    device.plant("/sys/class/lab/one/temp", "41000\n")
    device.plant_link("/sys/class/lab/two", "one")
    device.plant("/proc/version", "a longer text, which a shorter one replaces\n")
    device.plant("/proc/version", "Linux 5.15-tegra\n")
    device.plant("/etc/passwd", users + "x:x:9::/:/x\n")
    assert quick.run(shown).stdout == f"41000\nLinux 5.15-tegra\n{users}x:x:9::/:/x\n"
    assert device.reset() == ()
    assert quick.run(shown).stdout == f"{Path('/proc/version').read_text()}{users}"


def test_what_a_test_leaves_on_a_device_is_found_and_removed(quick: Link) -> None:
    quick.run(f"mkdir {quick.folder}/ours && echo x >{quick.folder}/ours/file")
    left = quick.device.wait_until_clean(0)
    assert left == (f"{quick.folder}/ours", f"{quick.folder}/ours/file")
    quick.device.leaves_things = True
    quick.device.reset()
    assert quick.device.wait_until_clean(0) == ()


def test_a_link_that_was_cut_ends_the_client_and_comes_back(quick: Link) -> None:
    with quick.start("cat") as client:
        _until(lambda: bool(quick.device.processes()))
        quick.device.cut()
        # With which status it ends is the client's affair: adb 29 says 0.
        client.wait(TRIED_S)
    assert quick.run("true").returncode != 0
    quick.device.restore()
    _connect(quick.device)
    assert quick.run("true").returncode == 0


def test_a_link_cut_on_the_way_leaves_a_part_of_the_file(quick: Link, payload: Path) -> None:
    quick.device.leaves_things = True
    quick.device.cut(after_bytes=1 << 20)
    assert quick.push(payload, "part").returncode != 0
    size = (quick.device.root / quick.folder.lstrip("/") / "part").stat().st_size
    assert 0 < size < payload.stat().st_size


def test_a_stalled_link_says_nothing_and_goes_on(quick: Link) -> None:
    quick.device.stall()
    with quick.start("exit 5") as client:
        with pytest.raises(subprocess.TimeoutExpired):
            client.wait(1)
        quick.device.resume()
        assert client.wait(TRIED_S) == 5


def test_a_full_device_refuses(quick: Link, payload: Path) -> None:
    quick.device.leaves_things = True
    quick.device.fill(bytes_left=1 << 20)
    done = quick.push(payload, "too much")
    assert done.returncode != 0
    full = quick.run(f"cat /dev/zero >{quick.folder}/more")
    assert "No space left on device" in full.stderr


def test_programs_can_be_forbidden_in_a_folder(quick: Link) -> None:
    quick.device.leaves_things = True
    quick.device.noexec(quick.folder)
    assert quick.run(f"cd {quick.folder} && echo 'exit 0' >script && chmod 755 script && ./script").returncode == 126
    quick.device.reset()
    assert quick.run(f"cd {quick.folder} && echo 'exit 0' >script && chmod 755 script && ./script").returncode == 0
    quick.device.leaves_things = True


def test_a_folder_can_be_in_memory_and_small(quick: Link) -> None:
    quick.device.tmpfs(quick.folder, size_bytes=1 << 20)
    assert f" {quick.folder} tmpfs " in quick.run("cat /proc/mounts").stdout
    assert quick.run(f"cat /dev/zero >{quick.folder}/more").returncode == 1


def test_the_devices_kernel_kills_what_takes_too_much_memory(quick: Link) -> None:
    quick.device.limit_memory(free_bytes=48 << 20)
    done = quick.run("head -c 400000000 /dev/zero | tail -n 1 >/dev/null; exit $?")
    assert done.returncode == 137
    assert quick.device.oom_kills() > 0
    quick.device.limit_memory(None)
    assert quick.run("true").returncode == 0


def test_a_lost_adb_client_hangs_up_the_shell_and_nothing_else(adb: Link) -> None:
    adb.device.leaves_things = True
    with adb.start("toybox sleep 1000 & echo started; toybox cat; true") as client:
        assert client.stdout and client.stdout.readline() == b"started\n"
        client.kill()
    _until(lambda: not any("sh -c" in line for line in adb.device.processes()))
    assert any(line.endswith("sleep 1000") for line in adb.device.processes())


@pytest.mark.parametrize(("mode", "state"), [("deny", "unauthorized"), ("allow 0.3", "device")])
def test_a_phone_that_asks_its_owner(adb_device: AndroidDevice, mode: str, state: str) -> None:
    adb_device.authorize(mode)
    adb_device.connect()
    _until(lambda: f"{adb_device.serial}\t{state}" in _adb("devices"))


def test_a_device_dies_with_the_program_that_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from lab.namespaces import Namespaces, World\n"
        "from lab.unavailable import Unavailable\n"
        "folder = Path(sys.argv[1])\n"
        "(folder / 'seed').mkdir()\n"
        "command = ('/bin/sh', '-c', 'sleep 1000')\n"
        "try:\n"
        "    space = Namespaces(World(Path('/'), folder / 'seed', command, {'PATH': '/bin'}), folder / 'world')\n"
        "except Unavailable as why:\n"
        "    sys.exit(str(why))\n"
        "while not space.processes(): time.sleep(0.01)\n"
        "print(*space.processes(), flush=True)\n"
        "time.sleep(1000)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout and starter.stderr
        line = starter.stdout.readline()
        if not line:
            pytest.skip(starter.stderr.read().strip())
        inside = Path("/proc", line.split()[0])
        assert inside.exists()
        starter.kill()
    _until(lambda: not inside.exists())


def test_a_stepping_sensors_integral_is_known(x86: Link) -> None:
    rail = "/sys/class/hwmon/hwmon0/power1_input"
    written: list[tuple[float, float]] = []

    def write(watts: float) -> None:
        x86.device.plant(rail, f"{watts:.0f}\n")
        written.append((time.clock_gettime(time.CLOCK_BOOTTIME), watts))

    with SteppingSensor(write, [(0.05, 1.0), (0.05, 3.0)]) as sensor:
        while len(written) < 6:
            assert (x86.device.root / rail.lstrip("/")).read_text() in ("1\n", "3\n")
    start, end = written[1][0], written[4][0]
    expected = sum(w * (after - at) for (at, w), (after, _) in itertools.pairwise(written[1:5]))
    assert sensor.truth(start, end) == pytest.approx(expected, rel=0.02)
    assert x86.run(f"cat {rail}").stdout in ("1\n", "3\n")


def test_nothing_is_planted_through_a_link_that_leads_to_the_host(adb: Link) -> None:
    with pytest.raises(ValueError, match="/bin is a link"):
        adb.device.plant("/bin/uname", "x")


def test_a_key_that_is_no_longer_known_is_refused(x86: Link) -> None:
    x86.device.authorize("deny")
    done = x86.run("true")
    assert (done.returncode, "Permission denied" in done.stderr) == (255, True)


def test_nothing_of_the_lab_shows_outside(ssh: Link) -> None:
    assert ssh.device.root.joinpath("etc/nv_tegra_release").is_file()
    assert not Path("/etc/nv_tegra_release").exists()
    assert "lab-jetson" not in Path("/proc/mounts").read_text()
    assert all("/world/root" not in line for line in Path("/proc/mounts").read_text().splitlines())


def _adb(*words: str) -> str:
    command = [os.environ["EDGESHRINK_ADB"], *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=TRIED_S).stdout


def _connect(device: LabDevice) -> None:
    if isinstance(device, AndroidDevice):
        device.connect()


def _until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.05)
