import Foundation

/// How it is known that a file is the one that was measured.
public struct FileCheck: Equatable, Sendable {
    public let name: String
    public let sha256: String
    public let bytes: Int64
    /// Its bytes were read before; size and time of change are still the ones of then. False: they were read now.
    public let remembered: Bool
}

/// Digests that were checked before, by size and time of change, in one file of the app's cache folder.
struct CheckedFiles {
    private struct Entry: Codable, Equatable {
        let sha256: String
        let bytes: Int64
        let changed: Int64
    }

    private let file: URL?
    private var entries: [String: Entry] = [:]

    /// Without a folder nothing is remembered. A file that cannot be read is no obstacle: all is checked again.
    init(folder: URL?, bundle: String) {
        file = folder?.appendingPathComponent("edgeshrink-\(bundle).json")
        if let file, let data = try? Data(contentsOf: file) {
            entries = (try? JSONDecoder().decode([String: Entry].self, from: data)) ?? [:]
        }
    }

    /// `wanted` in `folder` is the file that it says, or an error says what it is instead.
    mutating func check(_ wanted: BundleManifest.File, in folder: URL, read: (Int) -> Void) throws -> FileCheck {
        let url = folder.appendingPathComponent(wanted.name)
        guard url.resolvingSymlinksInPath().path == url.path,
            let facts = try? FileManager.default.attributesOfItem(atPath: url.path),
            facts[.type] as? FileAttributeType == .typeRegular, let size = facts[.size] as? NSNumber
        else { throw BundleError.fileMissing(wanted.name) }
        guard size.int64Value == wanted.bytes else {
            let found = "\(size.int64Value) bytes instead of \(wanted.bytes)"
            throw BundleError.digestMismatch(file: wanted.name, expected: wanted.sha256, found: found)
        }
        let microseconds = ((facts[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0) * 1e6
        let entry = Entry(sha256: wanted.sha256, bytes: wanted.bytes, changed: Int64(microseconds.rounded()))
        if entries[wanted.name] == entry {
            return FileCheck(name: wanted.name, sha256: wanted.sha256, bytes: wanted.bytes, remembered: true)
        }
        let found = try Digest.sha256(of: url, read: read)
        guard found == wanted.sha256 else {
            throw BundleError.digestMismatch(file: wanted.name, expected: wanted.sha256, found: found)
        }
        entries[wanted.name] = entry
        return FileCheck(name: wanted.name, sha256: found, bytes: wanted.bytes, remembered: false)
    }

    /// Kept for the next start; a cache that cannot be written costs time there, nothing else.
    func keep() {
        guard let file, let data = try? JSONEncoder().encode(entries) else { return }
        try? FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try? data.write(to: file, options: .atomic)
    }
}
