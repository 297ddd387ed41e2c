import Foundation

/// ExecuTorch's runner takes a prompt as one text and parses special tokens in all of it. So that a question cannot
/// speak in another role, those in it are broken up by a word joiner, which shows as nothing.
enum SpecialTokens {
    private struct Tokenizer: Decodable {
        struct Token: Decodable {
            let content: String
            let special: Bool
        }

        let added_tokens: [Token]?
    }

    /// Texts of the special tokens in a tokenizer.json; none where it is another kind of file.
    static func texts(in tokenizer: URL) -> [String] {
        guard tokenizer.pathExtension == "json", let data = try? Data(contentsOf: tokenizer, options: .mappedIfSafe),
            let read = try? JSONDecoder().decode(Tokenizer.self, from: data)
        else { return [] }
        return (read.added_tokens ?? []).filter(\.special).map(\.content)
    }

    static func disarm(_ question: String, _ special: [String]) -> String {
        special.sorted { $0.count > $1.count }.reduce(question) { text, token in
            guard let first = token.first, text.contains(token) else { return text }
            return text.replacingOccurrences(of: token, with: "\(first)\u{2060}\(token.dropFirst())")
        }
    }
}
