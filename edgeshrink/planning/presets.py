"""Which type each tensor gets under a scheme: llama.cpp's own mix, and its own fallback for rows a type cannot take.

The mix is data (`MIX`): for a scheme and a role, the first rule whose condition holds. It is held to libllama's
`llama_model_quantize`, tensor by tensor, in tests/unit/planning/test_presets.py. Source of the facts: llama-quant.cpp
of the llama.cpp that llama-cpp-python 0.3.36 ships.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quant_types import quant_type
from edgeshrink.errors import PlanError
from edgeshrink.planning import schemes
from edgeshrink.planning.schemes import SCHEMES, Scheme, scheme

__all__ = ["SCHEMES", "Scheme", "preset_types", "scheme"]


class Role(Enum):
    """What a matrix does in the model, as far as the mix cares."""

    OUTPUT = "output.weight"
    EMBEDDING = "token_embd.weight"
    VALUE = "attn_v"
    KEY = "attn_k"
    ATTENTION_OUTPUT = "attn_output"
    FFN_DOWN = "ffn_down"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Place:
    """The `nth` tensor of its role, of `count`, in a model whose query heads share keys 4:1 or more (`grouped`)."""

    nth: int
    count: int
    grouped: bool
    has_imatrix: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """`type` where `holds`; `where` says so in words."""

    type: str
    where: str
    holds: Callable[[Place], bool]


def everywhere(type: str) -> Rule:
    return Rule(type, "in every layer", lambda place: True)


def first(layers: int, type: str) -> Rule:
    return Rule(type, f"in the first {layers} layers", lambda place: place.nth < layers)


def first_part(denominator: int, type: str) -> Rule:
    return Rule(type, f"in the first 1/{denominator} of the layers", lambda p: p.nth < p.count // denominator)


def sensitive(type: str) -> Rule:
    """The first and the last eighth, and every third layer between them."""

    def holds(place: Place) -> bool:
        eighth = place.count // 8
        return place.nth < eighth or place.nth >= 7 * place.count // 8 or (place.nth - eighth) % 3 == 2

    return Rule(type, "in a sensitive layer", holds)


def shared_by_four(type: str) -> Rule:
    return Rule(type, "shared by 4 or more query heads", lambda place: place.grouped)


def with_imatrix(rule: Rule) -> Rule:
    return Rule(rule.type, f"{rule.where}, with an imatrix", lambda p: p.has_imatrix and rule.holds(p))


def without_imatrix(rule: Rule) -> Rule:
    return Rule(rule.type, f"{rule.where}, without an imatrix", lambda p: not p.has_imatrix and rule.holds(p))


_IQ4: dict[Role, tuple[Rule, ...]] = {
    Role.VALUE: (shared_by_four("Q5_K"),),
    Role.FFN_DOWN: (without_imatrix(first_part(8, "Q5_K")),),
}

MIX: dict[str, dict[Role, tuple[Rule, ...]]] = {
    "Q2_K": {
        Role.VALUE: (shared_by_four("Q4_K"), everywhere("Q3_K")),
        Role.ATTENTION_OUTPUT: (everywhere("Q3_K"),),
        Role.FFN_DOWN: (everywhere("Q3_K"),),
    },
    "Q3_K_M": {
        Role.VALUE: (first(2, "Q5_K"), everywhere("Q4_K")),
        Role.ATTENTION_OUTPUT: (everywhere("Q4_K"),),
        Role.FFN_DOWN: (first_part(16, "Q5_K"), everywhere("Q4_K")),
    },
    "Q3_K_L": {
        Role.VALUE: (everywhere("Q5_K"),),
        Role.ATTENTION_OUTPUT: (everywhere("Q5_K"),),
        Role.FFN_DOWN: (everywhere("Q5_K"),),
    },
    "Q4_0": {Role.FFN_DOWN: (with_imatrix(first_part(8, "Q4_1")),)},
    "Q5_0": {Role.FFN_DOWN: (with_imatrix(first_part(8, "Q5_1")),)},
    "Q4_K_S": {Role.VALUE: (first(4, "Q5_K"),), Role.FFN_DOWN: (first_part(8, "Q5_K"),)},
    "Q4_K_M": {Role.VALUE: (sensitive("Q6_K"),), Role.FFN_DOWN: (sensitive("Q6_K"),)},
    "Q5_K_M": {Role.VALUE: (sensitive("Q6_K"),), Role.FFN_DOWN: (sensitive("Q6_K"),)},
    "IQ4_NL": _IQ4,
    "IQ4_XS": _IQ4,
}

# Beside eight experts the attention is small, so llama.cpp is generous with it. Only where there are exactly eight: not
# with 16, not with 128.
_OF_EIGHT: dict[Role, tuple[str, tuple[str, ...]]] = {
    Role.VALUE: ("Q8_0", tuple(SCHEMES)),
    Role.KEY: ("Q8_0", tuple(SCHEMES)),
    Role.ATTENTION_OUTPUT: ("Q5_K", ("Q2_K", "Q3_K_S", "Q3_K_M", "IQ4_XS", "IQ4_NL", "Q4_K_S", "Q4_K_M")),
}

# Rows that a 256-weight block does not divide take a 32-weight block of about the same size, else F16.
FALLBACK = {"IQ4_XS": "IQ4_NL", "Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}

_LAYER = re.compile(r"blk\.(\d+)")


def preset_types(
    scheme: str,
    tensors: tuple[TensorPlan, ...],
    facts: ModelFacts,
    *,
    has_imatrix: bool,
    overrides: tuple[tuple[str, str], ...] = (),
) -> tuple[TensorPlan, ...]:
    """The same tensors in the same order, each with its `type` and `why`.

    `overrides` are (regular expression on the tensor name, type), the first match wins; one that matches no tensor
    is a PlanError, as are an unknown scheme or type. 1-D tensors are F32 whatever is asked.
    """
    chosen = schemes.scheme(scheme)
    patterns = _compile(overrides, tensors)
    mix = _Mix(chosen, tensors, facts, has_imatrix)
    types: dict[str, TensorPlan] = {}
    # llama.cpp counts along the layers, whatever order the file has.
    for tensor in sorted(tensors, key=lambda tensor: (_layer(tensor.name), tensor.name)):
        types[tensor.name] = _typed(tensor, chosen, mix, patterns)
    return tuple(types[tensor.name] for tensor in tensors)


def _typed(
    tensor: TensorPlan, chosen: Scheme, mix: _Mix, patterns: tuple[tuple[re.Pattern[str], str], ...]
) -> TensorPlan:
    if not takes_type(tensor):
        if len(tensor.shape) < 2:
            return replace(tensor, type="F32", why="1-D tensors stay F32")
        return replace(tensor, why=f"stays {tensor.type}: {tensor.why}")
    override = next((type for pattern, type in patterns if pattern.search(tensor.name)), None)
    if override is not None:
        type, why = override, "--tensor-type"
    elif chosen.quantizes:
        type, why = mix.pick(tensor)
    else:
        type, why = chosen.type, chosen.name
    type, why = _fitting(tensor.shape[-1], type, why)
    return replace(tensor, type=type, why=why)


def takes_type(tensor: TensorPlan) -> bool:
    """Whether a scheme or an override may choose this tensor's type: matrices do, norms and biases do not."""
    name = tensor.name
    return (
        len(tensor.shape) >= 2
        and name.endswith("weight")
        and "_norm.weight" not in name
        and "ffn_gate_inp.weight" not in name
    )


