"""Real devices' own words, as they were recorded, and what is made of them."""

from __future__ import annotations

import pytest
from probe_assertions import assert_sound_probe
from recorded_devices import (
    CPU,
    DUMPSYS_THERMAL,
    GALAXY_S24_ULTRA,
    JETSON_CLOCKS_PINNED,
    JETSON_NANO,
    MAC_MINI_M4,
    MARKER,
    ORIN_NANO,
    PIXEL_8,
    PMSET_THERM_INTEL,
    RASPBERRY_PI_5,
    RECORDED,
    answer,
    clocks,
    cpuinfo,
    zones,
)

from edgeshrink.core.device import Battery, CpuCluster, ProbedDevice, ThermalZone
from edgeshrink.devices.probing.parse import parse
from edgeshrink.errors import DeviceError


def device(sections: dict[str, str], **changed: str) -> ProbedDevice:
    """`changed`: sections by name, "_" for what a keyword cannot hold is given as a dict instead."""
    return parse(answer({**sections, **changed}), MARKER, "ssh:device").device


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_every_recorded_device_is_whole(name: str) -> None:
    probe = parse(answer(RECORDED[name]), MARKER, "ssh:device")
    assert_sound_probe(probe, emulated=False)
    assert probe.device.cores and probe.device.ram_bytes and probe.device.page_bytes and probe.device.names


def test_a_jetson_orin_nano() -> None:
    orin = device(ORIN_NANO)
    assert orin.os == "Ubuntu 22.04.5 LTS, L4T 36.4.7"
    assert (orin.kernel, orin.machine, orin.libc) == ("Linux 5.15.148-tegra", "aarch64", "glibc 2.35")
    assert orin.names[1:] == ("nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234")
    assert orin.clusters == (CpuCluster("Arm Cortex-A78AE", 6, 1728.0),)
    assert orin.cpu_features == ("asimd", "asimdhp", "asimddp")
    assert orin.ram_bytes == 7802880 * 1024
    assert (orin.governor, orin.power_mode) == ("schedutil", "25W (mode 1), clocks not pinned")
    assert ThermalZone("tj-thermal", 47.0) in orin.thermal
    assert all(zone.name != "cv0-thermal" for zone in orin.thermal), "an engine that is off has no temperature"
    assert orin.gpus == ("Orin (nvgpu)",) and orin.unread == ()


def test_clocks_that_jetson_clocks_pinned() -> None:
    verbose = "NVPM VERB: parsing done for /etc/nvpmodel.conf\nNVPM VERB: Current mode: NV Power Mode: MAXN_SUPER\n2"
    pinned = device(ORIN_NANO, jetson_clocks=JETSON_CLOCKS_PINNED, nvpmodel=verbose)
    assert pinned.power_mode == "MAXN_SUPER (mode 2), clocks pinned by jetson_clocks"


def test_a_power_mode_that_only_root_may_read() -> None:
    orin = device(ORIN_NANO, nvpmodel="NVPM ERROR: Error opening /var/lib/nvpmodel/status: 13")
    assert orin.power_mode == "clocks not pinned"
    assert orin.unread == ("power mode: nvpmodel -q needs root, and sudo would ask for a password",)


def test_an_orin_without_its_tools_shows_its_gpu_and_engines_all_the_same() -> None:
    sections = {name: text for name, text in ORIN_NANO.items() if name not in ("nvidia-smi", "nvpmodel")}
    nodes = "/sys/bus/platform/devices/17000000.ga10b\n" + "\n".join(
        f"/sys/bus/platform/devices/{place}" for place in ("15880000.nvdla0", "158c0000.nvdla1")
    )
    orin = device(sections, nodes=nodes)
    assert orin.gpus == ("NVIDIA Ampere (ga10b)",)
    assert orin.npus == ("NVIDIA DLA, 2 engines",)


@pytest.mark.parametrize(
    "text",
    ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "No devices were found",
     "Unable to determine the device handle for GPU0: Unknown Error"],
)  # fmt: skip
def test_what_nvidia_smi_cannot_do_is_no_gpu(text: str) -> None:
    assert device(ORIN_NANO, **{"nvidia-smi": text}).gpus == ("NVIDIA Ampere (ga10b)",)


