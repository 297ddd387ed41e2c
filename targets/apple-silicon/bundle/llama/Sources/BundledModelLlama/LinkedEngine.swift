import BundledModel
import Foundation
import llama

/// `engine.json`: which llama.cpp the model was measured with, and how that one can be known.
struct PinnedEngine: Codable {
    let project: String
    let version: String
    /// The first digits of llama.cpp's commit, and the version of its ggml.
    let commit: String
    let ggml: String
    /// The XCFramework comes by URL, and SwiftPM compares its checksum with the one in Package.swift.
    let byChecksum: Bool

    static func read() throws -> PinnedEngine {
        guard let file = Bundle.module.url(forResource: "engine", withExtension: "json") else {
            throw BundleError.fileMissing("engine.json")
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(PinnedEngine.self, from: Data(contentsOf: file))
    }

    /// What is linked into this app. The library says its commit; where it was built outside a git checkout it says
    /// "unknown", and then a checksum and the version of ggml have to speak for it.
    func identity(of linked: LinkedEngine) -> EngineIdentity {
        let same = linked.commit == "unknown"
            ? byChecksum && linked.ggml == ggml
            : linked.commit.count >= 7 && (commit.hasPrefix(linked.commit) || linked.commit.hasPrefix(commit))
        return EngineIdentity(
            project: project, version: same ? version : "of commit \(linked.commit) with ggml \(linked.ggml)")
    }
}

/// What the linked library says of itself.
struct LinkedEngine {
    let commit: String
    let ggml: String

    static var present: LinkedEngine {
        let commit = String(cString: ggml_commit())
        return LinkedEngine(
            commit: commit.hasSuffix("-dirty") ? String(commit.dropLast(6)) : commit,
            ggml: String(cString: ggml_version()))
    }
}
