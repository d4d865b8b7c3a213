// A folder that goes when its owner goes. If the test process dies it stays behind under the system's temporary folder; its name says
// which process left it.

import Foundation

/// A new, empty folder, removed with everything in it by `remove()` or with the last reference.
public final class TemporaryFolder: Sendable {
    /// The folder's absolute path, without a slash at the end.
    public let path: String

    /// Makes a folder whose name contains `name`, the process and something random.
    public init(_ name: String = "test") throws {
        let leaf = "ringpost-\(name)-\(getpid())-\(UUID().uuidString.prefix(8))"
        path = FileManager.default.temporaryDirectory.appendingPathComponent(leaf).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        remove()
    }

    /// The path of something in this folder.
    public func file(_ name: String) -> String {
        "\(path)/\(name)"
    }

    /// Writes a file in this folder and returns its path.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String {
        try text.write(toFile: file(name), atomically: true, encoding: .utf8)
        return file(name)
    }

    /// Removes the folder now. What can't be removed stays: a test does not fail for its rubbish.
    public func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }
}
