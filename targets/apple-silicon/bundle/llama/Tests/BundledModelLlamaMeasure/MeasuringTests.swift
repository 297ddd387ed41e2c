import BundledModelLlama
import Foundation
import XCTest

/// Run this on the device, in the Release configuration, unplugged and with the screen on. Its result is attached to
/// the test report and lies in the app's documents: `edgeshrink profile MODEL.gguf --import edgeshrink-result.jsonl`.
final class MeasuringTests: XCTestCase {
    func testMeasureTheModel() throws {
        // The model as the app has it, opened after the bundle's checks.
        var engine = LlamaEngine { tokens, threads, gpuLayers in
            try LanguageModel(context: tokens, threads: threads, gpuLayers: gpuLayers).context
        }
        let folder = try XCTUnwrap(Bundle.module.resourceURL).appendingPathComponent("Session")
        try runAttachedSession(&engine, folder: folder)
    }
}
