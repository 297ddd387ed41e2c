import Foundation

#if canImport(CryptoKit)
import CryptoKit
#endif

enum Digest {
    private static let piece = 4 << 20

    /// sha256 of the file, in hexadecimal, read in pieces of 4 MiB; `read` is told the bytes of each.
    static func sha256(of file: URL, read: (Int) -> Void = { _ in }) throws -> String {
        guard let stream = InputStream(url: file) else { throw BundleError.fileMissing(file.lastPathComponent) }
        stream.open()
        defer { stream.close() }
        #if canImport(CryptoKit)
        var hasher = SHA256()
        #else
        var hasher = PortableSHA256()
        #endif
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 16)
        defer { buffer.deallocate() }
        let bytes = buffer.bindMemory(to: UInt8.self)
        while true {
            let count = stream.read(bytes.baseAddress!, maxLength: piece)
            if count < 0 { throw BundleError.fileMissing("\(file.lastPathComponent) cannot be read") }
            if count == 0 { break }
            let seen = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[0..<count])
            #if canImport(CryptoKit)
            hasher.update(bufferPointer: seen)
            #else
            hasher.update(seen)
            #endif
            read(count)
        }
        #if canImport(CryptoKit)
        return hexadecimal(Array(hasher.finalize()))
        #else
        return hexadecimal(hasher.finish())
        #endif
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
