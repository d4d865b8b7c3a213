// The working copy that the checks look at. The checks themselves are functions on strings and know nothing of it.
import Foundation

enum Repository {
    struct File {
        /// Relative to the root, with slashes.
        var path: String
        var isExecutable: Bool
        /// nil where the bytes are no UTF-8.
        var text: String?
    }

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// What git tracks or would add; without git, what lies here except for what .gitignore names.
    static let files: [File] = (Self.pathsFromGit() ?? Self.pathsByWalking()).sorted().compactMap { path in
        let url = Self.root.appendingPathComponent(path)
        // A file that was removed but not yet from git's index is none.
        guard let data = try? Data(contentsOf: url) else { return nil }
        let isExecutable = FileManager.default.isExecutableFile(atPath: url.path)
        return File(path: path, isExecutable: isExecutable, text: String(bytes: data, encoding: .utf8))
    }

    /// Swift files below a folder, which must have some: a check of nothing would pass silently.
    static func swiftFiles(in folder: String) -> [File] {
        let found = self.files.filter { $0.path.hasPrefix(folder + "/") && $0.path.hasSuffix(".swift") }
        precondition(!found.isEmpty, "no Swift files in \(self.root.path)/\(folder)")
        return found
    }

    /// The README and what it leads to; some must be there.
    static let documents: [File] = {
        let found = Self.files.filter { $0.path.hasSuffix(".md") }
        precondition(!found.isEmpty, "no documents in \(Self.root.path)")
        return found
    }()

    private static func pathsFromGit() -> [String]? {
        let git = Process()
        git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        git.arguments = ["git", "-C", self.root.path, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        let output = Pipe()
        git.standardOutput = output
        git.standardError = FileHandle.nullDevice
        guard (try? git.run()) != nil else { return nil }
        let data = output.fileHandleForReading.readDataToEndOfFile()
        git.waitUntilExit()
        let paths = Set(data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
        return git.terminationStatus == 0 && !paths.isEmpty ? Array(paths) : nil
    }

    private static func pathsByWalking() -> [String] {
        guard let walk = FileManager.default.enumerator(atPath: self.root.path) else { return [] }
        var paths: [String] = []
        for case let path as String in walk {
            if path == ".git" || path.hasPrefix(".build") || path == "cluster/.run" {
                walk.skipDescendants()
            } else if path != "Package.resolved", walk.fileAttributes?[.type] as? FileAttributeType == .typeRegular {
                paths.append(path)
            }
        }
        return paths
    }
}
