"""A wrong file is named, with the key, what belongs there and what was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeshrink.catalog.profiles import load_profile, load_profiles, profile_entries
from edgeshrink.catalog.targets import load_target
from edgeshrink.errors import DataError

WriteProfile = Callable[..., Path]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "mean_kl_max = 0.1",
            "mean_kl_max = -1",
            "budget.quality.mean_kl_max: expected a number > 0 "
            "(mean KL divergence to the reference, nats per token), got -1",
        ),
        (
            'artifact_bytes_max = "2GiB"',
            'artifact_bytes_max = "2 bananas"',
            'budget.artifact_bytes_max: expected bytes > 0, as a whole number or as text like "1.5GiB" '
            '(size of the finished file), got "2 bananas"',
        ),
        ("value = 9\n", 'value = "nine"\n', 'facts.cores.value: expected a whole number > 0, got "nine"'),
        ("value = 9\n", "value = true\n", "facts.cores.value: expected a whole number > 0, got true"),
        ("value = 9\n", "", "facts.cores.value: missing; expected a whole number > 0"),
        (
            'family = "android"',
            'family = "phone"',
            'family: expected one of laptop, apple, android, jetson, got "phone"',
        ),
        (
            'preferred_target = "android"',
            'preferred_target = "An Android"',
            'preferred_target: expected an id of lower-case letters, digits and hyphens, got "An Android"',
        ),
        (
            "decode_tok_s_min = 8",
            "decode_tok_s = 8",
            "budget.decode_tok_s: unknown key; did you mean decode_tok_s_min?",
        ),
        ("decode_tok_s_min = 8", "decode_tok_s_min = inf", "budget.decode_tok_s_min: expected a number > 0"),
        ("same_top_share_min = 0.85", "same_top_share_min = 85", "expected a number > 0 and <= 1"),
    ],
)
def test_a_wrong_key_is_named_with_what_belongs_there(
    config_home: Path, write_profile: WriteProfile, old: str, new: str, message: str
) -> None:
    write_profile(Path("profiles"), "mine", (old, new))
    with pytest.raises(DataError) as caught:
        load_profile("mine")
    assert message in caught.value.message
    assert caught.value.message.startswith("profiles/mine.toml: ")
    assert caught.value.hint


def test_every_wrong_key_is_named_at_once(config_home: Path, write_profile: WriteProfile) -> None:
    write_profile(
        Path("profiles"), "mine", ("mean_kl_max = 0.1", "mean_kl_max = 0"), ('family = "android"', "family = 1")
    )
    with pytest.raises(DataError) as caught:
        load_profile("mine")
    lines = caught.value.message.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("profiles/mine.toml: ") for line in lines)


def test_a_fact_without_a_source_is_refused(config_home: Path, write_profile: WriteProfile) -> None:
    path = write_profile(Path("profiles"), "mine")
    text = path.read_text(encoding="utf-8")
    start = text.index("[facts.cores]")
    source = text.index("source = ", start)
    path.write_text(text[:source] + text[text.index("\n", source) + 1 :], encoding="utf-8")
    with pytest.raises(DataError, match=r"facts\.cores\.source: missing; expected text of at least 8 characters"):
        load_profile("mine")


def test_what_is_not_toml_is_named_with_its_line(config_home: Path) -> None:
    Path("profiles").mkdir()
    Path("profiles/mine.toml").write_text('id = "mine"\nname = oops\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"profiles/mine\.toml: not TOML: .*line 2, column 8"):
        load_profile("mine")


def test_what_is_not_utf8_is_named_with_its_byte(config_home: Path) -> None:
    Path("profiles").mkdir()
    Path("profiles/mine.toml").write_bytes(b'id = "mine"\nname = "\xff"\n')
    with pytest.raises(DataError, match=r"profiles/mine\.toml: not UTF-8 \(byte 20\)"):
        load_profile("mine")


def test_a_folder_of_that_name_is_no_profile(config_home: Path) -> None:
    Path("profiles/mine.toml").mkdir(parents=True)
    with pytest.raises(DataError, match=r"profiles/mine\.toml: cannot be read"):
        load_profile("mine")


def test_the_id_must_be_the_name_of_the_file(config_home: Path, write_profile: WriteProfile) -> None:
    write_profile(Path("profiles"), "mine").rename("profiles/yours.toml")
    with pytest.raises(DataError) as caught:
        load_profile("yours")
    assert caught.value.message == "profiles/yours.toml: id: expected 'yours', the name of the file, got 'mine'"


def test_an_unknown_id_lists_the_known_ones_and_the_nearest(config_home: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_profile("jetson-orin-nanno")
    assert caught.value.message == "unknown profile 'jetson-orin-nanno'; did you mean 'jetson-orin-nano-8gb'?"
    assert "pixel-8" in caught.value.hint and "this-machine" in caught.value.hint
    with pytest.raises(DataError, match="unknown target 'jetsen'; did you mean 'jetson'"):
        load_target("jetsen")


def test_this_machine_is_no_file(config_home: Path, write_profile: WriteProfile) -> None:
    write_profile(Path("profiles"), "this-machine")
    with pytest.raises(DataError, match="this-machine is probed, not read from a file"):
        load_profile("this-machine")


def test_a_broken_file_breaks_nothing_but_itself(config_home: Path, write_profile: WriteProfile) -> None:
    Path("profiles").mkdir()
    Path("profiles/broken.toml").write_text("id = ", encoding="utf-8")
    write_profile(Path("profiles"), "whole")
    assert load_profile("whole").id == "whole"
    assert load_profile("pixel-8").id == "pixel-8"
    assert "whole" in [profile.id for profile in load_profiles()]
    broken = [entry for entry in profile_entries() if entry.value is None]
    assert [entry.id for entry in broken] == ["broken"]
    assert "profiles/broken.toml: not TOML" in broken[0].problem


def test_a_broken_file_of_a_shipped_id_is_not_passed_over(config_home: Path) -> None:
    Path("profiles").mkdir()
    Path("profiles/pixel-8.toml").write_text("id = ", encoding="utf-8")
    with pytest.raises(DataError, match=r"profiles/pixel-8\.toml: not TOML"):
        load_profile("pixel-8")


def test_a_ladder_must_hold_the_scheme_it_starts_at(config_home: Path) -> None:
    folder = Path("targets/mine")
    folder.mkdir(parents=True)
    (folder / "target.toml").write_text(
        'id = "mine"\nname = "x"\nfamily = "laptop"\ndefault_profile = "this-machine"\npower_sources = []\n'
        'bundle = "laptop"\npins = {}\n[formats.gguf]\nruntime = "llama_cpp"\ndelegates = ["cpu"]\n'
        'schemes = ["Q4_K_M"]\npreferred_scheme = "Q8_0"\n',
        encoding="utf-8",
    )
    with pytest.raises(DataError, match=r"formats\.gguf\.preferred_scheme: expected one of Q4_K_M, got 'Q8_0'"):
        load_target("mine")


def test_a_target_without_formats_says_what_belongs_there(config_home: Path) -> None:
    folder = Path("targets/mine")
    folder.mkdir(parents=True)
    (folder / "target.toml").write_text('id = "mine"\nformats = 3\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"formats: expected a table \(in order of preference\), got 3"):
        load_target("mine")
