"""Every shipped profile and target, tested as if it were code."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from edgeshrink.catalog.profiles import THIS_MACHINE
from edgeshrink.catalog.toml import read_toml
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.target import Target
from edgeshrink.planning.formats import format_planner
from edgeshrink.planning.network_schemes import network_schemes
from edgeshrink.planning.schemes import scheme
from edgeshrink.runtimes.registry import RUNTIMES

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILE_FILES = sorted((REPOSITORY / "profiles").glob("*.toml"))
TARGET_FILES = sorted((REPOSITORY / "targets").glob("*/target.toml"))
# A source names an address, or admits that there is none.
ADMISSIONS = ("derived:", "chosen:", "conservative:", "follows from", "public", "assumption")
REGISTRIES = re.compile(r"pypi|crates\.io|npmjs|docs\.rs|maven\.org", re.IGNORECASE)


def profiles() -> list[DeviceProfile]:
    return [read_toml(file, DeviceProfile) for file in PROFILE_FILES]


def targets() -> dict[str, Target]:
    return {file.parent.name: read_toml(file, Target) for file in TARGET_FILES}


@pytest.fixture(params=PROFILE_FILES, ids=lambda file: file.stem)
def profile(request: pytest.FixtureRequest) -> DeviceProfile:
    return read_toml(request.param, DeviceProfile)


@pytest.fixture(params=TARGET_FILES, ids=lambda file: file.parent.name)
def target(request: pytest.FixtureRequest) -> Target:
    return read_toml(request.param, Target)


def test_at_least_ten_devices_of_four_families() -> None:
    families = Counter(profile.family for profile in profiles())
    assert set(families) == {"laptop", "apple", "android", "jetson"}
    assert min(families.values()) >= 2
    assert families.total() >= 10


def test_the_four_targets_are_there() -> None:
    assert set(targets()) == {"laptop-cpu", "apple-silicon", "android", "jetson"}


@pytest.mark.parametrize("file", PROFILE_FILES, ids=lambda file: file.stem)
def test_the_id_is_the_file_name(file: Path) -> None:
    assert read_toml(file, DeviceProfile).id == file.stem


@pytest.mark.parametrize("file", PROFILE_FILES, ids=lambda file: file.stem)
def test_every_fact_names_its_source_or_admits_that_there_is_none(file: Path) -> None:
    facts = tomllib.loads(file.read_text(encoding="utf-8"))["facts"]
    unsourced = [
        name for name, fact in facts.items()
        if "http" not in fact["source"] and not any(word in fact["source"] for word in ADMISSIONS)
    ]  # fmt: skip
    assert unsourced == []


@pytest.mark.parametrize("file", [*PROFILE_FILES, *TARGET_FILES], ids=lambda file: file.stem)
def test_no_data_file_points_at_a_package_registry(file: Path) -> None:
    assert not REGISTRIES.search(file.read_text(encoding="utf-8"))


def test_a_shipped_profile_has_every_fact_that_planning_reads(profile: DeviceProfile) -> None:
    assert profile.facts.memory_bandwidth_bytes_s is not None
    assert profile.facts.page_bytes is not None


def test_a_shipped_budget_has_every_line(profile: DeviceProfile) -> None:
    budget = profile.budget.model_dump()
    absent = [name for name, value in {**budget, **budget.pop("quality")}.items() if value is None]
    # What one run may take is the network's to say, not the device's; the worst slice has a gate as every slice has.
    assert absent == ["inference_p95_ms_max", "worst_slice"]


def test_a_budget_fits_the_device(profile: DeviceProfile) -> None:
    facts, budget = profile.facts, profile.budget
    assert budget.artifact_bytes_max is not None and budget.peak_rss_bytes_max is not None
    assert budget.artifact_bytes_max < budget.peak_rss_bytes_max <= facts.app_ram_bytes.value < facts.ram_bytes.value


def test_a_budget_asks_for_no_more_than_memory_can_give(profile: DeviceProfile) -> None:
    """Every decoded token reads the whole file once."""
    facts, budget = profile.facts, profile.budget
    assert facts.memory_bandwidth_bytes_s and budget.decode_tok_s_min and budget.artifact_bytes_max
    assert budget.decode_tok_s_min * budget.artifact_bytes_max < facts.memory_bandwidth_bytes_s.value


def test_the_slowest_token_may_take_longer_than_the_mean_one(profile: DeviceProfile) -> None:
    budget = profile.budget
    assert budget.inter_token_p99_ms_max and budget.decode_tok_s_min
    assert budget.inter_token_p99_ms_max > 1000 / budget.decode_tok_s_min


def test_performance_cores_are_some_of_the_cores(profile: DeviceProfile) -> None:
    fast = profile.facts.performance_cores
    assert fast is None or fast.value < profile.facts.cores.value


def test_a_profile_prefers_a_target_of_its_family(profile: DeviceProfile) -> None:
    assert targets()[profile.preferred_target].family == profile.family


def test_a_targets_default_profile_is_of_its_family(target: Target) -> None:
    if target.default_profile != THIS_MACHINE:
        families = {profile.id: profile.family for profile in profiles()}
        assert families[target.default_profile] == target.family


def test_laptop_cpu_is_judged_as_this_machine() -> None:
    assert targets()["laptop-cpu"].default_profile == THIS_MACHINE


def test_a_ladder_climbs_by_known_schemes(target: Target) -> None:
    for name, entry in target.formats.items():
        known = list(format_planner(name).scheme_names())
        places = [known.index(scheme) for scheme in entry.schemes]
        assert places == sorted(set(places))
        assert entry.preferred_scheme in entry.schemes
        assert set(entry.aliases) == {"float", "8bit", "4bit"} and set(entry.aliases.values()) <= set(known)


def test_gguf_schemes_climb_by_their_bits() -> None:
    for target in targets().values():
        bits = [scheme(name).bits_per_weight for name in target.formats["gguf"].schemes]
        assert bits == sorted(set(bits))


def test_a_ladder_of_networks_climbs_by_known_schemes(target: Target) -> None:
    takers = {name: entry.networks for name, entry in target.formats.items() if entry.networks is not None}
    assert set(takers) == {"executorch", "onnx"}
    for name, ladder in takers.items():
        places = [network_schemes(name).index(scheme) for scheme in ladder.schemes]
        assert places == sorted(set(places))
        assert ladder.preferred_scheme in ladder.schemes
        assert set(ladder.aliases.values()) <= set(ladder.schemes)


def test_every_target_lists_all_three_formats(target: Target) -> None:
    assert set(target.formats) == {"gguf", "executorch", "onnx"}


def test_a_target_lists_only_formats_that_can_be_run(target: Target) -> None:
    assert {entry.runtime for entry in target.formats.values()} <= set(RUNTIMES)


def test_pins_are_those_that_the_package_installs(target: Target) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = {*project["dependencies"], *extras["torch"], *extras["executorch"], *extras["onnx"]}
    assert {f"{name}=={version}" for name, version in target.pins.items()} <= named
