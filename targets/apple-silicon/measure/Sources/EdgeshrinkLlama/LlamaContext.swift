import Foundation
import llama

/// llama.cpp in words.
public struct LlamaError: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}

/// A model and its context through llama.cpp's C interface: ids in, the greedy choice out. It closes both when it goes.
/// Bundles carry this very file.
public final class LlamaContext {
    private let model: OpaquePointer
    private let context: OpaquePointer
    private let vocabulary: OpaquePointer
    public let threads: Int
    /// Layers that a GPU computes; 0 where llama.cpp finds none.
    public let gpuLayers: Int

    public init(path: String, tokens: Int, threads: Int, gpuLayers: Int) throws {
        LlamaLog.listen()
        llama_backend_init()
        self.threads = threads
        self.gpuLayers = gpuLayers > 0 && llama_supports_gpu_offload() ? gpuLayers : 0
        var wanted = llama_model_default_params()
        wanted.n_gpu_layers = Int32(gpuLayers)
        guard let model = llama_model_load_from_file(path, wanted) else {
            throw LlamaError("llama.cpp refuses \(path)\(LlamaLog.lastError)")
        }
        var parameters = llama_context_default_params()
        parameters.n_ctx = UInt32(tokens)
        parameters.n_threads = Int32(threads)
        parameters.n_threads_batch = Int32(threads)
        guard let context = llama_init_from_model(model, parameters), let vocabulary = llama_model_get_vocab(model) else {
            llama_model_free(model)
            throw LlamaError("llama.cpp makes no context of \(tokens) tokens\(LlamaLog.lastError)")
        }
        (self.model, self.context, self.vocabulary) = (model, context, vocabulary)
    }

    deinit {
        llama_free(context)
        llama_model_free(model)
    }

    /// In tokens; `modelBytes` are those of the tensors.
    public var size: Int { Int(llama_n_ctx(context)) }
    public var modelBytes: UInt64 { llama_model_size(model) }
    public var parameters: UInt64 { llama_model_n_params(model) }
    public var vocabularySize: Int { Int(llama_vocab_n_tokens(vocabulary)) }

    /// Ids of `text`. `special`: special tokens in it are taken as such. `framed`: with the BOS that the model wants.
    public func ids(of text: String, special: Bool = false, framed: Bool = false) -> [Int32] {
        let bytes = Array(text.utf8CString.dropLast())
        var ids = [llama_token](repeating: 0, count: bytes.count + 8)
        let count = llama_tokenize(vocabulary, bytes, Int32(bytes.count), &ids, Int32(ids.count), framed, special)
        return count > 0 ? Array(ids.prefix(Int(count))) : []
    }

    /// The bytes of one token, which may be a part of a character.
    public func piece(_ id: Int32) -> [UInt8] {
        var buffer = [CChar](repeating: 0, count: 64)
        var count = llama_token_to_piece(vocabulary, id, &buffer, Int32(buffer.count), 0, false)
        if count < 0 {
            buffer = [CChar](repeating: 0, count: Int(-count))
            count = llama_token_to_piece(vocabulary, id, &buffer, Int32(buffer.count), 0, false)
        }
        return buffer.prefix(Int(max(0, count))).map { UInt8(bitPattern: $0) }
    }

    public func endsAnswer(_ id: Int32) -> Bool { llama_vocab_is_eog(vocabulary, id) }

    /// Forgets everything that was read.
    public func forget() { llama_memory_clear(llama_get_memory(context), true) }

    /// Reads `ids` after all that was read before, and returns the id that is most probable next.
    public func read(_ ids: [Int32]) throws -> Int32 {
        let batch = Int(llama_n_batch(context))
        for start in stride(from: 0, to: ids.count, by: batch) {
            var part = Array(ids[start..<min(start + batch, ids.count)])
            let count = Int32(part.count)
            let status = part.withUnsafeMutableBufferPointer {
                llama_decode(context, llama_batch_get_one($0.baseAddress, count))
            }
            if status != 0 { throw LlamaError("llama_decode failed with \(status)") }
        }
        return greedy()
    }

    /// Puts the adapter in that file on the model, in place of one before.
    public func add(adapter path: String, scale: Float) throws {
        guard let adapter = llama_adapter_lora_init(model, path) else {
            throw LlamaError("llama.cpp refuses \(path)\(LlamaLog.lastError)")
        }
        var adapters: [OpaquePointer?] = [adapter]
        var scales = [scale]
        let status = llama_set_adapters_lora(context, &adapters, 1, &scales)
        if status != 0 { throw LlamaError("llama_set_adapters_lora failed with \(status)") }
    }

    private func greedy() -> Int32 {
        guard let logits = llama_get_logits_ith(context, -1) else { return 0 }
        var best: Int32 = 0
        for id in 1..<llama_vocab_n_tokens(vocabulary) where logits[Int(id)] > logits[Int(best)] { best = id }
        return best
    }
}
