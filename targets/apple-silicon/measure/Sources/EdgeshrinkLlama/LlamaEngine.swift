// The tests of a bundle's package hold this file too; there `LlamaContext` is in the module that they test.
#if canImport(BundledModelLlama)
import BundledModelLlama
#else
import EdgeshrinkMeasure
#endif

/// What a session measures through llama.cpp.
public struct LlamaEngine: Engine {
    private let open: (_ tokens: Int, _ threads: Int, _ gpuLayers: Int) throws -> LlamaContext
    private var context: LlamaContext?

    public init(path: String) {
        self.init { try LlamaContext(path: path, tokens: $0, threads: $1, gpuLayers: $2) }
    }

    public init(open: @escaping (_ tokens: Int, _ threads: Int, _ gpuLayers: Int) throws -> LlamaContext) {
        self.open = open
    }

    public mutating func load(context tokens: Int, threads: Int, gpuLayers: Int) throws -> Loaded {
        let context = try open(tokens, threads, gpuLayers)
        self.context = context
        return Loaded(
            modelBytes: context.modelBytes, parameters: context.parameters, context: context.size,
            vocabulary: context.vocabularySize, backend: context.gpuLayers > 0 ? "Metal" : "CPU",
            gpuLayers: context.gpuLayers, threads: context.threads)
    }

    public func tokenize(_ text: String) -> [Int32] { context?.ids(of: text, framed: true) ?? [] }

    public mutating func reset() { context?.forget() }

    public mutating func prefill(_ ids: [Int32]) throws -> Int32 { try read(ids) }

    public mutating func decode(_ id: Int32) throws -> Int32 { try read([id]) }

    private func read(_ ids: [Int32]) throws -> Int32 {
        guard let context else { throw EngineError("no model is open") }
        return try context.read(ids)
    }
}
