import BundledModel
import Foundation

do {
    let bundle = try ModelBundle.load()
    let manifest = bundle.manifest
    print("\(manifest.name) \(manifest.version): \(manifest.format), context \(manifest.context), \(manifest.engine)")
    if let bytes = manifest.memoryBytes { print("needs \(bytes >> 20) MiB (\(manifest.memoryHow))") }
    for check in bundle.checks {
        print("\(check.sha256)  \(check.name)  \(check.remembered ? "as checked before" : "checked now")")
    }
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}
