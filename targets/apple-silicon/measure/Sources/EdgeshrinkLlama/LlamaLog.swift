import Foundation
import llama

/// llama.cpp tells each step on stderr. Here its last error is kept, and the rest is dropped.
enum LlamaLog {
    private static let lock = NSLock()
    private static var last = ""

    static func listen() {
        lock.withLock { last = "" }
        llama_log_set({ level, text, _ in LlamaLog.take(level, text.map { String(cString: $0) } ?? "") }, nil)
    }

    /// The last error, to be put behind a sentence: ": failed to read magic"; "" where there was none.
    static var lastError: String {
        lock.withLock { last.isEmpty ? "" : ": \(last)" }
    }

    private static func take(_ level: ggml_log_level, _ text: String) {
        guard level == GGML_LOG_LEVEL_ERROR else { return }
        lock.withLock { last = text.trimmingCharacters(in: .whitespacesAndNewlines) }
    }
}
