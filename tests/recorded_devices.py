"""What real devices print, put together as answers to the probing script. Where each text comes from stands with it.

Serial numbers are made up. Texts that are shortened say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MARKER = "f00dfacef00dfacef00dfacef00dface"


def answer(sections: Mapping[str, str], *, shown: Mapping[str, str] | None = None, denied: Iterable[str] = ()) -> str:
    """The answer that the script would give: `sections` by name, files `shown` by pattern, files that are `denied`."""
    lines: list[str] = []
    for sign, texts in (("=", sections), ("+", shown or {})):
        for name, text in texts.items():
            lines += [f"{MARKER}{sign}{name}", *(f"|{line}" for line in text.split("\n") if text)]
    for name in denied:
        lines += [f"{MARKER}+{name}", f"{MARKER}!"]
    return "\n".join([*lines, f"{MARKER}.", ""])


def cpuinfo(*cores: tuple[str, str, str], tail: str = "") -> str:
    """/proc/cpuinfo of an ARM device: (implementer, part, features) for each core."""
    blocks = [
        f"processor\t: {number}\nBogoMIPS\t: 38.40\nFeatures\t: {features}\nCPU implementer\t: {maker}\n"
        f"CPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: {part}\nCPU revision\t: 1\n"
        for number, (maker, part, features) in enumerate(cores)
    ]
    return "\n".join(blocks) + tail


CPU = "/sys/devices/system/cpu/cpu"
ZONE = "/sys/class/thermal/thermal_zone"


def clocks(name: str, values: Iterable[object]) -> dict[str, str]:
    """A cpufreq file of each core."""
    return {f"{CPU}{number}/cpufreq/{name}": str(value) for number, value in enumerate(values)}


def zones(*found: tuple[str, int]) -> dict[str, str]:
    """Thermal zones: name, millidegrees."""
    types = {f"{ZONE}{number}/type": name for number, (name, _) in enumerate(found)}
    return types | {f"{ZONE}{number}/temp": str(value) for number, (_, value) in enumerate(found)}


# Cores: features that lscpu shows of an Orin (https://github.com/lix19937/tensorrt-insight/issues/26), part 0xd42
# (Arm's manual). nvpmodel, jetson_clocks, nv_tegra_release and thermal zones: an environment report of a developer kit
# under JetPack 7.2 and hardware notes of one under 36.4.7, both in public repositories ("SOC family:tegra234").
# Device tree: `compatible` as in https://github.com/rbonghi/jetson_stats/issues/400. MemTotal: 7620 MB, by tegrastats.
_ORIN = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp uscat flagm"
ORIN_NANO = {
    "uname": "Linux 5.15.148-tegra aarch64",
    "/etc/os-release": 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nNAME="Ubuntu"\nVERSION_ID="22.04"',
    "/etc/nv_tegra_release": (
        "# R36 (release), REVISION: 4.7, GCID: 42132812, BOARD: generic, EABI: aarch64, "
        "DATE: Thu Sep 18 22:54:44 UTC 2025\n# KERNEL_VARIANT: oot"
    ),
    "/proc/cpuinfo": cpuinfo(*[("0x41", "0xd42", _ORIN)] * 6),
    "/proc/meminfo": "MemTotal:        7802880 kB\nMemFree:          4700000 kB\nMemAvailable:    5700000 kB",
    "/sys/devices/system/cpu/present": "0-5",
    "/sys/devices/system/cpu/online": "0-5",
    **clocks("cpuinfo_max_freq", [1728000] * 6),
    **clocks("scaling_governor", ["schedutil"] * 6),
    "siblings": "0\n1\n2\n3\n4\n5",
    **zones(
        ("cpu-thermal", 46000), ("gpu-thermal", 46700), ("cv0-thermal", -256000), ("soc0-thermal", 46200),
        ("tj-thermal", 47000),
    ),
    "nodes": "/sys/bus/platform/devices/17000000.ga10b",
    "device-tree:model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super^@",
    "device-tree:compatible": "nvidia,p3768-0000+p3767-0005-super^@nvidia,p3767-0005^@nvidia,tegra234^@",
    "device-tree:serial-number": "1420000000001^@",
    "getconf:PAGESIZE": "4096",
    "libc": "glibc 2.35",
    "nvidia-smi": "Orin (nvgpu)",
    "nvpmodel": "NV Power Mode: 25W\n1",
    "jetson_clocks": (
        "SOC family:tegra234  Machine:NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\n"
        "Online CPUs: 0-5\n"
        "cpu0:  Governor=schedutil MinFreq=729600 MaxFreq=1344000 CurrentFreq=960000 IdleStates: WFI=1 c7=1 \n"
        "cpu1:  Governor=schedutil MinFreq=729600 MaxFreq=1344000 CurrentFreq=960000 IdleStates: WFI=1 c7=1 \n"
        "GPU MinFreq=306000000 MaxFreq=918000000 CurrentFreq=306000000\nActive GPU TPCs: 4\n"
        "EMC MinFreq=204000000 MaxFreq=3199000000 CurrentFreq=665600000\nNV Power Mode: 25W"
    ),
    "cmdline": "sh^@-c^@",
}  # fmt: skip
JETSON_CLOCKS_PINNED = (
    "SOC family:tegra234  Machine:NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\nOnline CPUs: 0-5\n"
    "cpu0: Online=1 Governor=schedutil MinFreq=1728000 MaxFreq=1728000 CurrentFreq=1728000\n"
    "cpu1: Online=1 Governor=schedutil MinFreq=1728000 MaxFreq=1728000 CurrentFreq=1728000\n"
    "GPU MinFreq=1020000000 MaxFreq=1020000000 CurrentFreq=1020000000\nActive GPU TPCs: 8\n"
    "EMC MinFreq=204000000 MaxFreq=3199000000 CurrentFreq=3199000000 FreqOverride=1\nNV Power Mode: MAXN_SUPER"
)

# cpuinfo: https://github.com/hrw/arm-socs-table/issues/91. nvpmodel without root: what
# https://github.com/NVIDIA-AI-IOT/jetbot/issues/49 shows; jetson_clocks without root: one line, on stdout, in a public
# test of an Orin tool ("Run this script(/usr/bin/jetson_clocks) as a root user"). Zones: names of L4T 32 on this board.
JETSON_NANO = {
    "uname": "Linux 4.9.253-tegra aarch64",
    "/etc/os-release": 'PRETTY_NAME="Ubuntu 18.04.6 LTS"',
    "/etc/nv_tegra_release": "# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref, EABI: aarch64, DATE: x",
    "/proc/cpuinfo": cpuinfo(*[("0x41", "0xd07", "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid")] * 2),
    "/proc/meminfo": "MemTotal:        4059512 kB\nMemFree: 1000000 kB\nBuffers: 1 kB\nCached: 1000000 kB",
    "/sys/devices/system/cpu/present": "0-3",
    "/sys/devices/system/cpu/online": "0-1",
    "siblings": "0\n1",
    **zones(("AO-therm", 41500), ("CPU-therm", 33500), ("GPU-therm", 32500), ("PMIC-Die", 100000)),
    "nodes": "",
    "device-tree:model": "NVIDIA Jetson Nano Developer Kit^@",
    "device-tree:compatible": "nvidia,p3450-0000^@nvidia,jetson-nano^@nvidia,tegra210^@",
    "/proc/self/smaps": "00400000-00401000 r--p 00000000 b3:01 1 /bin/dash\nSize: 4 kB\nKernelPageSize:        4 kB",
    "libc:asked": (
        "GNU C Library (Ubuntu GLIBC 2.27-3ubuntu1.5) stable release version 2.27.\n"
        "Copyright (C) 2018 Free Software Foundation, Inc."
    ),
    "nvpmodel": "NV Power Mode: 5W\n1",
    "jetson_clocks": "Error: Run this script(/usr/bin/jetson_clocks) as a root user",
    "cmdline": "sh^@-c^@",
}

# https://github.com/hrw/arm-socs-table/issues/96
RASPBERRY_PI_5 = {
    "uname": "Linux 6.1.47-v8-16k+ aarch64",
    "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"',
    "/proc/cpuinfo": cpuinfo(
        *[("0x41", "0xd0b", "fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp")] * 4,
        tail="\nHardware\t: BCM2835\nRevision\t: d04170\nSerial\t\t: 48343bbbe3ae743b\n"
        "Model\t\t: Raspberry Pi 5 Model B Rev 1.0\n",
    ),
    "/proc/meminfo": "MemTotal:        8254304 kB\nMemAvailable:    7500000 kB",
    **clocks("cpuinfo_max_freq", [2400000] * 4),
    **clocks("scaling_governor", ["ondemand"] * 4),
    **zones(("cpu-thermal", 55400)),
    "/sys/class/drm/card0/device/uevent": "DRIVER=v3d\nOF_NAME=v3d\nOF_COMPATIBLE_0=brcm,2712-v3d",
    "/sys/class/drm/card1/device/uevent": "DRIVER=vc4-drm\nOF_NAME=gpu\nOF_COMPATIBLE_0=brcm,bcm2712-vc6",
    "device-tree:model": "Raspberry Pi 5 Model B Rev 1.0^@",
    "device-tree:compatible": "raspberrypi,5-model-b^@brcm,bcm2712^@",
    "device-tree:serial-number": "48343bbbe3ae743b^@",
    "getconf:PAGESIZE": "16384",
    "libc": "glibc 2.36",
    "nodes": "",
    "cmdline": "sh^@-c^@",
}

# cpuinfo: https://github.com/hrw/arm-socs-table/issues/99 (a Pixel 8 Pro, same chip). Properties: the getprop of a
# Pixel 8 in https://github.com/badabing2005/PixelFlasher/issues/211. dumpsys battery: a real one, figures changed, in a
# public charge guard's self-test. dumpsys thermalservice: captured from a phone with Android 16, in the tests of a
# public device hub, shortened. GPU: as the Mali driver words it.
_G3_FEATURES = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 "
    "sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp sve2 sveaes svepmull svebitperm "
    "svesha3 svesm4 flagm2 frint svei8mm svebf16 i8mm bti mte mte3"
)
DUMPSYS_THERMAL = (
    "IsStatusOverride: false\nThermal Status: 0\nCached temperatures:\n"
    "\tTemperature{mValue=84.208, mType=0, mName=CPU, mStatus=0}\n"
    "\tTemperature{mValue=48.517, mType=3, mName=SKIN, mStatus=0}\nHAL Ready: true\n"
    "Current temperatures from HAL:\n"
    "\tTemperature{mValue=57.9, mType=0, mName=BIG, mStatus=0}\n"
    "\tTemperature{mValue=34.351, mType=3, mName=SKIN, mStatus=0}\n"
    "Temperature static thresholds from HAL:\n"
    "\tTemperatureThreshold{mType=3, mName=SKIN, mHotThrottlingThresholds=[NaN, NaN, NaN, 50.0, 70.0, 80.0, 90.0]}"
)
PIXEL_8 = {
    "uname": "Linux 5.15.110-android14-11-ga6d7915820a0-ab10726252 aarch64",
    "/proc/cpuinfo": cpuinfo(
        *[("0x41", "0xd46", _G3_FEATURES)] * 4, *[("0x41", "0xd4d", _G3_FEATURES)] * 4, ("0x41", "0xd4e", _G3_FEATURES)
    ),
    "/proc/meminfo": "MemTotal:        7769780 kB\nMemFree:          300000 kB\nMemAvailable:    3200000 kB",
    **clocks("cpuinfo_max_freq", [1704000] * 4 + [2367000] * 4 + [2914000]),
    **clocks("scaling_governor", ["sched_pixel"] * 9),
    "/sys/class/misc/mali0/device/gpuinfo": "Mali-G715 7 cores r1p3 0xA8870000",
    "getconf:PAGESIZE": "4096",
    "nodes": "/dev/edgetpu-soc\n/dev/rio\n/system/bin/linker64",
    "getprop": (
        "[ro.board.platform]: [zuma]\n"
        "[ro.build.fingerprint]: [google/shiba/shiba:14/UQ1A.240205.004/11269751:user/release-keys]\n"
        "[ro.build.version.release]: [14]\n[ro.build.version.sdk]: [34]\n[ro.hardware]: [shiba]\n"
        "[ro.product.cpu.abilist]: [arm64-v8a]\n[ro.product.device]: [shiba]\n[ro.product.manufacturer]: [Google]\n"
        "[ro.product.model]: [Pixel 8]\n[ro.serialno]: [38000000000000]\n[ro.soc.manufacturer]: [Google]\n"
        "[ro.soc.model]: [Tensor G3]"
    ),
    "dumpsys:battery": (
        "Current Battery Service state:\n  AC powered: false\n  USB powered: false\n  Max charging current: 0\n"
        "  Charge counter: 2483000\n  status: 3\n  health: 2\n  present: true\n  level: 67\n  scale: 100\n"
        "  voltage: 3964\n  temperature: 337\n  technology: Li-poly"
    ),
    "dumpsys:thermalservice": DUMPSYS_THERMAL,
    "cmdline": "sh^@-c^@",
}

# cpuinfo: https://github.com/hrw/arm-socs-table/issues/98 (a Xiaomi 14 with the same chip; the first cores' features
# are real, the other kinds' are taken to be the same). Properties: those of Samsung's US phones of that year in the
# test data of a public hardware probe ([ro.soc.model]: [SM8650]), model and fingerprint of an S24 Ultra as in
# https://github.com/BuSung-dev/Root-My-Galaxy/issues/429.
_8_GEN_3 = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 "
    "sm4 asimddp sha512 asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp flagm2 frint i8mm bf16 dgh bti ecv afp"
)
GALAXY_S24_ULTRA = {
    "uname": "Linux 6.1.145-android14-11-33419968-abS928BXXS6DZF2 aarch64",
    "/proc/cpuinfo": cpuinfo(
        *[("0x41", "0xd80", _8_GEN_3)] * 2, *[("0x41", "0xd81", _8_GEN_3)] * 5, ("0x41", "0xd82", _8_GEN_3)
    ),
    "/proc/meminfo": "MemTotal:       11500000 kB\nMemAvailable:    6000000 kB",
    **clocks("cpuinfo_max_freq", [2265600] * 2 + [3148800] * 3 + [2956800] * 2 + [3398400]),
    "/sys/class/kgsl/kgsl-3d0/gpu_model": "Adreno750v2",
    "getconf:PAGESIZE": "4096",
    "nodes": "/dev/adsprpc-smd\n/system/bin/linker64",
    "getprop": (
        "[ro.board.platform]: [pineapple]\n"
        "[ro.build.fingerprint]: [samsung/e3qxxx/e3q:16/BP4A.251205.006/S928BXXS6DZF2:user/release-keys]\n"
        "[ro.build.version.release]: [16]\n[ro.build.version.sdk]: [36]\n[ro.hardware]: [qcom]\n"
        "[ro.product.device]: [e3q]\n[ro.product.manufacturer]: [samsung]\n[ro.product.model]: [SM-S928B]\n"
        "[ro.soc.manufacturer]: [QTI]\n[ro.soc.model]: [SM8650]"
    ),
    "cmdline": "sh^@-c^@",
}

# sysctl names and values: an M2 Pro mini's facts as public test data give them ("hw.perflevel0.physicalcpu: 8" and
# others), a Mac mini M4's model from https://github.com/UbuntuAsahi/ubuntu-asahi/issues/199; sw_vers, vm_stat, pmset
# -g batt and -g therm (https://github.com/prometheus/node_exporter/issues/2031, exelban/stats issue 749): as recorded
# in public repositories. No Mac was asked by this project.
VM_STAT = (
    "Mach Virtual Memory Statistics: (page size of 16384 bytes)\n"
    "Pages free:                               50000.\nPages active:                            200000.\n"
    "Pages inactive:                          100000.\nPages speculative:                        10000.\n"
    "Pages throttled:                              0.\nPages wired down:                        150000.\n"
    '"Translation faults":                 500000000.'
)
PMSET_THERM_INTEL = (
    "Note: No thermal warning level has been recorded\nNote: No performance warning level has been recorded\n"
    "2021-05-02 11:51:57 +0800 CPU Power notify\n\tCPU_Scheduler_Limit \t= 100\n\tCPU_Available_CPUs \t= 12\n"
    "\tCPU_Speed_Limit \t= 28"
)
MAC_MINI_M4 = {
    "uname": "Darwin 25.3.0 arm64",
    "sw_vers": "ProductName:\t\tmacOS\nProductVersion:\t\t26.3\nBuildVersion:\t\t25D125",
    "sysctl:hw.model": "Mac16,10",
    "sysctl:hw.memsize": "17179869184",
    "sysctl:hw.pagesize": "16384",
    "sysctl:hw.physicalcpu": "10",
    "sysctl:hw.perflevel0.name": "Performance",
    "sysctl:hw.perflevel0.physicalcpu": "4",
    "sysctl:hw.perflevel1.name": "Efficiency",
    "sysctl:hw.perflevel1.physicalcpu": "6",
    "sysctl:machdep.cpu.brand_string": "Apple M4",
    "sysctl:machdep.cpu.features": "",
    "sysctl:kern.hv_vmm_present": "0",
    **{
        f"sysctl:hw.optional.arm.{name}": "1"
        for name in ("AdvSIMD", "FEAT_FP16", "FEAT_DotProd", "FEAT_I8MM", "FEAT_BF16", "FEAT_SME", "FEAT_SME2")
    },
    "vm_stat": VM_STAT,
    "pmset:batt": "Now drawing from 'AC Power'",
    "pmset:therm": (
        "Note: No thermal warning level has been recorded\nNote: No performance warning level has been recorded\n"
        "Note: No CPU power status has been recorded"
    ),
    "ioreg": '    {\n      "IOPlatformUUID" = "ABCDEF01-2345-6789-ABCD-EF0123456789"\n    }',
}

RECORDED = {
    "Jetson Orin Nano": ORIN_NANO, "Jetson Nano": JETSON_NANO, "Raspberry Pi 5": RASPBERRY_PI_5, "Pixel 8": PIXEL_8,
    "Galaxy S24 Ultra": GALAXY_S24_ULTRA, "Mac mini M4": MAC_MINI_M4,
}  # fmt: skip
