"""The shell scripts that devices are asked with.

They run in dash, mksh with toybox, busybox' ash and the sh of macOS, so nearly everything is done by the shell itself:
no awk, tr, dd, expr, head. (What is read with `cat` has zero bytes in it or, as the kernel's lists of CPUs, reads as
empty when it is taken byte by byte, which is how a shell's `read` takes it.)

A line of the answer is `MARKER=NAME` (a section begins), `MARKER+PATH` (a file that was asked for by pattern),
`MARKER!` (the file of this section may not be read), `|TEXT` (a line of the section) or `MARKER.` (the end). Text
always stands behind a bar, so no file can begin or end a section.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgeshrink.errors import UsageError

# `put` cuts a line at 4000 bytes. mksh has no printf of its own and would start a program for every line; what it uses
# instead is no syntax elsewhere, hence eval.
_WORDS = r"""
LC_ALL=C; export LC_ALL
PATH="$PATH:/usr/local/bin:/usr/sbin:/sbin:/opt/homebrew/bin:/usr/local/cuda/bin"
m=@MARKER@; sign='='
if [ -n "${KSH_VERSION:-}" ]; then eval 'put() { print -r -- "$1${2:0:4000}"; }'
else put() { printf '%s%.4000s\n' "$1" "$2"; }; fi
lines() { left=$1; l=
  while [ "$left" -gt 0 ] && IFS= read -r l || [ -n "$l" ]; do put '|' "$l"; l=; left=$((left - 1)); done; }
file() { [ -f "$1" ] || return 0
  put "$m$sign" "$1"; { lines "$2" <"$1"; } 2>/dev/null || put "$m!" ''; }
some() { files=$1; most=$2; shift 2
  for p in "$@"; do
    [ "$files" -gt 0 ] || break; [ -f "$p" ] || continue; files=$((files - 1)); file "$p" "$most"; done; }
closed() { if [ -d "$1" ] && [ ! -r "$1" ]; then put "$m$sign" "$1"; put "$m!" ''; fi; }
ask() { put "$m=" "$1"; most=$2; shift 2; "$@" 2>/dev/null </dev/null | lines "$most"; }
both() { "$@" 2>&1; }
here() { command -v "$1" >/dev/null 2>&1; }
limit=; if here timeout; then limit='timeout 5'; fi
root() { $limit "$@" || $limit sudo -n "$@"; }
"""

_LINUX = r"""
some 1 40 /etc/os-release /usr/lib/os-release
file /proc/cpuinfo 20000; file /proc/meminfo 60
file /etc/machine-id 1; file /etc/nv_tegra_release 2; file /sys/hypervisor/type 1
for p in sys_vendor product_name board_vendor bios_vendor; do file /sys/class/dmi/id/$p 1; done
c=/sys/devices/system/cpu
file $c/present 1; file $c/online 1; file /sys/devices/cpu_core/cpus 1; file /sys/devices/cpu_atom/cpus 1
some 1024 1 $c/cpu[0-9]*/cpufreq/cpuinfo_max_freq
some 1024 1 $c/cpu[0-9]*/cpufreq/scaling_governor
ask siblings 1024 cat $c/cpu[0-9]*/topology/thread_siblings_list
some 256 1 /sys/class/thermal/thermal_zone*/type
some 256 1 /sys/class/thermal/thermal_zone*/temp
some 64 1 /sys/class/hwmon/hwmon*/name; some 256 1 /sys/class/hwmon/hwmon*/temp*_input
closed /sys/class/thermal; closed /sys/class/power_supply
for p in type scope status capacity; do some 16 1 /sys/class/power_supply/*/$p; done
some 16 8 /sys/class/drm/card[0-9]/device/uevent /sys/class/drm/card[0-9][0-9]/device/uevent
some 4 1 /sys/class/kgsl/kgsl-3d0/gpu_model /sys/class/misc/mali0/device/gpuinfo
some 16 8 /sys/class/accel/accel*/device/uevent
put "$m=" nodes
for p in /sys/bus/platform/devices/*.ga10b /sys/bus/platform/devices/*.gv11b /sys/bus/platform/devices/*.gp10b \
  /sys/bus/platform/devices/*.gpu /sys/bus/platform/devices/*nvdla? /sys/bus/platform/devices/*nvdla \
  /dev/nvhost-ctrl-nvdla* /dev/adsprpc-smd /dev/fastrpc-cdsp /dev/edgetpu* /dev/abrolhos /dev/janeiro /dev/rio \
  /dev/apusys /dev/vertex10 /dev/rknpu /dev/hailo0 /dev/apex_0 \
  /.dockerenv /run/.containerenv /lib/ld-musl-* /system/bin/linker64; do
  if [ -e "$p" ]; then put '|' "$p"; fi
done
for d in /sys/firmware/devicetree/base /proc/device-tree; do
  [ -d "$d" ] || continue
  for p in model compatible serial-number; do
    if [ -f "$d/$p" ]; then ask "device-tree:$p" 1 cat -v "$d/$p"; fi
  done
  if [ -d "$d/hypervisor" ]; then put "$m=" device-tree:hypervisor; fi
  break
done
if here getconf; then ask getconf:PAGESIZE 1 getconf PAGESIZE; fi
file /proc/self/smaps 24
ask auxv 64 od -A n -t u8 /proc/self/auxv
if [ -x /system/bin/getprop ]; then @ANDROID@
else
  if here getconf; then ask libc 1 getconf GNU_LIBC_VERSION; fi
  for p in /lib/ld-musl-*.so.1 /lib/*/libc.so.6 /lib64/libc.so.6 /lib/libc.so.6; do
    if [ -x "$p" ]; then ask libc:asked 2 both "$p"; break; fi
  done
  if here systemd-detect-virt; then ask virt 1 systemd-detect-virt --vm; fi
