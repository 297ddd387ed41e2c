// swift-tools-version:5.9
// Opens the model with llama.cpp, once the bundle's checks have passed, and answers questions.
import PackageDescription

// Where llama.cpp comes from: its XCFramework on Apple's systems, an installed libllama on Linux.
#if os(Linux)
let llama = Target.systemLibrary(name: "llama", path: "Linux/llama")
#else
let llama = Target.binaryTarget(name: "llama", path: "llama.xcframework")
#endif

let package = Package(
    name: "BundledModelLlama",
    platforms: [.iOS("16.4"), .macOS("13.3")],
    products: [.library(name: "BundledModelLlama", targets: ["BundledModelLlama"])],
    dependencies: [.package(path: "../BundledModel")],
    targets: [
        llama,
        .target(
            name: "BundledModelLlama",
            dependencies: [.product(name: "BundledModel", package: "BundledModel"), "llama"],
            resources: [.copy("engine.json")]
        ),
        .testTarget(name: "BundledModelLlamaTests", dependencies: ["BundledModelLlama"]),
        .testTarget(
            name: "BundledModelLlamaMeasure",
            dependencies: ["BundledModelLlama"],
            resources: [.copy("Session")]
        ),
    ]
)
