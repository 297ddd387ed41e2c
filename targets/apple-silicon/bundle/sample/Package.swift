// swift-tools-version:5.9
// `swift run edgeshrink-bundled-model`: what the model is, and that it is the one that was measured.
import PackageDescription

let package = Package(
    name: "Sample",
    platforms: [.macOS(.v12)],
    products: [.executable(name: "edgeshrink-bundled-model", targets: ["Sample"])],
    dependencies: [.package(path: "../BundledModel")],
    targets: [
        .executableTarget(name: "Sample", dependencies: [.product(name: "BundledModel", package: "BundledModel")])
    ]
)
