"""The Android bundle: AAR and Maven repository, Gradle module, Play AI pack, sample app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgeshrink.bundle.android.aar import write_aar
from edgeshrink.bundle.android.ai_pack import write_ai_pack
from edgeshrink.bundle.android.maven import write_maven
from edgeshrink.bundle.android.module import write_module
from edgeshrink.bundle.android.naming import names_of
from edgeshrink.bundle.android.pages import check_archive_pages, check_library_pages
from edgeshrink.bundle.android.parts import PACK_BYTES_MAX, PLAY_BASE_BYTES, check_names, check_sizes, parts_of
from edgeshrink.bundle.android.readme import write_readme
from edgeshrink.bundle.android.sample import write_sample
from edgeshrink.bundle.cargo import Cargo
from edgeshrink.core.bundle import BundleManifest, BundleOptions
from edgeshrink.core.events import Listener
from edgeshrink.errors import DataError, ToolMissing
from edgeshrink.toolchain import javac
from edgeshrink.toolchain.elf import read_elf


class AndroidBundler:
    """See `bundle.interface.Bundler`."""

    def check(self, manifest: BundleManifest, options: BundleOptions) -> None:
        names_of(manifest, options)
        parts = parts_of(options)
        check_sizes(manifest, parts)
        check_names(manifest)
        if options.runner is not None:
            if manifest.engine.runtime != "llama_cpp":
                raise DataError(
                    f"the runner opens GGUF files, and this is {manifest.format}", hint="leave the runner out"
                )
            if (machine := read_elf(options.runner).machine) != "aarch64":
                raise DataError(
                    f"{options.runner} is for {machine}, an Android bundle's runner for 64-bit ARM",
                    hint="leave --runner out and say --with-runner: it is built then",
                )
            check_library_pages(options.runner)
        if "aar" in parts and javac.find() is None:
            left = ",".join(part for part in parts if part not in ("aar", "sample")) or "module"
            raise ToolMissing(
                "there is no Java compiler (javac), and an AAR holds compiled classes",
                hint=f"{javac.FIX}; or leave it out: --parts {left}",
            )

    def copies(self, manifest: BundleManifest, options: BundleOptions) -> int:
        return 1 if "aar" in parts_of(options) else 0

    def tools(self, options: BundleOptions) -> Mapping[str, str]:
        return {javac.NAME: javac.version()} if "aar" in parts_of(options) else {}

    def write(self, cargo: Cargo, options: BundleOptions, listener: Listener) -> tuple[str, ...]:
        names, parts = names_of(cargo.manifest, options), parts_of(options)
        if "aar" in parts:
            aar = write_aar(cargo, names, options.runner, listener)
            check_archive_pages(aar)
            write_maven(cargo, names, aar, listener)
        if "module" in parts:
            write_module(cargo, names, options.runner, listener)
        if "ai-pack" in parts:
            write_ai_pack(cargo, names, options.delivery)
        if "sample" in parts:
            write_sample(cargo, names, from_maven="aar" in parts)
        write_readme(cargo, names, parts, options)
        if cargo.manifest.artifact_bytes > PLAY_BASE_BYTES and {"aar", "module"} & set(parts):
            fits = cargo.manifest.artifact_bytes <= PACK_BYTES_MAX
            way = "publish this model as the AI pack" if fits else "let the app download this bundle's plain files"
            return (f"Google Play takes at most 200 MB in an app's base module: for Play, {way}.",)
        return ()


BUNDLER: Final = AndroidBundler()
