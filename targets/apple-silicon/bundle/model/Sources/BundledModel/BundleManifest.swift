import Foundation

/// What opens the model: `llama.cpp 0.3.36`. The version is that of the Python package which was measured.
public struct EngineIdentity: Codable, Equatable, Sendable, CustomStringConvertible {
    public let project: String
    public let version: String

    public init(project: String, version: String) {
        self.project = project
        self.version = version
    }

    public var description: String { "\(project) \(version)" }
}

/// `bundle.json`, as far as an app needs it. Sizes are in bytes, `context` in tokens.
public struct BundleManifest: Codable, Equatable, Sendable {
    public static let schema = "edgeshrink-bundle-1"

    public struct File: Codable, Equatable, Sendable {
        public let name: String
        public let sha256: String
        public let bytes: Int64
    }

    public let schema: String
    public let name: String
    public let version: String
    public let format: String
    /// What the runtime opens, relative to the bundle: a file or a folder.
    public let main: String
    public let artifactSha256: String
    public let artifactBytes: Int64
    public let engine: EngineIdentity
    public let context: Int
    public let threads: Int?
    /// What must fit beside the app, and whether it was measured or predicted.
    public let memoryBytes: Int64?
    public let memoryHow: String
    /// What the device's budget allows.
    public let memoryLimitBytes: Int64?
    /// Set in an adapter alone: the digest of the model that it belongs to.
    public let baseSha256: String?
    public let chat: Chat?
    public let fallback: Fallback?
    public let files: [File]

    /// Strict in what counts: schema, names that stay in the folder, digests that are digests.
    static func read(_ data: Data) throws -> BundleManifest {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let manifest: BundleManifest
        do {
            manifest = try decoder.decode(BundleManifest.self, from: data)
        } catch {
            throw BundleError.bundleInvalid("\(error)")
        }
        guard manifest.schema == schema else {
            throw BundleError.bundleInvalid("its schema is \(manifest.schema), this loader reads \(schema)")
        }
        var seen = Set<String>()
        for file in manifest.files {
            guard isSafe(file.name) else { throw BundleError.bundleInvalid("\(file.name) leads out of the folder") }
            guard seen.insert(file.name).inserted else { throw BundleError.bundleInvalid("\(file.name) is named twice") }
            guard isDigest(file.sha256), file.bytes >= 0 else {
                throw BundleError.bundleInvalid("\(file.name) has no digest")
            }
        }
        guard manifest.fallback?.isSound ?? true else {
            throw BundleError.bundleInvalid("its fallback is none")
        }
        guard isSafe(manifest.main), manifest.files.contains(where: { manifest.isModel($0.name) }) else {
            throw BundleError.bundleInvalid("\(manifest.main) is no file of this bundle")
        }
        if let file = manifest.files.first(where: { $0.name == manifest.main }),
            file.sha256 != manifest.artifactSha256
        {
            throw BundleError.bundleInvalid("\(manifest.main) has two digests")
        }
        return manifest
    }

    /// The files that are checked before the model is opened: the model, and its chat template.
    public var needed: [File] {
        files.filter { isModel($0.name) || $0.name == chat?.template }
    }

    private func isModel(_ name: String) -> Bool {
        name == main || name.hasPrefix("\(main)/")
    }
}

/// Whether a file of that name stays below its folder, on any system.
func isSafe(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return parts.allSatisfy { !["", ".", ".."].contains($0) }
        && !name.unicodeScalars.contains { $0 == "\\" || $0 == ":" || $0.value < 0x20 || $0.value == 0x7F }
}

private func isDigest(_ text: String) -> Bool {
    text.utf8.count == 64 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
}
