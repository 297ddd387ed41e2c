import BundledModelLlama
import Foundation
import XCTest

/// Run this on the device, in the Release configuration, unplugged and with the screen on. Its result is attached to
/// the test report and lies in the app's documents: `edgeshrink profile MODEL.gguf --import edgeshrink-result.jsonl`.
final class MeasuringTests: XCTestCase {
    func testMeasureTheModel() throws {
        let folder = try XCTUnwrap(Bundle.module.resourceURL).appendingPathComponent("Session")
        let plan = try Plan.read(folder.appendingPathComponent("session.json"))
        let text = try String(contentsOf: folder.appendingPathComponent("prompt.txt"), encoding: .utf8)
        let lines = try Lines.inDocuments("edgeshrink-result.jsonl")
        // The model as the app has it, opened after the bundle's checks.
        var engine = LlamaEngine { tokens, threads, gpuLayers in
            try LanguageModel(context: tokens, threads: threads, gpuLayers: gpuLayers).context
        }
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
