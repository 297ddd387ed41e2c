"""The files that every bundle carries, around any model file, for tests of one kind of bundle."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgeshrink.bundle.cargo import Cargo, write_file
from edgeshrink.core.bundle import (
    BUNDLE_NAME,
    BUNDLE_SCHEMA,
    BundleKind,
    BundleManifest,
    BundleRequest,
    Chat,
    Engine,
    LicenceNote,
)
from edgeshrink.core.fallback import Fallback, Operating
from edgeshrink.core.manifest import ManifestFile, ManifestPlan, ManifestSource
from edgeshrink.core.values import to_json

LLAMA = Engine("llama_cpp", "llama.cpp", "llama-cpp-python", "0.3.36")
DEMO_CHAT = Chat(
    template="chat_template.jinja",
    before="<|begin|><|user|>",
    after="<|end|><|assistant|>",
    stop=("<|end|>",),
    stop_ids=(2,),
)

FALLBACK = Fallback(
    threshold=0.62,
    temperature=1.5,
    risk=0.05,
    coverage=0.8,
    curve=(Operating(0.0, 1.0, 0.125), Operating(0.62, 0.8, 0.05), Operating(0.9, 0.25, 0.0)),
)


def sample_cargo(
    folder: Path,
    model: bytes | Path,
    *,
    kind: BundleKind = "laptop",
    name: str = "tiny",
    format: str = "gguf",
    engine: Engine = LLAMA,
    chat: Chat | None = None,
    main: str = "model/tiny.gguf",
    context: int = 512,
    fallback: Fallback | None = None,
) -> Cargo:
    """Fill the new `folder` with `model` (bytes, a file, or a folder of files) and what stands beside it."""
    contents: dict[str, bytes] = {
        "report.json": b"{}\n",
        "MODEL_CARD.md": b"# tiny\n",
        "licenses/model/LICENSE": b"Apache License 2.0\n",
    }
    if chat is not None:
        contents["chat_template.jinja"] = b"{{ messages }}"
    if isinstance(model, bytes):
        contents[main] = model
    elif model.is_file():
        contents[main] = model.read_bytes()
    else:
        contents |= {
            f"{main}/{f.relative_to(model).as_posix()}": f.read_bytes() for f in model.rglob("*") if f.is_file()
        }
    for file, content in contents.items():
        write_file(folder / file, content)
    digests = {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}
    files = tuple(ManifestFile(file, digests[file], len(contents[file])) for file in sorted(contents))
    models = {file: digest for file, digest in digests.items() if file.startswith("model/")}
    lines = "".join(f"{digest}  {file.removeprefix(f'{main}/')}\n" for file, digest in sorted(models.items()))
    manifest = BundleManifest(
        schema=BUNDLE_SCHEMA,
        kind=kind,
        name=name,
        version="1.0.0",
        format=format,
        main=main,
        artifact_sha256=models[main] if main in models else hashlib.sha256(lines.encode()).hexdigest(),
        artifact_bytes=sum(len(contents[file]) for file in models),
        engine=engine,
        context=context,
        threads=2,
        memory_bytes=64 << 20,
        memory_how="measured",
        memory_limit_bytes=1 << 30,
        source=ManifestSource("tiny", "0" * 64, None, None, "apache-2.0"),
        plan=ManifestPlan("laptop-cpu", "this-machine", format, "Q4_K_M", context, "none", {}),
        tools={"edgeshrink": "0.1.0"},
        base_sha256=None,
        chat=chat,
        fallback=fallback,
        licences=(LicenceNote("model", "tiny", "apache-2.0", "allowed", "", ("licenses/model/LICENSE",)),),
        licence_accepted=False,
        report_sha256=digests["report.json"],
        request=BundleRequest(True, "", "install-time", (), "", "", "", "", "", ""),
        files=files,
    )
    write_file(folder / BUNDLE_NAME, to_json(manifest))
    return Cargo(folder, manifest)
