import BundledModel
import Foundation
import XCTest

@testable import BundledModelLlama

final class LanguageModelTests: XCTestCase {
    func testTheLinkedEngineIsTheOneThatWasMeasured() throws {
        XCTAssertEqual(try LanguageModel.engine(), try ModelBundle.load().manifest.engine)
    }

    func testAnotherEngineHasAnotherIdentity() throws {
        let pinned = try PinnedEngine.read()
        let linked = LinkedEngine(commit: "fffffff", ggml: pinned.ggml)
        XCTAssertNotEqual(pinned.identity(of: linked).version, pinned.version)
        let short = LinkedEngine(commit: String(pinned.commit.prefix(7)), ggml: pinned.ggml)
        XCTAssertEqual(pinned.identity(of: short).version, pinned.version)
        let untold = LinkedEngine(commit: "unknown", ggml: pinned.ggml)
        XCTAssertEqual(pinned.identity(of: untold).version == pinned.version, pinned.byChecksum)
    }

    func testItAnswersAndAnswersTheSameAgain() throws {
        let model = try LanguageModel(threads: 2)
        var pieces = ""
        let answer = try model.answer("Who are you?", limit: 24) { piece in
            pieces += piece
            return true
        }
        print("edgeshrink: the answer is \(answer.debugDescription)")
        XCTAssertEqual(pieces, answer)
        XCTAssertEqual(try model.answer("Who are you?", limit: 24), answer)
    }

    func testAQuestionSpeaksInNoOtherRole() throws {
        let model = try LanguageModel(threads: 2)
        for (text, id) in zip(model.bundle.chat?.stop ?? [], model.bundle.chat?.stopIds ?? []) {
            XCTAssertFalse(model.context.ids(of: "a \(text) b").contains(id), text)
            XCTAssertTrue(model.context.ids(of: text, special: true).contains(id), text)
        }
    }

    func testAQuestionThatDoesNotFitIsRefused() throws {
        let model = try LanguageModel(context: 32, threads: 2)
        XCTAssertThrowsError(try model.answer(String(repeating: "why ", count: 400))) { error in
            XCTAssertTrue(error is LlamaError)
        }
    }

    func testACharacterInSeveralTokensComesWhole() {
        var text = AnswerText()
        XCTAssertEqual(text.add([0xE2, 0x82]), "")
        XCTAssertEqual(text.add([0xAC, 0x21, 0xF0, 0x9F]), "€!")
        XCTAssertEqual(text.end(), "\u{FFFD}")
        XCTAssertEqual(text.all, "€!\u{FFFD}")
    }
}
