import EdgeshrinkLlama
import Foundation
import XCTest

/// Run this on the device. Its result is attached to the test report and lies in the app's documents.
final class MeasureModelTests: XCTestCase {
    func testMeasureTheModel() throws {
        let folder = try XCTUnwrap(Bundle.module.resourceURL).appendingPathComponent("Model")
        var engine = LlamaEngine(path: folder.appendingPathComponent("model.gguf").path)
        try runAttachedSession(&engine, folder: folder)
    }
}
