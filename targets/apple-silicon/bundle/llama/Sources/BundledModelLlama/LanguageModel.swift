import BundledModel
import Foundation

/// The model of this package, opened by llama.cpp. One answer at a time; not for two threads at once.
public final class LanguageModel {
    public let bundle: ModelBundle
    public let context: LlamaContext

    /// The engine that is linked into this app.
    public static func engine() throws -> EngineIdentity {
        try PinnedEngine.read().identity(of: .present)
    }

    /// Checks the bundle and the engine, then opens the model. It takes as long as reading the model's bytes, so keep
    /// it off the main thread. Throws `BundleError`.
    public init(
        cache: URL? = ModelBundle.defaultCache, context tokens: Int? = nil, threads: Int? = nil, gpuLayers: Int? = nil
    ) throws {
        let bundle = try ModelBundle.load(cache: cache)
        let url = try bundle.modelURL(for: LanguageModel.engine())
        do {
            context = try LlamaContext(
                path: url.path, tokens: tokens ?? bundle.manifest.context,
                threads: threads ?? bundle.manifest.threads ?? 2, gpuLayers: gpuLayers ?? LanguageModel.gpuLayers)
        } catch {
            throw BundleError.modelUnopenable("\(error)")
        }
        self.bundle = bundle
    }

    /// Put an adapter on the model: `url` is what `modelURL(for:base:)` of the adapter's own package gives.
    public func add(adapter url: URL, scale: Float = 1) throws {
        do {
            try context.add(adapter: url.path, scale: scale)
        } catch {
            throw BundleError.modelUnopenable("\(error)")
        }
    }

    /// The greedy answer to one question, of at most `limit` tokens. `said` gets each piece as it comes and returns
    /// whether to go on. Throws `LlamaError` where the question does not fit the context.
    public func answer(_ question: String, limit: Int = 256, said: (String) -> Bool = { _ in true }) throws -> String {
        let ids = self.ids(question)
        let room = context.size - ids.count
        guard room > 0, !ids.isEmpty else {
            throw LlamaError("the question has \(ids.count) tokens, the context holds \(context.size)")
        }
        let stops = Set(bundle.chat?.stopIds ?? [])
        context.forget()
        var text = AnswerText()
        var id = try context.read(ids)
        for left in stride(from: min(limit, room), to: 0, by: -1) {
            if stops.contains(id) || context.endsAnswer(id) { break }
            let piece = text.add(context.piece(id))
            if !piece.isEmpty, !said(piece) { return text.all }
            if left > 1 { id = try context.read([id]) }
        }
        let tail = text.end()
        if !tail.isEmpty { _ = said(tail) }
        return text.all
    }

    private func ids(_ question: String) -> [Int32] {
        guard let prompt = bundle.chat?.prompt(for: question) else { return context.ids(of: question, framed: true) }
        return context.ids(of: prompt.before, special: true) + context.ids(of: prompt.question)
            + context.ids(of: prompt.after, special: true)
    }

    private static var gpuLayers: Int {
        #if targetEnvironment(simulator) || os(Linux)
        return 0
        #else
        return 99
        #endif
    }
}

/// Text from the bytes of tokens: a character may be spread over several.
struct AnswerText {
    private(set) var all = ""
    private var pending: [UInt8] = []

    /// What is complete now.
    mutating func add(_ bytes: [UInt8]) -> String {
        pending += bytes
        let whole = pending.count - AnswerText.openBytes(pending)
        let text = String(decoding: pending[..<whole], as: UTF8.self)
        pending.removeFirst(whole)
        all += text
        return text
    }

    mutating func end() -> String {
        let text = String(decoding: pending, as: UTF8.self)
        pending = []
        all += text
        return text
    }

    /// Bytes at the end that begin a character without ending it.
    private static func openBytes(_ bytes: [UInt8]) -> Int {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.count - back]
            if byte & 0xC0 == 0x80 { continue }
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return length > back ? back : 0
        }
        return 0
    }
}
