// swift-tools-version: 6.2
import PackageDescription

// Arrows point down only: HashRing ← RingpostCore ← RingpostWire ← RingpostNode, RingpostClient ← ringpost;
// ZooKeeperClient ← RingpostNode; RocksStore, RingpostCore ← RingpostStore ← RingpostNode. TidyTests holds every import line against the dependencies named here.

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

/// Tests against whole nodes want them fast: a node has 65,536 slots, and without optimization a change of the ring takes seconds.
/// `cluster/test` asks for it. Not always, because a package with such flags can't be anybody's dependency.
/// Under `cluster/fuzz` libFuzzer wants to see every branch of the decoders instead.
let isFuzzing = Context.environment["RINGPOST_FUZZ"] != nil
let optimized: [SwiftSetting] =
    if isFuzzing {
        [.unsafeFlags(["-sanitize=fuzzer"])]
    } else if Context.environment["RINGPOST_OPTIMIZED"] != nil {
        [.unsafeFlags(["-O"])]
    } else {
        []
    }

/// libFuzzer comes with some toolchains only, and programs that are linked with it have another `main`.
let fuzzCommand: [Target] =
    isFuzzing
    ? [
        .systemLibrary(name: "CLibFuzzer", path: "Tests/Proofs/CLibFuzzer"),
        .executableTarget(
            name: "FuzzCommand", dependencies: ["Fuzzing", "CLibFuzzer"], path: "Tests/Proofs/FuzzCommand",
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]),
    ] : []

let package = Package(
    name: "ringpost",
    products: [
        .executable(name: "ringpost", targets: ["ringpost"]),
        .library(name: "HashRing", targets: ["HashRing"]),
        .library(name: "RingpostClient", targets: ["RingpostClient"]),
        .executable(name: "simulate", targets: ["SimulateCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .target(name: "HashRing", swiftSettings: optimized),
        .target(
            name: "RingpostCore",
            dependencies: ["HashRing", .product(name: "DequeModule", package: "swift-collections")], swiftSettings: optimized),
        .target(
            name: "RingpostWire",
            dependencies: ["HashRing", "RingpostCore", nioCore],
            swiftSettings: optimized),
        .systemLibrary(name: "CZooKeeper", providers: [.apt(["libzookeeper-mt-dev"])]),
        .target(name: "ZooKeeperClient", dependencies: ["CZooKeeper", logging]),
        .systemLibrary(name: "CRocksDB", providers: [.apt(["librocksdb-dev"])]),
        .target(name: "RocksStore", dependencies: ["CRocksDB"], swiftSettings: optimized),
        .target(name: "RingpostStore", dependencies: ["HashRing", "RingpostCore", "RocksStore", "CRocksDB"], swiftSettings: optimized),
        .target(
            name: "RingpostNode",
            dependencies: [
                "HashRing", "RingpostCore", "RingpostWire", "RingpostStore", "ZooKeeperClient", nioCore, nioPosix, logging,
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], swiftSettings: optimized),
        .target(
            name: "RingpostClient",
            dependencies: [
                "RingpostCore", "RingpostWire", nioCore, nioPosix, logging,
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ]),
        // Chat logs and what is held against them: for `ringpost replay`.
        .target(name: "RingpostReplay", dependencies: ["HashRing", "RingpostClient"]),
        .executableTarget(
            name: "ringpost",
            dependencies: [
                "HashRing", "RingpostCore", "RingpostWire", "RingpostNode", "RingpostClient", "RingpostReplay", logging,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ]),
        .testTarget(name: "HashRingTests", dependencies: ["HashRing"], exclude: ["ring-vectors.json"]),
        .testTarget(name: "RingpostCoreTests", dependencies: ["RingpostCore", "HashRing"]),
        .testTarget(
            name: "RingpostWireTests", dependencies: ["RingpostWire", "RingpostCore", "HashRing", "TestSupport", nioCore]),
        .target(
            name: "TestSupport", dependencies: [logging],
            path: "Tests/Support"),
        .testTarget(name: "ZooKeeperClientTests", dependencies: ["ZooKeeperClient", "TestSupport", logging]),
        .testTarget(name: "RocksStoreTests", dependencies: ["RocksStore", "TestSupport"]),
        .testTarget(
            name: "RingpostStoreTests",
            dependencies: ["RingpostStore", "RocksStore", "RingpostCore", "HashRing", "TestSupport", "store-proof"]),
        .testTarget(
            name: "RingpostNodeTests",
            dependencies: [
                "RingpostNode", "RingpostCore", "RingpostWire", "HashRing", "ZooKeeperClient", "TestSupport", nioCore, nioPosix, logging,
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ]),
        .testTarget(
            name: "RingpostClientTests",
            dependencies: [
                "RingpostClient", "RingpostCore", "RingpostWire", "TestSupport", nioCore, nioPosix,
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        .testTarget(name: "RingpostReplayTests", dependencies: ["RingpostReplay"]),
        .testTarget(
            name: "ClusterTests",
            dependencies: [
                "TestSupport", "torture", "RingpostClient", "RingpostCore", "RingpostWire", "HashRing", nioCore, nioPosix, logging,
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .executableTarget(
            name: "torture",
            dependencies: [
                "TestSupport", "RingpostClient", "RingpostReplay", "RingpostCore", "RingpostWire", "HashRing", nioCore, nioPosix,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Proofs/Torture"),
        // A whole cluster in one thread, for its tests and for cluster/simulate.
        .target(name: "Simulation", dependencies: ["HashRing", "RingpostCore"], path: "Tests/Proofs/Simulation"),
        // Writes into a store until it is killed or full, and measures one.
        .executableTarget(
            name: "store-proof",
            dependencies: [
                "RingpostStore", "RocksStore", "RingpostCore", "HashRing",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Proofs/StoreProof"),
        // What goes in over links, for cluster/bench.
        .executableTarget(
            name: "bench-producer",
            dependencies: [
                "RingpostClient", "RingpostCore", "RingpostNode", "RingpostWire", "HashRing", nioCore, nioPosix, logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Measurements/BenchProducer"),
        .executableTarget(
            name: "SimulateCommand",
            dependencies: ["Simulation", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Tests/Proofs/SimulateCommand"),
        .testTarget(name: "SimulationTests", dependencies: ["Simulation", "RingpostCore", "HashRing"]),
        // The small parts of a node, timed and counted: for cluster/bench and MicrobenchTests.
        .target(name: "CAllocationCounter", path: "Tests/Measurements/CAllocationCounter"),
        .executableTarget(
            name: "microbench",
            dependencies: [
                "CAllocationCounter", "HashRing", "RingpostCore", "RingpostWire", nioCore,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Measurements/Microbench", swiftSettings: optimized),
        .testTarget(name: "MicrobenchTests", dependencies: ["TestSupport", "microbench"]),
        // What must hold of every decoder of strangers' bytes, whatever they are: for its tests and for cluster/fuzz.
        .target(
            name: "Fuzzing", dependencies: ["RingpostWire", "RingpostCore", "HashRing", nioCore], path: "Tests/Proofs/Fuzzing",
            exclude: ["Corpus"], swiftSettings: optimized),
        .testTarget(name: "FuzzingTests", dependencies: ["Fuzzing", "HashRing"]),
        .testTarget(name: "TidyTests", dependencies: ["TestSupport"]),
    ] + fuzzCommand
)
