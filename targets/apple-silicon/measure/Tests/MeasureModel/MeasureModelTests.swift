import EdgeshrinkLlama
import EdgeshrinkMeasure
import Foundation
import XCTest

/// Run this on the device. Its result is attached to the test report and lies in the app's documents.
final class MeasureModelTests: XCTestCase {
    func testMeasureTheModel() throws {
        let resources = try XCTUnwrap(Bundle.module.resourceURL).appendingPathComponent("Model")
        let plan = try Plan.read(resources.appendingPathComponent("session.json"))
        let text = try String(contentsOf: resources.appendingPathComponent("prompt.txt"), encoding: .utf8)
        let lines = try Lines.inDocuments("edgeshrink-result.jsonl")
        var engine = LlamaEngine(path: resources.appendingPathComponent("model.gguf").path)
        defer {
            #if canImport(Darwin)
            let attachment = XCTAttachment(contentsOfFile: lines.file)
            attachment.lifetime = .keepAlways
            add(attachment)
            #endif
            print("edgeshrink: \(lines.file.path)")
        }
        try Session(plan: plan, lines: lines).run(&engine, text: text)
        try lines.close()
    }
}