def test_a_jetson_nano_in_its_small_mode() -> None:
    nano = device(JETSON_NANO)
    assert nano.os == "Ubuntu 18.04.6 LTS, L4T 32.7.1"
    assert (nano.libc, nano.page_bytes) == ("glibc 2.27", 4096), "no getconf: the library and the kernel say it"
    assert (nano.cores, nano.power_mode) == (2, "5W (mode 1), 2 CPUs switched off")
    assert nano.available_bytes == (1000000 + 1 + 1000000) * 1024, "before MemAvailable: free, buffers and cache"
    assert [zone.name for zone in nano.thermal] == ["AO-therm", "CPU-therm", "GPU-therm"], "PMIC-Die is a stand-in"
    assert nano.gpus == ("NVIDIA Maxwell (gm20b)",)
    assert any(text.startswith("pinned clocks: jetson_clocks") for text in nano.unread)


def test_the_power_mode_does_not_change_who_it_is() -> None:
    whole = {
        **JETSON_NANO,
        "/proc/cpuinfo": cpuinfo(*[("0x41", "0xd07", "fp asimd")] * 4),
        "/sys/devices/system/cpu/online": "0-3",
        "siblings": "0\n1\n2\n3",
    }
    assert device(whole).cores == 4
    assert device(whole).id == device(JETSON_NANO).id


def test_a_raspberry_pi_5() -> None:
    pi = device(RASPBERRY_PI_5)
    assert pi.names == ("Raspberry Pi 5 Model B Rev 1.0", "raspberrypi,5-model-b", "brcm,bcm2712")
    assert (pi.cpu, pi.page_bytes) == ("Arm Cortex-A76", 16384)
    assert pi.gpus == ("brcm,2712-v3d (v3d)",), "the display controller is a card, too, and no GPU"


def test_a_pixel_8() -> None:
    pixel = device(PIXEL_8)
    assert (pixel.system, pixel.libc, pixel.cpu) == ("android", "bionic", "Google Tensor G3")
    assert pixel.os == "Android 14 (API 34), google/shiba/shiba:14/UQ1A.240205.004/11269751:user/release-keys"
    assert pixel.names == ("Pixel 8", "Google Pixel 8", "shiba")
    assert [(cluster.name, cluster.cores) for cluster in pixel.clusters] == [
        ("Arm Cortex-X3", 1), ("Arm Cortex-A715", 4), ("Arm Cortex-A510", 4),
    ]  # fmt: skip
    assert pixel.cpu_features == ("asimd", "asimdhp", "asimddp", "i8mm", "sve", "sve2", "svei8mm")
    assert pixel.battery == Battery("Discharging", 67)
    assert pixel.thermal == (ThermalZone("BIG", 57.9), ThermalZone("SKIN", 34.351)), "now, and not from the cache"
    assert (pixel.gpus, pixel.npus) == (("Arm Mali-G715 7 cores",), ("Google edge TPU",))


def test_a_phone_that_keeps_its_services_to_itself() -> None:
    shy = device(PIXEL_8, **{"dumpsys:battery": "Can't find service: battery", "dumpsys:thermalservice": ""})
    assert shy.battery is None and shy.thermal == ()
    assert "battery: dumpsys battery names none" in shy.unread


def test_a_phone_without_properties_is_android_still() -> None:
    bare = device(PIXEL_8, getprop="")
    assert (bare.system, bare.libc, bare.os) == ("android", "bionic", "Android")
    assert bare.cpu == "Arm Cortex-A510 + Cortex-A715 + Cortex-X3"
    assert "model: getprop did not answer" in bare.unread


def test_cores_of_one_kind_with_two_clocks_are_two_clusters() -> None:
    galaxy = device(GALAXY_S24_ULTRA)
    assert [(cluster.name, cluster.cores, cluster.max_mhz) for cluster in galaxy.clusters] == [
        ("Arm Cortex-X4", 1, 3398.4), ("Arm Cortex-A720", 3, 3148.8), ("Arm Cortex-A720", 2, 2956.8),
        ("Arm Cortex-A520", 2, 2265.6),
    ]  # fmt: skip
    assert (galaxy.cpu, galaxy.gpus) == ("Qualcomm SM8650", ("Qualcomm Adreno750v2",))


