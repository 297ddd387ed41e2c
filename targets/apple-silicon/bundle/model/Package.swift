// swift-tools-version:5.9
// The model, its papers, and what checks them before anything opens them. It has no dependency and builds anywhere.
import PackageDescription

let package = Package(
    name: "BundledModel",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "BundledModel", targets: ["BundledModel"])],
    targets: [
        .target(name: "BundledModel", resources: [.copy("Model")]),
        .testTarget(name: "BundledModelTests", dependencies: ["BundledModel"]),
        .testTarget(name: "BundledModelMeasure", dependencies: ["BundledModel"]),
    ]
)
