/// How one question is put to the model. `before` and `after` hold special tokens and are tokenized as such, with
/// nothing added; the question is tokenized as plain text, so that nobody can speak in another role.
public struct Chat: Codable, Equatable, Sendable {
    /// The file with the whole Jinja template, relative to the bundle.
    public let template: String?
    public let before: String
    public let after: String
    /// Texts and ids of the tokens that end an answer.
    public let stop: [String]
    public let stopIds: [Int32]

    public func prompt(for question: String) -> Prompt {
        Prompt(before: before, question: question, after: after)
    }
}

/// The three parts of a prompt, to be tokenized one by one.
public struct Prompt: Equatable, Sendable {
    public let before: String
    public let question: String
    public let after: String
}
