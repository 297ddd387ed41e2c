import Foundation
import XCTest

@testable import EdgeshrinkMeasure

/// Counts what it is asked; every id is followed by the next.
private struct CountingEngine: Engine {
    var read = 0
    var resets = 0
    var refuses = false

    mutating func load(context: Int, threads: Int, gpuLayers: Int) throws -> Loaded {
        if refuses { throw EngineError("no such \"model\"\n") }
        return Loaded(
            modelBytes: 7, parameters: 3, context: context, vocabulary: 10, backend: "CPU", gpuLayers: 0,
            threads: threads)
    }

    func tokenize(_ text: String) -> [Int32] { text.utf8.map { Int32($0 % 10) } }

    mutating func reset() { resets += 1 }

    mutating func prefill(_ ids: [Int32]) throws -> Int32 {
        read += ids.count
        return ((ids.last ?? 0) + 1) % 10
    }

    mutating func decode(_ id: Int32) throws -> Int32 {
        read += 1
        return (id + 1) % 10
    }
}

final class SessionTests: XCTestCase {
    private let plan = Plan(
        artifactSha256: "", build: "b", llama: "l", context: 64, threads: 2, gpuLayers: 0, promptTokens: [16, 4],
        firstRepetitions: 3, depths: [0, 8], decodeTokens: 5, repetitions: 2)

    private func events(_ engine: inout CountingEngine, fails: Bool = false) throws -> [[String: Any]] {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).jsonl")
        defer { try? FileManager.default.removeItem(at: file) }
        let session = Session(plan: plan, lines: try Lines(file))
        if fails {
            XCTAssertThrowsError(try session.run(&engine, text: "twelve words"))
        } else {
            try session.run(&engine, text: "twelve words")
        }
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
            try XCTUnwrap(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    func testEveryLengthDepthAndRepetitionIsTimed() throws {
        var engine = CountingEngine()
        let said = try events(&engine)
        XCTAssertEqual(said.first?["event"] as? String, "hello")
        let told = try XCTUnwrap(said.first?["plan"] as? [String: Any])
        XCTAssertEqual(told["prompt_tokens"] as? [Int], [16, 4])
        XCTAssertEqual(told["depths"] as? [Int], [0, 8])
        XCTAssertEqual(said.last?["event"] as? String, "end")
        let prefills = said.filter { $0["event"] as? String == "prefill" }
        XCTAssertEqual(prefills.compactMap { $0["tokens"] as? Int }, [16, 16, 16, 4, 4])
        let decodes = said.filter { $0["event"] as? String == "decode" }
        XCTAssertEqual(decodes.compactMap { $0["depth"] as? Int }, [0, 0, 8, 8])
        XCTAssertTrue(decodes.allSatisfy { ($0["steps_ms"] as? [Double])?.count == 5 })
        XCTAssertEqual(engine.read, 32 + 8 + 3 * 16 + 2 * 4 + 4 * 5 + 2 * 8)
        XCTAssertEqual(engine.resets, 1 + 5 + 4)
    }

    func testMemoryIsTheProcessesOwn() throws {
        var engine = CountingEngine()
        let seen = try events(&engine).filter { $0["event"] as? String == "memory" }
        XCTAssertTrue(seen.allSatisfy { ($0["rss"] as? Int ?? 0) > 1 << 20 })
        XCTAssertTrue(seen.allSatisfy { ($0["hwm"] as? Int ?? 0) > 1 << 20 })
    }

    func testARefusedModelIsALineToo() throws {
        var engine = CountingEngine(refuses: true)
        let last = try XCTUnwrap(events(&engine, fails: true).last)
        XCTAssertEqual(last["event"] as? String, "error")
        XCTAssertEqual(last["what"] as? String, "no such \"model\"\n")
    }

    func testThePlanIsReadAsEdgeshrinkWritesIt() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).json")
        defer { try? FileManager.default.removeItem(at: file) }
        let text = """
            {"artifact_sha256": "", "build": "b", "llama": "l", "context": 64, "threads": 2, "gpu_layers": 0,
             "prompt_tokens": [16, 4], "first_repetitions": 3, "depths": [0, 8], "decode_tokens": 5, "repetitions": 2}
            """
        try text.write(to: file, atomically: true, encoding: .utf8)
        XCTAssertEqual(try Plan.read(file), plan)
    }
}
