/// What a session measures: something that opens a model, reads a prompt and decodes token by token.
public protocol Engine {
    /// Opens the model and makes a context of `context` tokens. Called once.
    mutating func load(context: Int, threads: Int, gpuLayers: Int) throws -> Loaded
    /// Ids of `text`; empty where the model has no tokenizer.
    func tokenize(_ text: String) -> [Int32]
    /// Forgets everything that was read and decoded.
    mutating func reset()
    /// Reads `ids` and returns the id chosen greedily after them.
    mutating func prefill(_ ids: [Int32]) throws -> Int32
    /// Reads one id and returns the id chosen greedily after it.
    mutating func decode(_ id: Int32) throws -> Int32
}

/// What an engine says of the model it opened. `backend` is what really computes.
public struct Loaded {
    public var modelBytes: UInt64
    public var parameters: UInt64
    public var context: Int
    public var vocabulary: Int
    public var backend: String
    public var gpuLayers: Int
    public var threads: Int

    public init(
        modelBytes: UInt64, parameters: UInt64, context: Int, vocabulary: Int, backend: String, gpuLayers: Int,
        threads: Int
    ) {
        self.modelBytes = modelBytes
        self.parameters = parameters
        self.context = context
        self.vocabulary = vocabulary
        self.backend = backend
        self.gpuLayers = gpuLayers
        self.threads = threads
    }
}

/// A model that could not be opened or computed, in words.
public struct EngineError: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}
