// swift-tools-version:5.9
// Measures a GGUF on the device that runs the tests, and writes the lines that `edgeshrink profile --import` reads.
import PackageDescription

// The core has no dependency and builds anywhere; the rest needs llama.cpp's XCFramework, which only Apple has.
var targets: [Target] = [
    .target(name: "EdgeshrinkMeasure"),
    .testTarget(name: "EdgeshrinkMeasureTests", dependencies: ["EdgeshrinkMeasure"]),
]
#if !os(Linux)
targets += [
    .binaryTarget(name: "llama", path: "llama.xcframework"),
    .target(name: "EdgeshrinkLlama", dependencies: ["EdgeshrinkMeasure", "llama"]),
    .testTarget(
        name: "MeasureModel",
        dependencies: ["EdgeshrinkLlama"],
        resources: [.copy("Model")]
    ),
]
#endif

let package = Package(
    name: "EdgeshrinkMeasure",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "EdgeshrinkMeasure", targets: ["EdgeshrinkMeasure"])],
    targets: targets
)
