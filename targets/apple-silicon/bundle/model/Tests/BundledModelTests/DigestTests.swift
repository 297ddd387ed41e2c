import Foundation
import XCTest

@testable import BundledModel

/// Vectors of FIPS 180-4 and of the NIST's SHA-256 validation.
final class DigestTests: XCTestCase {
    private let vectors: [(String, String)] = [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            String(repeating: "a", count: 100_000),
            "6d1cf22d7cc09b085dfc25ee1a1f3ae0265804c607bc2074ad253bcc82fd81ee"
        ),
    ]

    func testTheKnownVectorsInOnePieceAndInMany() {
        for (text, digest) in vectors {
            for piece in [1, 63, 64, 65, 1 << 20] where text.utf8.count < 1000 || piece > 60 {
                var hasher = PortableSHA256()
                let bytes = Array(text.utf8)
                for start in stride(from: 0, to: bytes.count, by: piece) {
                    bytes[start..<min(start + piece, bytes.count)].withUnsafeBytes { hasher.update($0) }
                }
                XCTAssertEqual(Digest.hexadecimal(hasher.finish()), digest, "pieces of \(piece)")
            }
        }
    }

    func testAFileHasTheDigestOfItsBytes() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID())")
        defer { try? FileManager.default.removeItem(at: file) }
        for (text, digest) in vectors {
            try Data(text.utf8).write(to: file)
            XCTAssertEqual(try Digest.sha256(of: file), digest)
        }
    }
}