class _Mix:
    """Walks the tensors in layer order and picks types; counts the tensors of a role it has picked for."""

    def __init__(self, chosen: Scheme, tensors: tuple[TensorPlan, ...], facts: ModelFacts, has_imatrix: bool) -> None:
        self._scheme = chosen
        self._rules = MIX.get(chosen.name, {})
        self._seen: Counter[Role] = Counter()
        roles = Counter(_role(tensor.name) for tensor in tensors)
        # llama.cpp counts attention values in the file and feed-forward layers in the header.
        self._counts = {Role.VALUE: roles[Role.VALUE], Role.FFN_DOWN: facts.n_layers}
        self._tied = not roles[Role.OUTPUT]
        self._grouped = facts.n_kv_heads > 0 and facts.n_heads // facts.n_kv_heads >= 4
        self._is_70b = _is_70b(facts)
        self._has_imatrix = has_imatrix
        self._experts = 0 if facts.experts is None else facts.experts.count

    def pick(self, tensor: TensorPlan) -> tuple[str, str]:
        """Type and reason, before the row is looked at."""
        role = _role(tensor.name)
        if role is Role.OUTPUT or (role is Role.EMBEDDING and self._tied):
            return self._output_type(tensor, role)
        if self._experts == 8 and role in _OF_EIGHT:
            return self._of_eight(role)
        # llama.cpp counts what it meets; of experts, the layer that the name says.
        nth = _layer(tensor.name) if self._experts > 1 and role is Role.FFN_DOWN else self._seen[role]
        place = Place(nth, self._counts.get(role, 0), self._grouped, self._has_imatrix)
        self._seen[role] += 1
        rule = next((rule for rule in self._rules.get(role, ()) if rule.holds(place)), None)
        type = rule.type if rule else self._scheme.type
        if role is Role.VALUE and self._is_70b and type in ("Q3_K", "Q4_K"):
            return "Q5_K", f"{self._scheme.name} mix: attn_v of a 70B model"
        if rule is None:
            return type, f"{self._scheme.name} base type"
        return type, f"{self._scheme.name} mix: {role.value} {rule.where}"

    def _of_eight(self, role: Role) -> tuple[str, str]:
        type, schemes = _OF_EIGHT[role]
        if self._scheme.name in schemes:
            return type, f"{self._scheme.name} mix: {role.value} beside 8 experts"
        return self._scheme.type, f"{self._scheme.name} base type"

    def _output_type(self, tensor: TensorPlan, role: Role) -> tuple[str, str]:
        what = "output layer" if role is Role.OUTPUT else "embedding that is the output layer too"
        base = quant_type(self._scheme.type)
        row = tensor.shape[-1]
        if not base.takes_row(row):
            return "Q8_0", f"{what}: rows of {row} are not a multiple of {base.block_elements}"
        if base.name == "Q8_0":
            return "Q8_0", "Q8_0 base type"
        return "Q6_K", f"{self._scheme.name} mix: {what}"