def test_a_feature_that_one_kind_of_core_lacks_is_no_feature() -> None:
    mixed = cpuinfo(*[("0x41", "0xd05", "fp asimd asimdhp asimddp")] * 2, ("0x41", "0xd0b", "fp asimd asimdhp i8mm"))
    assert device(PIXEL_8, **{"/proc/cpuinfo": mixed}).cpu_features == ("asimd", "asimdhp")


def test_cores_of_several_makers() -> None:
    """A Jetson TX2 (https://github.com/hrw/arm-socs-table/issues/25)."""
    cores = [("0x41", "0xd07", "fp asimd")] + [("0x4e", "0x003", "fp asimd")] * 2 + [("0x41", "0xd07", "fp asimd")] * 3
    tx2 = device(JETSON_NANO, **{"/proc/cpuinfo": cpuinfo(*cores)})
    assert tx2.cpu == "Arm Cortex-A57 + NVIDIA Denver 2"
    assert {(cluster.name, cluster.cores) for cluster in tx2.clusters} == {
        ("Arm Cortex-A57", 4), ("NVIDIA Denver 2", 2),
    }  # fmt: skip


def test_old_kernels_that_name_the_features_once() -> None:
    """An LG G4 with Android 6 lists "Processor", then cores, then the rest, as 3.10 kernels do."""
    old = (
        "Processor\t: AArch64 Processor rev 3 (aarch64)\nprocessor\t: 0\nprocessor\t: 1\n"
        "Features\t: fp asimd evtstrm aes crc32\nCPU implementer\t: 0x41\nCPU part\t: 0xd03\n\nHardware\t: MSM8992\n"
    )
    phone = device(PIXEL_8, **{"/proc/cpuinfo": old, **{f"{CPU}{n}/cpufreq/cpuinfo_max_freq": "" for n in range(9)}})
    assert (phone.cores, phone.cpu_features) == (2, ("asimd",))


LAPTOP = {
    "uname": "Linux 6.8.0-45-generic x86_64",
    "/etc/os-release": 'PRETTY_NAME="Ubuntu 24.04.1 LTS"',
    "/proc/cpuinfo": "\n".join(
        f"processor\t: {n}\nvendor_id\t: GenuineIntel\nmodel name\t: 12th Gen Intel(R) Core(TM) i5-1240P\n"
        f"physical id\t: 0\ncore id\t\t: {core}\nflags\t\t: fpu sse4_2 avx f16c fma avx2 bmi2 avx_vnni\n"
        for n, core in enumerate([0, 0, 4, 4, 8, 9])
    ),
    "/proc/meminfo": "MemTotal:       16100000 kB\nMemAvailable:   12000000 kB",
    **clocks("cpuinfo_max_freq", [4400000] * 4 + [3300000] * 2),
    **clocks("scaling_governor", ["powersave"] * 5 + ["performance"]),
    "siblings": "0-1\n0-1\n2-3\n2-3\n4\n5",
    "/sys/devices/cpu_core/cpus": "0-3",
    "/sys/devices/cpu_atom/cpus": "4-5",
    "/sys/class/dmi/id/product_name": "20XW00A7MX",
    "/sys/class/dmi/id/sys_vendor": "LENOVO",
    "/sys/class/drm/card0/device/uevent": "DRIVER=i915\nPCI_CLASS=30000\nPCI_ID=8086:46A6",
    "/sys/class/accel/accel0/device/uevent": "DRIVER=intel_vpu\nPCI_ID=8086:7D1D",
    "/sys/class/power_supply/BAT0/type": "Battery",
    "/sys/class/power_supply/BAT0/status": "Discharging",
    "/sys/class/power_supply/BAT0/capacity": "81",
    "/sys/class/power_supply/AC/type": "Mains",
    "/sys/class/power_supply/hid-mouse/type": "Battery",
    "/sys/class/power_supply/hid-mouse/scope": "Device",
    "/sys/class/hwmon/hwmon3/name": "coretemp",
    "/sys/class/hwmon/hwmon3/temp1_input": "52000",
    "getconf:PAGESIZE": "4096",
    "libc": "glibc 2.39",
    "virt": "none",
    "nodes": "",
}


