import BundledModel
import ExecuTorch
import ExecuTorchLLM
import Foundation

/// The model of this package, opened by ExecuTorch. One answer at a time; not for two threads at once.
public final class LanguageModel {
    public let bundle: ModelBundle
    private let runner: TextRunner
    private let special: [String]

    /// The engine that is linked into this app, by the commit that Package.swift pins: ExecuTorch itself tells no version.
    public static func engine() throws -> EngineIdentity {
        guard let file = Bundle.module.url(forResource: "engine", withExtension: "json") else {
            throw BundleError.fileMissing("engine.json")
        }
        return try JSONDecoder().decode(EngineIdentity.self, from: Data(contentsOf: file))
    }

    /// Checks the bundle and the engine, then opens the model. It takes as long as reading the model's bytes, so keep
    /// it off the main thread. Throws `BundleError`.
    public init(cache: URL? = ModelBundle.defaultCache) throws {
        let bundle = try ModelBundle.load(cache: cache)
        let files = try ModelFiles(bundle.modelURL(for: LanguageModel.engine()))
        guard let tokenizer = files.tokenizer else {
            throw BundleError.modelUnopenable("it has no tokenizer: it answers no question, open it with openNetwork()")
        }
        special = SpecialTokens.texts(in: tokenizer)
        runner = TextRunner(modelPath: files.program.path, tokenizerPath: tokenizer.path)
        do {
            try runner.load()
        } catch {
            throw BundleError.modelUnopenable("\(error)")
        }
        self.bundle = bundle
    }

    /// A network without a tokenizer: its module, opened after the same checks.
    public static func openNetwork(cache: URL? = ModelBundle.defaultCache) throws -> Module {
        let files = try ModelFiles(ModelBundle.load(cache: cache).modelURL(for: engine()))
        let module = Module(filePath: files.program.path)
        do {
            try module.load()
        } catch {
            throw BundleError.modelUnopenable("\(error)")
        }
        return module
    }

    /// The greedy answer to one question, of at most `limit` tokens. `said` gets each piece as it comes and returns
    /// whether to go on.
    public func answer(_ question: String, limit: Int = 256, said: (String) -> Bool = { _ in true }) throws -> String {
        let asked = SpecialTokens.disarm(question, special)
        let prompt = bundle.chat.map { chat in "\(chat.before)\(asked)\(chat.after)" } ?? asked
        let stops = bundle.chat?.stop ?? []
        let framed = bundle.chat == nil
        var text = ""
        var open = true
        runner.reset()
        try withoutActuallyEscaping(said) { said in
            try runner.generate(
                prompt,
                Config {
                    $0.temperature = 0
                    $0.maximumNewTokens = limit
                    $0.isEchoEnabled = false
                    $0.bosCount = framed ? 1 : 0
                    $0.eosCount = 0
                }
            ) { [runner] piece in
                guard open else { return }
                if stops.contains(piece) || !said(piece) {
                    open = false
                    runner.stop()
                }
                if !stops.contains(piece) { text += piece }
            }
        }
        return text
    }
}

/// The files that ExecuTorch opens: the program, and what stands beside it.
struct ModelFiles {
    let program: URL
    let tokenizer: URL?

    init(_ main: URL) {
        var folder: ObjCBool = false
        let inside = FileManager.default.fileExists(atPath: main.path, isDirectory: &folder) && folder.boolValue
        program = inside ? main.appendingPathComponent("model.pte") : main
        tokenizer = ["tokenizer.json", "tokenizer.model"]
            .map { program.deletingLastPathComponent().appendingPathComponent($0) }
            .first { FileManager.default.fileExists(atPath: $0.path) }
    }
}
