"""Is this real hardware? What gives an emulated CPU or a virtual machine away. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from edgeshrink.devices.probing.linux import foreign_cpuinfo
from edgeshrink.devices.probing.sections import Sections, clean

# What systemd-detect-virt prints -> as people know it.
_VIRTUAL = {
    "kvm": "KVM", "qemu": "QEMU", "vmware": "VMware", "oracle": "VirtualBox", "microsoft": "Hyper-V", "xen": "Xen",
    "amazon": "Amazon EC2", "google": "Google Compute Engine", "apple": "Apple Virtualization",
    "parallels": "Parallels", "bochs": "Bochs", "wsl": "WSL",
}  # fmt: skip
# Pieces of DMI names -> whose virtual machine it is.
_DMI = (
    ("QEMU", "QEMU"), ("KVM", "KVM"), ("VMware", "VMware"), ("VirtualBox", "VirtualBox"), ("innotek", "VirtualBox"),
    ("Xen", "Xen"), ("Bochs", "Bochs"), ("Parallels", "Parallels"), ("OpenStack", "OpenStack"),
    ("Google Compute Engine", "Google Compute Engine"), ("DigitalOcean", "DigitalOcean"), ("Alibaba", "Alibaba Cloud"),
    ("Apple Virtualization", "Apple Virtualization"), ("Virtual Machine", "Hyper-V"), ("bhyve", "bhyve"),
)  # fmt: skip


def emulation_of_linux(sections: Sections, machine: str, props: Mapping[str, str]) -> str:
    """What gave an emulation away; "" where nothing did. `props`: Android's properties, empty elsewhere."""
    return _emulated_cpu(sections, machine) or _android_emulator(props) or _virtual(sections, props)


def emulation_of_darwin(sections: Sections) -> str:
    if sections["sysctl:kern.hv_vmm_present"] == "1" or "VirtualApple" in sections["sysctl:machdep.cpu.brand_string"]:
        return "virtual machine (macOS under a hypervisor)"
    return "translated CPU (Rosetta)" if sections["sysctl:sysctl.proc_translated"] == "1" else ""


def _emulated_cpu(sections: Sections, machine: str) -> str:
    # qemu shows an emulated program its own command line; another program sees the kernel's, which begins with qemu.
    program = sections["cmdline"].split("^@")[0].rpartition("/")[2]
    if re.fullmatch(r"qemu-\w+(?:-static)?|\w+-binfmt-P", program):
        return "emulated CPU (qemu-user)"
    if re.fullmatch(r"(?i)box64|box86|FEX(?:Interpreter|Loader)?", program):
        return f"emulated CPU ({program})"
    if foreign_cpuinfo(sections, machine):
        return f"emulated CPU (uname says {clean(machine, 20)}, /proc/cpuinfo an x86 processor)"
    return ""


def _android_emulator(props: Mapping[str, str]) -> str:
    hardware = (props.get("ro.hardware", ""), props.get("ro.boot.hardware", ""), props.get("ro.product.board", ""))
    for name in ("ranchu", "goldfish", "cutf", "vsoc", "vbox86"):
        if any(name in text.lower() for text in hardware):
            return f"Android emulator ({name})"
    emulated = "1" in (props.get("ro.kernel.qemu"), props.get("ro.boot.qemu"))
    return "Android emulator (ro.kernel.qemu)" if emulated else ""


def _virtual(sections: Sections, props: Mapping[str, str]) -> str:
    if (kind := sections["virt"]) and kind != "none":
        return f"virtual machine ({_VIRTUAL.get(kind, clean(kind, 30))})"
    dmi = [sections[f"/sys/class/dmi/id/{name}"] for name in ("sys_vendor", "product_name", "board_vendor")]
    for piece, name in _DMI:
        if any(piece in text for text in dmi):
            return f"virtual machine ({name})"
    if dmi[0] == "Amazon EC2" and ".metal" not in dmi[1]:
        return "virtual machine (Amazon EC2)"
    if "linux,dummy-virt" in sections["device-tree:compatible"]:
        return "virtual machine (QEMU's virt board)"
    # Phones run under a hypervisor of their own (pKVM, Gunyah) and are no virtual machines for it.
    if "device-tree:hypervisor" in sections.text and not props:
        return "virtual machine (the device tree names a hypervisor)"
    if re.search(r"^flags\s*:.*\bhypervisor\b", sections["/proc/cpuinfo"], re.MULTILINE):
        return "virtual machine (by the CPU's hypervisor flag)"
    return ""
