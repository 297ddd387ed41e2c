import BundledModel
import Foundation
import XCTest

/// What the checks cost on this device. Each test prints one line of JSON; run them in the Release configuration.
final class MeasuringTests: XCTestCase {
    func testMeasureTheDigestCheck() throws {
        var bytes: Int64 = 0
        try timed("digest") {
            bytes = try ModelBundle.load(cache: nil).checks.reduce(0) { $0 + $1.bytes }
        } also: { ["bytes": bytes] }
    }

    func testMeasureARememberedCheck() throws {
        let cache = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID())")
        defer { try? FileManager.default.removeItem(at: cache) }
        _ = try ModelBundle.load(cache: cache)
        try timed("remembered") {
            XCTAssertTrue(try ModelBundle.load(cache: cache).checks.allSatisfy { $0.remembered })
        }
    }

    func testMeasureMappingTheModel() throws {
        let bundle = try ModelBundle.load(cache: nil)
        let largest = try XCTUnwrap(bundle.manifest.needed.max { $0.bytes < $1.bytes })
        var touched = 0
        try timed("map") {
            let data = try Data(
                contentsOf: bundle.folder.appendingPathComponent(largest.name), options: .alwaysMapped)
            touched = stride(from: 0, to: data.count, by: 4096).reduce(0) { $0 + Int(data[$1] & 1) }
            XCTAssertEqual(Int64(data.count), largest.bytes)
        } also: { ["bytes": largest.bytes, "touched": touched] }
    }

    /// XCTest's own `measure` on Apple's systems. On Linux it fails where runs differ by more than 10 %, which says
    /// something of the machine and nothing of the bundle, so there the clock alone is read.
    private func timed(
        _ event: String, _ work: @escaping () throws -> Void, also: () -> [String: Any] = { [:] }
    ) throws {
        var times: [Double] = []
        func once() throws {
            let began = Machine.now()
            try work()
            times.append(1e3 * (Machine.now() - began))
        }
        #if canImport(Darwin)
        measure { XCTAssertNoThrow(try once()) }
        #else
        for _ in 0..<5 { try once() }
        #endif
        var line = also()
        line["event"] = event
        line["ms"] = times.sorted()[times.count / 2]
        line["hwm"] = Memory.now().peak
        line["model"] = Machine.model
        let text = try JSONSerialization.data(withJSONObject: line, options: [.sortedKeys])
        print(String(decoding: text, as: UTF8.self))
    }
}
