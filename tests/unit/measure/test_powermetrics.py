"""Property lists as users published them; the command's own filter runs here on a program that prints such lists."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.powermetrics import Powermetrics

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
<key>is_delta</key><true/>
<key>elapsed_ns</key><integer>200000000</integer>
"""
TAIL = "</dict>\n</plist>\n"
SONOMA = f"""{HEAD}<key>processor</key>
<dict>
<key>clusters</key><array><dict><key>name</key><string>E-Cluster</string><key>freq_hz</key><real>1.1e+09</real></dict>
</array>
<key>ane_energy</key><integer>0</integer>
<key>ane_power</key><real>0</real>
<key>cpu_energy</key><integer>596</integer>
<key>cpu_power</key><real>2978.45</real>
<key>gpu_energy</key><integer>54</integer>
<key>gpu_power</key><real>269.614</real>
<key>combined_power</key><real>3248.07</real>
</dict>
<key>gpu</key><dict><key>freq_hz</key><real>338</real><key>gpu_energy</key><integer>54</integer></dict>
{TAIL}"""
VALUE_BELOW = SONOMA.replace("</key><real>", "</key>\n\t\t<real>").replace("</key><integer>", "</key>\n\t\t<integer>")
BIG_SUR = f"""{HEAD}<key>processor</key><dict>
<key>ane_energy</key><integer>20</integer>
<key>cpu_energy</key><integer>500</integer>
<key>gpu_energy</key><integer>80</integer>
</dict>
{TAIL}"""
PARTS_ONLY = SONOMA.replace("<key>combined_power</key><real>3248.07</real>\n", "")


def planned(sudo: str = "/usr/bin/sudo") -> SamplingPlan:
    plan = Powermetrics().plan({"command:powermetrics": "/usr/bin/powermetrics", "command:sudo": sudo})
    assert isinstance(plan, SamplingPlan)
    return plan


def watts(texts: list[str]) -> list[float]:
    samples = [RawSample(0.2 * n, (text,)) for n, text in enumerate(texts)]
    return [sample.watts for sample in Powermetrics().watts(planned(), samples)]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(SONOMA, 3.24807, id="the sum as macOS 13 and later give it"),
        pytest.param(VALUE_BELOW, 3.24807, id="a value on the line below its key"),
        pytest.param(PARTS_ONLY, 3.248064, id="parts without their sum"),
        pytest.param(BIG_SUR, 3.0, id="energies only, as macOS 11 gives them"),
    ],
)
def test_a_whole_list_and_what_the_filter_leaves_of_it_give_the_same(
    document: str, expected: float, tmp_path: Path
) -> None:
    assert watts([document]) == pytest.approx([expected])
    if shutil.which("awk") is None or shutil.which("sh") is None:
        pytest.skip("no awk here")
    (tmp_path / "list").write_text(document)
    sudo = tmp_path / "sudo"
    print_three = f"for n in 1 2 3; do cat '{tmp_path}/list'; printf '\\000'; done"
    sudo.write_text(f"#!/bin/sh\n[ \"$1 $2\" = '-n /usr/bin/powermetrics' ] || exit 9\n{print_three}\n")
    sudo.chmod(0o755)
    program = subprocess.run(planned(str(sudo)).command, capture_output=True, check=True)
    lines = program.stdout.decode().splitlines()
    assert len(lines) == 3
    assert all(len(line) < 1000 for line in lines)
    assert watts(lines) == pytest.approx([expected] * 3)


def test_it_is_modelled_and_says_that_sudo_must_not_ask() -> None:
    plan = planned()
    assert plan.origin == "modelled" and "estimates" in plan.why
    assert '"$1" -n "$2" ' in plan.command[2]
    assert plan.notes == ("it needs sudo without a password",)
    assert "there is no program sudo" in str(Powermetrics().plan({"command:powermetrics": "/usr/bin/powermetrics"}))


def test_a_torn_list_gives_nothing() -> None:
    assert watts([SONOMA[: SONOMA.index("cpu_power")], "<key>combined_power</key><real>12"]) == []