def test_a_hybrid_laptop() -> None:
    """Made up of what such machines show; not a recording."""
    laptop = device(LAPTOP)
    assert laptop.cores == 4, "hardware threads of one core count once"
    assert laptop.clusters == (
        CpuCluster("12th Gen Intel Core i5-1240P performance core", 2, 4400.0),
        CpuCluster("12th Gen Intel Core i5-1240P efficiency core", 2, 3300.0),
    )
    assert laptop.governor == "performance + powersave"
    assert (laptop.gpus, laptop.npus) == (("Intel GPU 8086:46A6 (i915)",), ("Intel NPU",))
    assert laptop.battery == Battery("Discharging", 81), "the laptop's, not the mouse's"
    assert laptop.thermal == (ThermalZone("coretemp", 52.0),)
    assert (laptop.names, laptop.emulation) == (("20XW00A7MX",), "")


def test_a_board_without_a_name() -> None:
    blank = {"/sys/class/dmi/id/product_name": "To Be Filled By O.E.M."}
    assert device(LAPTOP, **blank).names == ()


def test_a_system_with_musl() -> None:
    musl = device(LAPTOP, libc="", **{"libc:asked": "musl libc (x86_64)\nVersion 1.2.4"})
    assert musl.libc == "musl 1.2.4"
    assert device(LAPTOP, libc="", nodes="/lib/ld-musl-x86_64.so.1").libc == "musl"


def test_a_mac_mini() -> None:
    mac = device(MAC_MINI_M4)
    assert (mac.system, mac.os, mac.libc) == ("darwin", "macOS 26.3 (25D125)", "libSystem")
    assert mac.clusters == (CpuCluster("Apple M4 performance core", 4), CpuCluster("Apple M4 efficiency core", 6))
    assert mac.cpu_features == ("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sme", "sme2")
    assert (mac.ram_bytes, mac.page_bytes) == (2**34, 16384)
    assert mac.available_bytes == (50000 + 100000 + 10000) * 16384
    assert mac.battery is None and mac.emulation == ""


@pytest.mark.parametrize(
    ("text", "battery"),
    [
        ("Now drawing from 'Battery Power'\n -InternalBattery-0 (id=4325507)\t72%; discharging; 3:12 remaining "
         "present: true", Battery("Discharging", 72)),
        ("Now drawing from 'AC Power'\n -InternalBattery-0 (id=3997795)\t79%; AC attached; not charging present: true",
         Battery("Not charging", 79)),
        ("Now drawing from 'AC Power'\n -InternalBattery-0 (id=24576099) 100%; charged; 0:00 remaining present: true",
         Battery("Full", 100)),
        ("Now drawing from 'AC Power'\n -InternalBattery-0 (id=35324003)\t24%; charging; 2:10 remaining present: true",
         Battery("Charging", 24)),
        ("Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t240%; charging", Battery("Charging", None)),
    ],
)  # fmt: skip
def test_a_macbooks_battery(text: str, battery: Battery) -> None:
    assert device(MAC_MINI_M4, **{"pmset:batt": text}).battery == battery


def test_a_mac_that_is_held_back_by_heat() -> None:
    assert device(MAC_MINI_M4, **{"pmset:therm": PMSET_THERM_INTEL}).power_mode == "CPU held at 28 % of its clock"


