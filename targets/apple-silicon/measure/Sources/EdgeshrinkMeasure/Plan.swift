import Foundation

/// `session.json`, written by `edgeshrink profile MODEL --xctest FOLDER`: what to measure. Units stand in the names.
public struct Plan: Codable, Equatable {
    public var artifactSha256: String
    public var build: String
    public var llama: String
    public var context: Int
    public var threads: Int
    public var gpuLayers: Int
    public var promptTokens: [Int]
    public var firstRepetitions: Int
    public var depths: [Int]
    public var decodeTokens: Int
    public var repetitions: Int

    /// What of it the reader of the lines has to know.
    var told: [String: Any] {
        [
            "context": context, "prompt_tokens": promptTokens, "depths": depths, "decode_tokens": decodeTokens,
            "repetitions": repetitions,
        ]
    }

    public static func read(_ file: URL) throws -> Plan {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Plan.self, from: Data(contentsOf: file))
    }
}
