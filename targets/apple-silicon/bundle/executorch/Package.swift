// swift-tools-version:5.9
// Opens the model with ExecuTorch, once the bundle's checks have passed, and answers questions.
import PackageDescription

/// ExecuTorch is published as branches, which move: this is one commit of the branch swiftpm-<version>.
let executorch = Package.Dependency.package(
    url: "https://github.com/pytorch/executorch.git",
    revision: "0000000000000000000000000000000000000000"
)
let products = [
    "executorch", "executorch_llm", "backend_coreml", "backend_xnnpack", "kernels_llm", "kernels_optimized",
    "kernels_quantized", "kernels_torchao",
]

let package = Package(
    name: "BundledModelExecuTorch",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "BundledModelExecuTorch", targets: ["BundledModelExecuTorch"])],
    dependencies: [.package(path: "../BundledModel"), executorch],
    targets: [
        .target(
            name: "BundledModelExecuTorch",
            dependencies: [.product(name: "BundledModel", package: "BundledModel")]
                + products.map { .product(name: $0, package: "executorch") },
            resources: [.copy("engine.json")],
            linkerSettings: [.linkedLibrary("c++"), .linkedFramework("Accelerate")]
        ),
        .testTarget(name: "BundledModelExecuTorchTests", dependencies: ["BundledModelExecuTorch"]),
    ]
)
