import Foundation

/// Why a model was not opened. The names are the same in every loader that edgeshrink writes.
public enum BundleError: Error, Equatable {
    /// There is no `bundle.json` in the folder.
    case bundleMissing(String)
    /// `bundle.json` is not what it must be, or holds a name that leads out of the folder.
    case bundleInvalid(String)
    /// A file that the model needs is not there, or is no plain file.
    case fileMissing(String)
    /// A file has other bytes than the ones that were measured.
    case digestMismatch(file: String, expected: String, found: String)
    /// Artifact and engine are a pair: this is another engine.
    case engineMismatch(needed: EngineIdentity, found: EngineIdentity)
    /// The runtime refused the model, in its words.
    case modelUnopenable(String)
    /// An adapter that belongs to another model.
    case wrongBase(needed: String, found: String)
}

extension BundleError: CustomStringConvertible, LocalizedError {
    public var description: String {
        switch self {
        case .bundleMissing(let folder): return "there is no bundle.json in \(folder)"
        case .bundleInvalid(let what): return "bundle.json is not what it must be: \(what)"
        case .fileMissing(let name): return "\(name) is missing"
        case .digestMismatch(let file, let expected, let found):
            return "\(file) is not the file that was measured: expected sha256 \(expected), found \(found)"
        case .engineMismatch(let needed, let found): return "the model was measured with \(needed), this is \(found)"
        case .modelUnopenable(let what): return "the model cannot be opened: \(what)"
        case .wrongBase(let needed, let found):
            return "the adapter belongs to the model with digest \(needed), this one has \(found)"
        }
    }

    public var errorDescription: String? { description }
}