@pytest.mark.parametrize(
    ("recorded", "changed", "gave_away"),
    [
        (ORIN_NANO, {"cmdline": "/usr/bin/qemu-aarch64-static^@/bin/sh^@-c^@"}, "emulated CPU (qemu-user)"),
        (ORIN_NANO, {"cmdline": "/usr/libexec/qemu-binfmt/aarch64-binfmt-P^@/bin/sh^@"}, "emulated CPU (qemu-user)"),
        (LAPTOP, {"cmdline": "/usr/local/bin/box64^@sh^@"}, "emulated CPU (box64)"),
        (ORIN_NANO, {"/proc/cpuinfo": "processor : 0\nvendor_id\t: AuthenticAMD\nflags : avx2\n"},
         "emulated CPU (uname says aarch64, /proc/cpuinfo an x86 processor)"),
        (PIXEL_8, {"getprop": "[ro.hardware]: [ranchu]\n[ro.product.model]: [sdk_gphone64_arm64]"},
         "Android emulator (ranchu)"),
        (PIXEL_8, {"getprop": "[ro.kernel.qemu]: [1]"}, "Android emulator (ro.kernel.qemu)"),
        (LAPTOP, {"virt": "kvm"}, "virtual machine (KVM)"),
        (LAPTOP, {"/sys/class/dmi/id/sys_vendor": "QEMU"}, "virtual machine (QEMU)"),
        (LAPTOP, {"/sys/class/dmi/id/sys_vendor": "Microsoft Corporation",
                  "/sys/class/dmi/id/product_name": "Virtual Machine"}, "virtual machine (Hyper-V)"),
        (LAPTOP, {"/sys/class/dmi/id/sys_vendor": "Amazon EC2", "/sys/class/dmi/id/product_name": "c7i.large"},
         "virtual machine (Amazon EC2)"),
        (RASPBERRY_PI_5, {"device-tree:compatible": "linux,dummy-virt^@"}, "virtual machine (QEMU's virt board)"),
        (RASPBERRY_PI_5, {"device-tree:hypervisor": ""}, "virtual machine (the device tree names a hypervisor)"),
        (LAPTOP, {"/proc/cpuinfo": LAPTOP["/proc/cpuinfo"].replace("avx_vnni", "avx_vnni hypervisor")},
         "virtual machine (by the CPU's hypervisor flag)"),
        (MAC_MINI_M4, {"sysctl:kern.hv_vmm_present": "1"}, "virtual machine (macOS under a hypervisor)"),
        (MAC_MINI_M4, {"sysctl:sysctl.proc_translated": "1"}, "translated CPU (Rosetta)"),
    ],
)  # fmt: skip
def test_what_is_not_real_hardware_is_given_away(
    recorded: dict[str, str], changed: dict[str, str], gave_away: str
) -> None:
    assert device(recorded, **changed).emulation == gave_away


@pytest.mark.parametrize(
    ("recorded", "changed"),
    [
        (LAPTOP, {"/sys/class/dmi/id/sys_vendor": "Microsoft Corporation",
                  "/sys/class/dmi/id/product_name": "Surface Laptop 5"}),
        (LAPTOP, {"/sys/class/dmi/id/sys_vendor": "Amazon EC2", "/sys/class/dmi/id/product_name": "c7i.metal-24xl"}),
        (PIXEL_8, {"device-tree:hypervisor": ""}),
        (LAPTOP, {"cmdline": "sh^@-c^@qemu-aarch64-static^@"}),
    ],
)  # fmt: skip
def test_what_only_looks_emulated_is_real(recorded: dict[str, str], changed: dict[str, str]) -> None:
    assert device(recorded, **changed).emulation == ""


def test_an_emulated_cpu_is_described_by_what_it_can_do_and_not_by_its_host() -> None:
    """qemu-user 7.2 shows the host's cpuinfo; its auxiliary vector is that of the emulated CPU (here a Cortex-A76)."""
    auxv = "  3  365072220224\n  4  56\n  6  4096\n  16  1155067\n  26  0\n  0  0"
    leaked = {"/proc/cpuinfo": LAPTOP["/proc/cpuinfo"], "auxv": auxv, "getconf:PAGESIZE": "", "siblings": "0\n1"}
    emulated = device(ORIN_NANO, **leaked)
    assert emulated.cpu_features == ("asimd", "asimdhp", "asimddp")
    assert (emulated.cpu, emulated.cores) == ("emulated aarch64 processor", 2)
    assert emulated.page_bytes == 4096
    newest = device(ORIN_NANO, **{**leaked, "auxv": "16 3976200187\n26 2139586559\n0 0"})
    assert "i8mm" in newest.cpu_features and "sve2" in newest.cpu_features


def test_what_tells_devices_apart() -> None:
    here = device(ORIN_NANO).id
    assert parse(answer(ORIN_NANO), MARKER, "ssh:another-name").device.id == here, "the address is not who it is"
    assert device(ORIN_NANO, **{"/proc/meminfo": ORIN_NANO["/proc/meminfo"].replace("7802880", "7802000")}).id == here
    for name, text in (
        ("device-tree:serial-number", "1420000000002^@"),
        ("/etc/machine-id", "0123456789abcdef0123456789abcdef"),
        ("/proc/meminfo", "MemTotal:       15802880 kB"),
        ("/proc/cpuinfo", cpuinfo(*[("0x41", "0xd42", "fp asimd")] * 6)),
    ):
        assert device(ORIN_NANO, **{name: text}).id != here, name


