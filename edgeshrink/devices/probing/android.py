"""What an Android device adds to a Linux one: system properties and what its services print. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from edgeshrink.core.device import Battery, ThermalZone
from edgeshrink.devices.probing.sections import Sections, clean, whole, within

# BatteryManager.BATTERY_STATUS_*
_STATUS = {"1": "Unknown", "2": "Charging", "3": "Discharging", "4": "Not charging", "5": "Full"}
_SOC_MAKERS = {"QTI": "Qualcomm", "Mediatek": "MediaTek"}
_CPU_TYPE = 0
"""android.os.Temperature.TYPE_CPU."""


def properties(sections: Sections) -> dict[str, str]:
    """`[name]: [value]` lines; the first of a name counts."""
    found: dict[str, str] = {}
    for line in sections["getprop"].splitlines():
        if match := re.fullmatch(r"\[([\w.-]{1,100})\]: \[(.*)\]", line):
            found.setdefault(match[1], clean(match[2]))
    return found


def operating_system(props: Mapping[str, str]) -> str:
    """ "Android 14 (API 34), google/shiba/shiba:14/UQ1A.240205.004/11269751:user/release-keys"."""
    release, level = props.get("ro.build.version.release", ""), props.get("ro.build.version.sdk", "")
    name = " ".join(filter(None, ["Android", release, f"(API {level})" if level else ""]))
    return ", ".join(filter(None, [name, props.get("ro.build.fingerprint", "")]))


def names(props: Mapping[str, str]) -> tuple[str, ...]:
    """Model, marketing name, code name: "Pixel 8", "Google Pixel 8", "shiba"."""
    model = props.get("ro.product.model", "") or props.get("ro.product.vendor.model", "")
    maker = props.get("ro.product.manufacturer", "")
    whole_name = f"{maker} {model}" if maker and model and not model.lower().startswith(maker.lower()) else ""
    found = (model, props.get("ro.product.marketname", ""), whole_name, props.get("ro.product.device", ""))
    return tuple(dict.fromkeys(filter(None, found)))


def chip(props: Mapping[str, str]) -> str:
    """ "Google Tensor G3", "Qualcomm SM8650"; "" where the properties do not say (before Android 12)."""
    maker, model = props.get("ro.soc.manufacturer", ""), props.get("ro.soc.model", "")
    maker = _SOC_MAKERS.get(maker, maker)
    return model if model.lower().startswith(maker.lower()) else f"{maker} {model}" if model else ""


def serial(props: Mapping[str, str]) -> str:
    return props.get("ro.serialno", "") or props.get("ro.boot.serialno", "")


def battery(sections: Sections) -> Battery | None:
    """By `dumpsys battery`; None where it does not answer, or there is none."""
    lines = dict(re.findall(r"^  (status|level|scale|present): (\w{1,10})$", sections["dumpsys:battery"], re.MULTILINE))
    if lines.get("present") == "false" or not lines:
        return None
    level, scale = (whole(lines.get(name, default)) for name, default in (("level", ""), ("scale", "100")))
    percent = round(100 * level / scale) if level is not None and scale else None
    return Battery(_STATUS.get(lines.get("status", ""), "Unknown"), percent if within(percent, 0, 100) else None)


def temperatures(sections: Sections) -> tuple[ThermalZone, ...]:
    """By the thermal service, as it reads them now; what it keeps from earlier is not taken."""
    return tuple(zone for zone, _ in _service_zones(sections))


def cpu_temperatures(sections: Sections) -> tuple[ThermalZone, ...]:
    """Those of them that the service says are a CPU's."""
    return tuple(zone for zone, kind in _service_zones(sections) if kind == _CPU_TYPE)


def _service_zones(sections: Sections) -> list[tuple[ThermalZone, int]]:
    _, _, rest = sections["dumpsys:thermalservice"].partition("Current temperatures from HAL:")
    current = re.split(r"^\S.*:$", rest, maxsplit=1, flags=re.MULTILINE)[0]
    pattern = r"Temperature\{mValue=(-?[0-9]{1,3}(?:\.[0-9]{1,6})?), mType=(-?[0-9]{1,2}), mName=([^,}]{1,60}), "
    found = []
    for value, kind, name in re.findall(pattern, current):
        if within(float(value), -39, 150):
            found.append((ThermalZone(clean(name, 60), float(value)), int(kind)))
    return found[:128]
