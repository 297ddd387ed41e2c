"""Lines that users recorded, less what is not power: R28 to R32 from DataDog's agent, R35 to R38 from their reports."""

from __future__ import annotations

import pytest

from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.tegrastats import Tegrastats

NANO_R32 = (
    "RAM 613/3964MB (lfb 634x4MB) SWAP 0/1982MB (cached 0MB) CPU [2%@102,1%@102,0%@102,0%@102] EMC_FREQ 0% "
    "GR3D_FREQ 0% PLL@39C CPU@40.5C PMIC@100C GPU@41C AO@46C thermal@41C POM_5V_IN 900/943 POM_5V_GPU 0/0 "
    "POM_5V_CPU 123/123"
)
TX1_R28 = (
    "RAM 1179/3983MB (lfb 120x4MB) IRAM 0/252kB(lfb 252kB) CPU [1%@102,4%@102,0%@102,0%@102] EMC_FREQ 7%@408 "
    "GR3D_FREQ 0%@76 APE 25 AO@42.5C CPU@37.5C Tboard@42C thermal@38.5C VDD_IN 2532/2698 VDD_CPU 76/178 VDD_GPU 19/19"
)
TX2_R31 = (
    "RAM 1345/7829MB (lfb 1290x4MB) SWAP 0/512MB (cached 0MB) CPU [2%@345,off,off,off,off,off] EMC_FREQ 13%@40 "
    "GR3D_FREQ 0%@114 APE 150 BCPU@35C thermal@35.5C VDD_IN 2003/2658 VDD_CPU 320/518 VDD_GPU 400/735 "
    "VDD_SOC 400/415 VDD_WIFI 0/0 VDD_DDR 240/348"
)
AGX_XAVIER_R31 = (
    "RAM 1903/15692MB (lfb 3251x4MB) CPU [1%@1190,1%@1190] EMC_FREQ 0% GR3D_FREQ 0% AO@32.5C GPU@32C Tboard@32C "
    "PMIC@100C GPU 0/0 CPU 216/216 SOC 864/864 CV 0/0 VDDRQ 144/144 SYS5V 1889/1889"
)
ORIN_R35 = (
    "RAM 5933/7620MB (lfb 21x1MB) SWAP 5/3810MB (cached 0MB) CPU [0%@1497,0%@1497] EMC_FREQ 0%@2133 "
    "GR3D_FREQ 0%@[611] cpu@49.906C soc2@48.875C soc0@49.5C gpu@49.468C tj@50.062C soc1@50.062C "
    "VDD_IN 5313mW/5313mW VDD_CPU_GPU_CV 943mW/943mW VDD_SOC 1731mW/1731mW"
)
AGX_ORIN_R36 = (
    "11-21-2025 08:49:48 RAM 13983/62780MB (lfb 424x4MB) SWAP 126/31390MB (cached 0MB) CPU [90%@2201,100%@2201] "
    "EMC_FREQ 1%@2133 GR3D_FREQ 14%@[407,407] VIC_FREQ 115 NVDLA0_FREQ @1600 APE 174 CV0@73.625C CPU@77.281C "
    "VDD_GPU_SOC 3150mW/2971mW VDD_CPU_CV 14312mW/12415mW VIN_SYS_5V0 4968mW/5048mW VDDQ_VDD2_1V8AO 1091mW/1091mW"
)
THOR_R38 = (
    "04-21-2026 15:50:52 RAM 105265/125772MB (lfb 34x4MB) CPU [0%@972,8%@972] EMC_FREQ 0%@2750 "
    "GR3D_FREQ @[314,314,314] VIC off OFA_FREQ @315 APE 300 cpu@37.343C tj@38.875C VDD_GPU 1962mW/1962mW "
    "VDD_CPU_SOC_MSS 5887mW/5887mW VIN_SYS_5V0 5635mW/5635mW VIN 19780mW/19780mW"
)
THOR_LIMITS = (
    "RAM 37755/125749MB (lfb 529x4MB) cpu@40.281C/40.281C tj@41.843C/41.843C VDD_GPU 1975mW/1975mW/1975mW "
    "VDD_CPU_SOC_MSS 5530mW/5530mW/5530mW VIN_SYS_5V0 -392mW/0mW/0mW"
)


def planned() -> SamplingPlan:
    plan = Tegrastats().plan({"command:tegrastats": "/usr/bin/tegrastats"})
    assert isinstance(plan, SamplingPlan)
    return plan


@pytest.mark.parametrize(
    ("line", "watts", "rails"),
    [
        pytest.param(NANO_R32, 0.9, "module, not its carrier board: POM_5V_IN", id="Nano, R32"),
        pytest.param(TX1_R28, 2.532, "module, not its carrier board: VDD_IN", id="TX1, R28"),
        pytest.param(TX2_R31, 2.003, "module, not its carrier board: VDD_IN", id="TX2, R31"),
        pytest.param(AGX_XAVIER_R31, 3.113, "GPU + CPU + SOC + CV + VDDRQ + SYS5V", id="AGX Xavier, R31"),
        pytest.param(ORIN_R35, 5.313, "module, not its carrier board: VDD_IN", id="Orin Nano, R35"),
        pytest.param(AGX_ORIN_R36, 22.43, "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0", id="AGX Orin, R36"),
        pytest.param(THOR_R38, 19.78, "module and carrier board: VIN", id="AGX Thor, R38"),
        pytest.param(THOR_LIMITS, 7.113, "VDD_GPU + VDD_CPU_SOC_MSS + VIN_SYS_5V0", id="three figures, one below zero"),
    ],
)
def test_a_recorded_line_gives_the_whole_once(line: str, watts: float, rails: str) -> None:
    reader, samples = Tegrastats(), [RawSample(1.0, (line,)), RawSample(1.1, (line,))]
    found = reader.watts(planned(), samples)
    assert [sample.watts for sample in found] == pytest.approx([watts, watts])
    assert rails in reader.settled(planned(), samples).scope


def test_a_torn_line_is_not_taken_for_another_module() -> None:
    torn = AGX_ORIN_R36[: AGX_ORIN_R36.index(" VIN_SYS")]
    half = ORIN_R35[: ORIN_R35.index("mW VDD_CPU")] + " VDD_SOC 1/1"
    lines = [AGX_ORIN_R36, torn, half, AGX_ORIN_R36]
    found = Tegrastats().watts(planned(), [RawSample(float(n), (line,)) for n, line in enumerate(lines)])
    assert [sample.at_s for sample in found] == [0.0, 3.0]


def test_a_line_without_power_gives_none() -> None:
    samples = [RawSample(0.0, ("RAM 613/3964MB (lfb 634x4MB) SWAP 0/1982MB",))]
    assert Tegrastats().watts(planned(), samples) == ()
    assert Tegrastats().settled(planned(), samples) == planned()
