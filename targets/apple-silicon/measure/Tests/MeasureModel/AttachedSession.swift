import Foundation
import XCTest

// A bundle's package holds this file too, and the session's own files beside it.
#if canImport(EdgeshrinkMeasure)
import EdgeshrinkMeasure
#endif

extension XCTestCase {
    /// One session, planned by `session.json` in `folder`, with the text of `prompt.txt` there. Its result is attached
    /// to the test's report and lies in the app's documents, even where the session fails.
    func runAttachedSession(_ engine: inout some Engine, folder: URL) throws {
        let plan = try Plan.read(folder.appendingPathComponent("session.json"))
        let text = try String(contentsOf: folder.appendingPathComponent("prompt.txt"), encoding: .utf8)
        let lines = try Lines.inDocuments("edgeshrink-result.jsonl")
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
