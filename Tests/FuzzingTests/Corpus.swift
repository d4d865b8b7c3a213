// The inputs that the fuzzers begin with: what real clients, producers and nodes have sent, in Tests/Proofs/Fuzzing/Corpus.
import Foundation

enum Corpus {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Proofs/Fuzzing/Corpus")

    /// The files of one decoder in the order of their names.
    static func files(_ name: String) throws -> [[UInt8]] {
        try FileManager.default.contentsOfDirectory(at: folder.appendingPathComponent(name), includingPropertiesForKeys: nil)
            .sorted { $0.lastPathComponent < $1.lastPathComponent }.map { Array(try Data(contentsOf: $0)) }
    }
}
