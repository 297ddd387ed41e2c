import Foundation

/// Writes events, one JSON object a line, into a file. A line is written whole, so a crash loses none before it.
public final class Lines {
    public let file: URL
    private let handle: FileHandle

    public init(_ file: URL) throws {
        self.file = file
        guard FileManager.default.createFile(atPath: file.path, contents: nil) else {
            throw EngineError("cannot write \(file.path)")
        }
        handle = try FileHandle(forWritingTo: file)
    }

    /// In the app's documents, where a person can get at it.
    public static func inDocuments(_ name: String) throws -> Lines {
        let documents = try? FileManager.default.url(
            for: .documentDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        return try Lines((documents ?? FileManager.default.temporaryDirectory).appendingPathComponent(name))
    }

    public func say(_ event: String, _ fields: [String: Any] = [:]) throws {
        var object = fields
        object["event"] = event
        var line = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys])
        line.append(0x0A)
        try handle.write(contentsOf: line)
    }

    public func close() throws {
        try handle.close()
    }
}