fi
if here nvidia-smi; then ask nvidia-smi 16 $limit nvidia-smi --query-gpu=name --format=csv,noheader; fi
if here nvpmodel; then ask nvpmodel 8 root nvpmodel -q; fi
if here jetson_clocks; then ask jetson_clocks 64 root jetson_clocks --show; fi
ask cmdline 1 cat -v "/proc/$$/cmdline"
"""

_ANDROID = r"""
  put "$m=" getprop
  getprop 2>/dev/null | while IFS= read -r l; do case "$l" in
    '[ro.product.'*|'[ro.soc.'*|'[ro.board.platform]'*|'[ro.build.fingerprint]'*|'[ro.build.version.'*|'[ro.hardware'*|\
    '[ro.kernel.qemu]'*|'[ro.boot.qemu]'*|'[ro.serialno]'*|'[ro.boot.serialno]'*) put '|' "$l";; esac; done
  ask dumpsys:battery 40 $limit dumpsys battery
  ask dumpsys:thermalservice 300 $limit dumpsys thermalservice"""

_DARWIN = r"""
ask sw_vers 4 sw_vers
for p in @SYSCTLS@; do ask "sysctl:$p" 1 sysctl -n "$p"; done
ask vm_stat 30 vm_stat
ask pmset:batt 8 pmset -g batt
ask pmset:therm 12 pmset -g therm
ask ioreg 80 ioreg -rd1 -c IOPlatformExpertDevice
"""

_STATE = r"""
if [ -f /proc/meminfo ]; then
  file /proc/loadavg 1; file /proc/meminfo 60
  c=/sys/devices/system/cpu
  some 1024 1 $c/cpu[0-9]*/cpufreq/scaling_governor
  some 1024 1 $c/cpu[0-9]*/cpufreq/scaling_cur_freq
  if [ "$files" = 1024 ]; then file /proc/cpuinfo 20000; fi
  some 256 1 /sys/class/thermal/thermal_zone*/type; zones=$files
  some 256 1 /sys/class/thermal/thermal_zone*/temp
  some 64 1 /sys/class/hwmon/hwmon*/name; some 256 1 /sys/class/hwmon/hwmon*/temp*_input
  if [ "$zones" = 256 ] && here dumpsys; then ask dumpsys:thermalservice 300 $limit dumpsys thermalservice; fi
else
  for p in vm.loadavg hw.pagesize; do ask "sysctl:$p" 1 sysctl -n "$p"; done
  ask vm_stat 30 vm_stat
fi
"""

_END = "\nput \"$m.\" ''\n"

SYSCTLS = (
    "hw.model", "hw.memsize", "hw.pagesize", "hw.physicalcpu", "hw.perflevel0.name", "hw.perflevel0.physicalcpu",
    "hw.perflevel1.name", "hw.perflevel1.physicalcpu", "machdep.cpu.brand_string", "machdep.cpu.features",
    "machdep.cpu.leaf7_features", "kern.hv_vmm_present", "sysctl.proc_translated",
)  # fmt: skip
"""What a Mac is asked for, beside its instruction set (`cpu.APPLE_FEATURES`)."""


def probe_script(marker: str, sysctls: Sequence[str], globs: Sequence[str], commands: Sequence[str]) -> str:
    """The script that asks a device what it is. UsageError where a pattern or a name could mean more to a shell."""
    for glob in globs:
        if not re.fullmatch(r"/[\w./*?\[\]:,+-]+", glob, re.ASCII):
            raise UsageError(f"{glob!r} is no pattern that a device can be asked for")
    for command in commands:
        if not re.fullmatch(r"[\w.+][\w.+-]*", command, re.ASCII):
            raise UsageError(f"{command!r} is no name of a program")
    asked = f"sign='+'\nsome 1024 64 {' '.join(globs)}\n" if globs else ""
    # A folder that may not be listed matches no pattern, and would seem to be empty.
    asked += "".join(f"closed {folder}\n" for folder in dict.fromkeys(map(_fixed_part, globs)))
    if commands:
        asked += f'for c in {" ".join(commands)}; do p=$(command -v "$c" 2>/dev/null)\n'
        asked += '  case "$p" in /*) put "$m=" "command:$c"; put \'|\' "$p";; esac; done\n'
    linux = _LINUX.replace("@ANDROID@", _ANDROID)
    darwin = _DARWIN.replace("@SYSCTLS@", " ".join(sysctls))
    body = f"ask uname 1 uname -srm\nif [ -f /proc/meminfo ]; then\n{linux}\nelse\n{darwin}\nfi\n"
    return _WORDS.replace("@MARKER@", marker) + body + asked + _END


def _fixed_part(glob: str) -> str:
    """The folder that a pattern begins with, up to its first special character."""
    return re.split(r"[*?\[]", glob, maxsplit=1)[0].rpartition("/")[0] or "/"


def state_script(marker: str) -> str:
    """The script that asks what a device is doing now; on Linux it starts no program where it need not."""
    return _WORDS.replace("@MARKER@", marker) + _STATE + _END
