import EdgeshrinkMeasure
import Foundation
import llama

/// llama.cpp, through the C interface of its XCFramework.
public struct LlamaEngine: Engine {
    private let path: String
    private var model: OpaquePointer?
    private var context: OpaquePointer?
    private var vocabulary: OpaquePointer?

    public init(path: String) {
        self.path = path
        llama_backend_init()
    }

    public mutating func load(context tokens: Int, threads: Int, gpuLayers: Int) throws -> Loaded {
        var wanted = llama_model_default_params()
        wanted.n_gpu_layers = Int32(gpuLayers)
        guard let model = llama_model_load_from_file(path, wanted) else {
            throw EngineError("llama.cpp refuses \(path)")
        }
        var parameters = llama_context_default_params()
        parameters.n_ctx = UInt32(tokens)
        parameters.n_threads = Int32(threads)
        parameters.n_threads_batch = Int32(threads)
        guard let context = llama_init_from_model(model, parameters) else {
            throw EngineError("llama.cpp has no memory for a context of \(tokens) tokens")
        }
        self.model = model
        self.context = context
        vocabulary = llama_model_get_vocab(model)
        let offloads = gpuLayers > 0 && llama_supports_gpu_offload()
        return Loaded(
            modelBytes: llama_model_size(model), parameters: llama_model_n_params(model),
            context: Int(llama_n_ctx(context)), vocabulary: Int(llama_vocab_n_tokens(vocabulary)),
            backend: offloads ? "Metal" : "CPU", gpuLayers: offloads ? gpuLayers : 0, threads: threads)
    }

    public func tokenize(_ text: String) -> [Int32] {
        let bytes = Array(text.utf8CString.dropLast())
        var ids = [llama_token](repeating: 0, count: bytes.count + 8)
        let count = llama_tokenize(vocabulary, bytes, Int32(bytes.count), &ids, Int32(ids.count), true, false)
        return count > 0 ? Array(ids.prefix(Int(count))) : []
    }

    public mutating func reset() {
        llama_memory_clear(llama_get_memory(context), true)
    }

    public mutating func prefill(_ ids: [Int32]) throws -> Int32 {
        let batch = Int(llama_n_batch(context))
        for start in stride(from: 0, to: ids.count, by: batch) {
            try compute(Array(ids[start..<min(start + batch, ids.count)]))
        }
        return greedy()
    }

    public mutating func decode(_ id: Int32) throws -> Int32 {
        try compute([id])
        return greedy()
    }

    private func compute(_ ids: [Int32]) throws {
        var ids = ids
        let count = Int32(ids.count)
        let status = ids.withUnsafeMutableBufferPointer {
            llama_decode(context, llama_batch_get_one($0.baseAddress, count))
        }
        if status != 0 { throw EngineError("llama_decode failed with \(status)") }
    }

    private func greedy() -> Int32 {
        guard let logits = llama_get_logits_ith(context, -1) else { return 0 }
        var best: Int32 = 0
        for id in 1..<llama_vocab_n_tokens(vocabulary) where logits[Int(id)] > logits[Int(best)] { best = id }
        return best
    }
}
