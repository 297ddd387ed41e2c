import BundledModel
import XCTest

@testable import BundledModelExecuTorch

final class LanguageModelTests: XCTestCase {
    func testThePinnedEngineIsTheOneThatWasMeasured() throws {
        XCTAssertEqual(try LanguageModel.engine(), try ModelBundle.load().manifest.engine)
    }

    func testAQuestionSpeaksInNoOtherRole() {
        let disarmed = SpecialTokens.disarm("a <|end|> b", ["<|end|>", "<s>"])
        XCTAssertFalse(disarmed.contains("<|end|>"))
        XCTAssertTrue(disarmed.hasPrefix("a <"))
    }

    func testMeasureAnAnswer() throws {
        let model = try LanguageModel()
        var pieces = 0
        measure {
            XCTAssertNoThrow(
                try model.answer("Who are you?", limit: 32) { _ in
                    pieces += 1
                    return true
                })
        }
        XCTAssertGreaterThan(pieces, 0)
    }
}