def test_files_that_were_asked_for_stand_under_their_paths() -> None:
    shown = {"/sys/class/powercap/intel-rapl:0/name": "package-0\n"}
    counter = "/sys/class/powercap/intel-rapl:0/energy_uj"
    sections = {**LAPTOP, "command:tegrastats": "/usr/bin/tegrastats"}
    probe = parse(answer(sections, shown=shown, denied=[counter]), MARKER, "ssh:x")
    assert probe.shown == {
        "/sys/class/powercap/intel-rapl:0/name": "package-0",
        counter: "",
        f"unreadable:{counter}": "Permission denied",
        "command:tegrastats": "/usr/bin/tegrastats",
    }
    assert probe.device.unread == (f"{counter}: permission denied",)


def test_many_denied_files_are_counted() -> None:
    probe = parse(answer(LAPTOP, denied=[f"/sys/x{number}" for number in range(100)]), MARKER, "ssh:x")
    assert len(probe.device.unread) == 25
    assert probe.device.unread[-1] == "76 more files: permission denied"


def test_a_section_that_comes_twice_keeps_its_first_text() -> None:
    twice = answer(LAPTOP).removesuffix(f"{MARKER}.\n") + f"{MARKER}=uname\n|Linux 9.9.9 evil\n{MARKER}.\n"
    assert parse(twice, MARKER, "ssh:x").device.machine == "x86_64"


def test_a_governor_that_reads_empty_is_none() -> None:
    assert device(LAPTOP, **clocks("scaling_governor", ["", "powersave", "", "", "", ""])).governor == "powersave"


def test_a_container_says_that_it_is_one() -> None:
    assert device(LAPTOP, nodes="/.dockerenv").unread == ("limits of the machine around: this is a container",)


def test_nonsense_is_not_shown_and_said_to_be_missing() -> None:
    nonsense = device(
        LAPTOP,
        **{
            "/proc/meminfo": "MemTotal:  99999999999999 kB",
            "getconf:PAGESIZE": "4097",
            "siblings": "",
            "/proc/cpuinfo": "",
            **zones(("cpu-thermal", 999000), ("soc", -300000)),
            "/sys/class/power_supply/BAT0/capacity": "300",
            "/sys/class/hwmon/hwmon3/temp1_input": "abc",
        },
    )
    assert (nonsense.ram_bytes, nonsense.page_bytes, nonsense.cores, nonsense.thermal) == (0, 0, 0, ())
    assert nonsense.battery == Battery("Discharging", None)
    assert nonsense.unread[-3:] == ("cores: not shown", "RAM: not shown", "page size: not shown")


def test_control_characters_do_not_reach_anybody() -> None:
    evil = "\x1b]0;owned\x07\x9b31m\u202egnp.exe\ud800"
    shown = device(
        PIXEL_8,
        **{
            "getprop": f"[ro.product.model]: [{evil}]\n[ro.soc.model]: [{evil}]\n[ro.build.fingerprint]: [{evil * 99}]",
            **zones((evil, 40000)),
            "dumpsys:thermalservice": DUMPSYS_THERMAL.replace("BIG", evil),
        },
    )
    probe = parse(answer({**PIXEL_8, "/sys/class/kgsl/kgsl-3d0/gpu_model": evil}), MARKER, "adb:1")
    assert_sound_probe(probe)
    assert "\x1b" not in repr(shown).replace("\\x1b", "") and "\u202e" not in shown.names[0]
    assert len(shown.os) <= 400


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "did not answer the probe to its end"),
        ("sh: 1: not found", "did not answer the probe to its end"),
        (answer(ORIN_NANO)[:-40], "did not answer the probe to its end"),
        (answer({}), "does not say what system it is"),
        (answer({"uname": "FreeBSD 14.0-RELEASE amd64"}), "runs FreeBSD"),
        (answer({"uname": "Linux"}), "does not say what system it is"),
    ],
)
def test_what_is_no_answer_is_refused(text: str, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        parse(text, MARKER, "ssh:x")
