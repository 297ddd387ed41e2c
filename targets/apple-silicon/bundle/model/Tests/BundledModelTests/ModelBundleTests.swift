import Foundation
import XCTest

@testable import BundledModel

/// The bundle that this package carries loads; a copy of it in which anything is wrong does not.
final class ModelBundleTests: XCTestCase {
    private var copy: URL!
    private var cache: URL!

    override func setUpWithError() throws {
        let place = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID())")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        copy = place.appendingPathComponent("Model")
        cache = place.appendingPathComponent("cache")
        try FileManager.default.copyItem(at: ModelBundle.folder, to: copy)
    }

    override func tearDownWithError() throws {
        try? FileManager.default.removeItem(at: copy.deletingLastPathComponent())
    }

    private func error(_ work: () throws -> Void) -> BundleError? {
        do {
            try work()
        } catch {
            return error as? BundleError
        }
        return nil
    }

    private func loading() -> BundleError? {
        error { _ = try ModelBundle.load(folder: copy, cache: cache) }
    }

    private func model() throws -> (file: BundleManifest.File, url: URL) {
        let file = try XCTUnwrap(ModelBundle.load(folder: copy, cache: nil).manifest.needed.max { $0.bytes < $1.bytes })
        return (file, copy.appendingPathComponent(file.name))
    }

    private func rewriteManifest(_ change: (inout [String: Any]) -> Void) throws {
        let file = copy.appendingPathComponent("bundle.json")
        var object = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        change(&object)
        try FileManager.default.removeItem(at: file)
        try JSONSerialization.data(withJSONObject: object).write(to: file)
    }

    func testTheBundleOfThisPackageLoads() throws {
        let bundle = try ModelBundle.load(cache: cache)
        XCTAssertFalse(bundle.checks.isEmpty)
        XCTAssertTrue(bundle.checks.allSatisfy { !$0.remembered })
        let opened = try bundle.modelURL(for: bundle.manifest.engine, base: bundle.manifest.baseSha256)
        XCTAssertTrue(FileManager.default.fileExists(atPath: opened.path))
        if let chat = bundle.chat {
            XCTAssertEqual(chat.prompt(for: "Who?"), Prompt(before: chat.before, question: "Who?", after: chat.after))
        }
    }

    func testAFallbackIsReadAndOneThatIsNoneIsRefused() throws {
        let point: [String: Any] = ["threshold": 0.62, "coverage": 0.8, "risk": 0.05]
        let sound: [String: Any] = point.merging(["temperature": 2.0, "curve": [point]]) { kept, _ in kept }
        try rewriteManifest { $0["fallback"] = sound }
        let fallback = try XCTUnwrap(ModelBundle.load(folder: copy, cache: nil).fallback)
        XCTAssertEqual(fallback.curve.map(\.coverage), [0.8])
        XCTAssertTrue(fallback.keeps(confidence: 0.62))
        XCTAssertFalse(fallback.keeps(confidence: 0.61) || fallback.keeps(confidence: .nan))
        XCTAssertEqual(fallback.probability(of: 1, logits: [0, 2]), 1 / (1 + exp(-1)), accuracy: 1e-12)
        XCTAssertEqual(fallback.probability(of: 0, logits: [0, .nan]), 0)
        for change in [["risk": 1.5], ["temperature": 0], ["curve": [["threshold": 2, "coverage": 1, "risk": 0]]]]
            as [[String: Any]]
        {
            try rewriteManifest { $0["fallback"] = sound.merging(change) { _, new in new } }
            guard case .bundleInvalid? = loading() else { return XCTFail("\(change) was accepted") }
        }
    }

    func testProgressEndsAtAllBytes() throws {
        var seen: [Int64] = []
        let bundle = try ModelBundle.load(folder: copy, cache: nil) { done, total in
            seen.append(done)
            XCTAssertLessThanOrEqual(done, total)
        }
        XCTAssertEqual(seen.last, bundle.checks.reduce(0) { $0 + $1.bytes })
    }

    func testOneFlippedByteIsFound() throws {
        let (file, url) = try model()
        let handle = try FileHandle(forUpdating: url)
        try handle.seek(toOffset: UInt64(file.bytes / 2))
        let byte = try XCTUnwrap(handle.read(upToCount: 1)?.first)
        try handle.seek(toOffset: UInt64(file.bytes / 2))
        try handle.write(contentsOf: Data([byte ^ 1]))
        try handle.close()
        guard case .digestMismatch(let name, let expected, let found)? = loading() else {
            return XCTFail("a changed byte was accepted")
        }
        XCTAssertEqual(name, file.name)
        XCTAssertEqual(expected, file.sha256)
        XCTAssertNotEqual(found, expected)
    }

    func testAnotherSizeAMissingFileAndALinkAreFound() throws {
        let (file, url) = try model()
        let handle = try FileHandle(forWritingTo: url)
        try handle.truncate(atOffset: UInt64(file.bytes - 1))
        try handle.close()
        guard case .digestMismatch? = loading() else { return XCTFail("a shorter file was accepted") }
        try FileManager.default.removeItem(at: url)
        XCTAssertEqual(loading(), .fileMissing(file.name))
        let original = ModelBundle.folder.appendingPathComponent(file.name)
        try FileManager.default.createSymbolicLink(at: url, withDestinationURL: original)
        XCTAssertEqual(loading(), .fileMissing(file.name))
    }

    func testADigestIsRememberedUntilTheFileChanges() throws {
        XCTAssertTrue(try ModelBundle.load(folder: copy, cache: cache).checks.allSatisfy { !$0.remembered })
        XCTAssertTrue(try ModelBundle.load(folder: copy, cache: cache).checks.allSatisfy { $0.remembered })
        let (file, url) = try model()
        let later = Date().addingTimeInterval(60)
        try FileManager.default.setAttributes([.modificationDate: later], ofItemAtPath: url.path)
        let again = try ModelBundle.load(folder: copy, cache: cache).checks.filter { !$0.remembered }
        XCTAssertEqual(again.map(\.name), [file.name])
        try Data("{".utf8).write(to: cache.appendingPathComponent("edgeshrink-\(bundleName()).json"))
        XCTAssertTrue(try ModelBundle.load(folder: copy, cache: cache).checks.allSatisfy { !$0.remembered })
    }

    private func bundleName() throws -> String { try ModelBundle.load(folder: copy, cache: nil).manifest.name }

    func testAnotherEngineIsRefused() throws {
        let bundle = try ModelBundle.load(folder: copy, cache: cache)
        let other = EngineIdentity(project: bundle.manifest.engine.project, version: "0.0.1")
        XCTAssertEqual(
            error { _ = try bundle.modelURL(for: other) },
            .engineMismatch(needed: bundle.manifest.engine, found: other))
    }

    func testAnAdapterAsksForItsBase() throws {
        let base = String(repeating: "b", count: 64)
        try rewriteManifest { $0["base_sha256"] = base }
        let bundle = try ModelBundle.load(folder: copy, cache: cache)
        XCTAssertEqual(
            error { _ = try bundle.modelURL(for: bundle.manifest.engine) }, .wrongBase(needed: base, found: "none"))
        XCTAssertNoThrow(try bundle.modelURL(for: bundle.manifest.engine, base: base))
    }

    func testAFolderWithoutABundleAndAnotherSchemaAreRefused() throws {
        try rewriteManifest { $0["schema"] = "edgeshrink-bundle-2" }
        guard case .bundleInvalid(let what)? = loading() else { return XCTFail("another schema was read") }
        XCTAssertTrue(what.contains("edgeshrink-bundle-2"))
        try FileManager.default.removeItem(at: copy.appendingPathComponent("bundle.json"))
        XCTAssertEqual(loading(), .bundleMissing(copy.resolvingSymlinksInPath().path))
    }

    func testTextThatIsNoManifestIsRefused() throws {
        for text in ["", "{", "[]", "{\"schema\": 1}"] {
            try Data(text.utf8).write(to: copy.appendingPathComponent("bundle.json"))
            guard case .bundleInvalid? = loading() else { return XCTFail("\(text) was read") }
        }
    }

    func testNamesThatLeadOutAreRefused() throws {
        for name in ["../secret", "/etc/passwd", "model/../../x", "a\\b", "C:/x", "model//x", "", ".", "a\u{0}b"] {
            XCTAssertFalse(isSafe(name), name)
        }
        for name in ["bundle.json", "model/tiny.gguf", "licenses/model/LICENSE", "model/..tiny"] {
            XCTAssertTrue(isSafe(name), name)
        }
        try rewriteManifest { object in
            let digest = String(repeating: "0", count: 64)
            object["files"] = [["name": "../../secret", "sha256": digest, "bytes": 1] as [String: Any]]
        }
        guard case .bundleInvalid(let what)? = loading() else { return XCTFail("a name that leads out was read") }
        XCTAssertTrue(what.contains("../../secret"))
    }
}