def _fitting(row: int, type: str, why: str) -> tuple[str, str]:
    """Type and reason after llama.cpp's fallback for a row of that many weights."""
    wanted = quant_type(type)
    if wanted.takes_row(row):
        return wanted.name, why
    smaller = quant_type(FALLBACK.get(wanted.name, wanted.name))
    if smaller.takes_row(row):
        return smaller.name, f"fallback from {wanted.name}: rows of {row} are not a multiple of {wanted.block_elements}"
    return "F16", f"F16: rows of {row} fit no block type"


def _role(name: str) -> Role:
    if name == "output.weight":
        return Role.OUTPUT
    if name == "token_embd.weight":
        return Role.EMBEDDING
    if any(part in name for part in ("attn_v.weight", "attn_qkv.weight", "attn_kv_b.weight")):
        return Role.VALUE
    if "attn_k.weight" in name:
        return Role.KEY
    if "attn_output.weight" in name:
        return Role.ATTENTION_OUTPUT
    return Role.FFN_DOWN if "ffn_down" in name else Role.OTHER


def _layer(name: str) -> int:
    match = _LAYER.match(name)
    return int(match[1]) if match else -1


def _is_70b(facts: ModelFacts) -> bool:
    if facts.n_layers != 80:
        return False
    if facts.model_type == "qwen2":
        return True
    return facts.model_type in ("llama", "mistral", "mixtral") and facts.n_heads != facts.n_kv_heads


def _compile(
    overrides: tuple[tuple[str, str], ...], tensors: tuple[TensorPlan, ...]
) -> tuple[tuple[re.Pattern[str], str], ...]:
    compiled = []
    for expression, type in overrides:
        given = f"--tensor-type {expression}={type}"
        try:
            pattern = re.compile(expression)
        except re.error as error:
            raise PlanError(f"{given}: {error}", hint="write a regular expression on tensor names, as attn_v") from None
        if not any(pattern.search(tensor.name) for tensor in tensors if takes_type(tensor)):
            hint = "the plan lists the names; norms and biases (1-D tensors) always stay F32"
            raise PlanError(f"{given}: matches no matrix of this model", hint=hint)
        compiled.append((pattern, quant_type(type).name))
    return tuple(compiled)
