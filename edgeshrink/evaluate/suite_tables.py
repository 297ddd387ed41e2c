"""What a suite file may say: TOML tables as values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(gt=0, le=1_000_000)]
SliceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
_STRICT = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class AskTable(BaseModel):
    """`[ask.FAMILY]`; every key but `items` is an option of the family."""

    model_config = ConfigDict(frozen=True, extra="allow")

    items: Count = Field(description="items in the first look")

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class TextTable(BaseModel):
    """`[[text]]`: a text to read; without a file, the shipped or generated one of that label."""

    model_config = _STRICT

    label: SliceName = Field(description="the slice is text/LABEL")
    title: str = Field("", description="what a report calls it")
    file: str | None = Field(None, description="a plain text file, UTF-8")


class OwnTable(BaseModel):
    """`[[own]]`: a JSONL file of items (see evaluate/own_items.py)."""

    model_config = _STRICT

    file: str = Field(description="a JSONL file")
    name: SliceName | None = Field(None, description="the slice is own/NAME; the file's own when left out")
    items: Count | None = Field(None, description="items in the first look; up to 400 when left out")
    scorer: str | None = Field(None, description="exact, contains, regex, json-schema, choice or MODULE:FUNCTION")
    ignore_case: bool | None = Field(None, alias="ignore-case", description="upper and lower case are the same")
    graded: bool | None = Field(None, description="MODULE:FUNCTION gives points from 0 to 1, not right or wrong")
    per: Literal["option", "character", "token"] | None = Field(
        None, description="what the log-probability of a choice is divided by"
    )
    max_tokens: Count | None = Field(None, alias="max-tokens", description="longest answer")
    stop: list[str] | None = Field(None, description="texts that end an answer")


class HarnessTable(BaseModel):
    """`[harness]`: tasks of EleutherAI's lm-evaluation-harness."""

    model_config = _STRICT

    tasks: list[str] = Field(description="names, or paths of .yaml files")
    items: Count | None = Field(None, description="documents of each task; 500 when left out")


class SuiteTable(BaseModel):
    """A suite file. What `extends` names comes first; families and texts that are named here again replace it."""

    model_config = _STRICT

    name: str | None = Field(None, description="what reports call the suite")
    extends: Literal["quick", "standard", "full"] | None = Field(None, description="the ready suite to begin with")
    looks: Annotated[int, Field(ge=1, le=6)] | None = Field(None, description="how often intervals are looked at")
    text_tokens: Annotated[int, Field(ge=512)] | None = Field(
        None, alias="text-tokens", description="of each text in the first look"
    )
    reading: list[str] | None = Field(None, description="families that look at the texts")
    text: list[TextTable] = Field(default_factory=list, description="texts to read")
    ask: dict[str, AskTable] = Field(default_factory=dict, description="families that ask")
    own: list[OwnTable] = Field(default_factory=list, description="your own items")
    harness: HarnessTable | None = Field(None, description="tasks of the lm-evaluation-harness")
