import Foundation

/// The model with its papers, found and checked. Nothing is opened: `modelURL(for:)` gives the path to an engine that
/// is the one the model was measured with, and to no other.
public struct ModelBundle: Sendable {
    private static let largestManifest = 16 << 20

    public let folder: URL
    public let manifest: BundleManifest
    /// One for each file that the model needs: by which digest it was accepted, and whether its bytes were read now.
    public let checks: [FileCheck]

    /// The app's own cache folder.
    public static var defaultCache: URL? {
        FileManager.default.urls(for: .cachesDirectory, in: .userDomainMask).first
    }

    /// Where this package's model lies.
    public static var folder: URL {
        (Bundle.module.resourceURL ?? Bundle.module.bundleURL).appendingPathComponent("Model")
    }

    /// Read `bundle.json` and check size and sha256 of every file that the model needs.
    ///
    /// The first time all bytes are read; the result is remembered in `cache` (nil: nowhere) by size and time of
    /// change. `progress` is told the bytes that were read so far, and those to read at most. Throws `BundleError`.
    public static func load(
        folder: URL = ModelBundle.folder, cache: URL? = ModelBundle.defaultCache,
        progress: (_ done: Int64, _ total: Int64) -> Void = { _, _ in }
    ) throws -> ModelBundle {
        let folder = folder.resolvingSymlinksInPath()
        let manifest = try BundleManifest.read(manifestBytes(in: folder))
        var checked = CheckedFiles(folder: cache, bundle: manifest.name)
        let total = manifest.needed.reduce(0) { $0 + $1.bytes }
        var done: Int64 = 0
        let checks = try manifest.needed.map { file in
            try checked.check(file, in: folder) { count in
                done += Int64(count)
                progress(done, total)
            }
        }
        checked.keep()
        return ModelBundle(folder: folder, manifest: manifest, checks: checks)
    }

    public var chat: Chat? { manifest.chat }
    public var fallback: Fallback? { manifest.fallback }

    /// What `engine` opens: a file, or a folder of files that belong together. Throws `engineMismatch` where it is not
    /// the engine that was measured; `wrongBase` where this is an adapter, and `base` not the digest of its model.
    public func modelURL(for engine: EngineIdentity, base: String? = nil) throws -> URL {
        guard engine == manifest.engine else {
            throw BundleError.engineMismatch(needed: manifest.engine, found: engine)
        }
        if let needed = manifest.baseSha256, needed != base {
            throw BundleError.wrongBase(needed: needed, found: base ?? "none")
        }
        return folder.appendingPathComponent(manifest.main)
    }

    private static func manifestBytes(in folder: URL) throws -> Data {
        let file = folder.appendingPathComponent("bundle.json")
        guard let facts = try? FileManager.default.attributesOfItem(atPath: file.path),
            facts[.type] as? FileAttributeType == .typeRegular, let size = facts[.size] as? NSNumber
        else { throw BundleError.bundleMissing(folder.path) }
        guard size.intValue <= largestManifest else {
            throw BundleError.bundleInvalid("it has \(size.intValue) bytes, at most \(largestManifest) are read")
        }
        guard let data = try? Data(contentsOf: file) else { throw BundleError.bundleMissing(folder.path) }
        return data
    }
}
