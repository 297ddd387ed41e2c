import BundledModelLlama
import SwiftUI

/// The smallest app: one question, one answer. The model is checked and opened off the main thread, and kept.
@main
struct ModelApp: App {
    var body: some Scene {
        WindowGroup { QuestionView() }
    }
}

private actor Answering {
    private var model: LanguageModel?

    func answer(_ question: String) throws -> String {
        let model = try self.model ?? LanguageModel()
        self.model = model
        return try model.answer(question)
    }
}

private struct QuestionView: View {
    @State private var answering = Answering()
    @State private var question = ""
    @State private var answer = ""

    var body: some View {
        VStack(alignment: .leading) {
            TextField("Question", text: $question).onSubmit {
                Task {
                    do {
                        answer = try await answering.answer(question)
                    } catch {
                        answer = String(describing: error)
                    }
                }
            }
            ScrollView { Text(answer).frame(maxWidth: .infinity, alignment: .leading) }
        }
        .padding()
    }
}
