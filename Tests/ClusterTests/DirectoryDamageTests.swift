// A data directory of which files are cut, changed or missing: a node says what is wrong and what to do, deletes nothing, and shows nothing that
// may not be so.

import Foundation
import Glibc
import TestSupport
import Testing

/// Something that happens to a data directory while no process has it.
struct DirectoryDamage: Sendable, CustomTestStringConvertible {
    enum Outcome: Sendable {
        /// The node ends, and says this.
        case refused(String)
        /// The node says this, and goes on as a new store: clients are told `gap`.
        case lost(String)
        /// The node goes on; of what it can't read, clients are told `gap`.
        case unreadable
    }

    let testDescription: String
    /// The node had stopped in order; else it was killed.
    let isClosed: Bool
    let outcome: Outcome
    let apply: @Sendable (_ directory: String) throws -> Void

    private init(
        _ name: String, afterKill: Bool = false, _ outcome: Outcome, _ apply: @escaping @Sendable (_ directory: String) throws -> Void
    ) {
        (testDescription, isClosed, self.outcome, self.apply) = (name, !afterKill, outcome, apply)
    }

    private static let identity = "its file identity is not as it was written. Move it away"
    private static let mark = "its file acknowledged is missing or damaged"
    private static let noDatabase = "its folder db has no database any more. Move it away"
    private static let damaged = "files of its database are damaged"
    private static let missing = "files of its database are missing"

    static let all = [
        DirectoryDamage("identity cut", .refused(identity)) { try cut($0 + "/identity") },
        DirectoryDamage("identity flipped", .refused(identity)) { try flip($0 + "/identity") },
        DirectoryDamage("identity missing", .refused("but no file identity that says whose. Move it away")) {
            try remove($0 + "/identity")
        },
        DirectoryDamage("a newer format", .refused("it has format 2, and this program knows up to 1. Start the newer program")) {
            let text = try String(contentsOfFile: $0 + "/identity", encoding: .utf8)
            try text.replacing("\"format\" : 1", with: "\"format\" : 2").write(toFile: $0 + "/identity", atomically: true, encoding: .utf8)
        },
        DirectoryDamage("acknowledged cut", .lost(mark)) { try cut($0 + "/acknowledged") },
        DirectoryDamage("acknowledged flipped", .lost(mark)) { try flip($0 + "/acknowledged") },
        DirectoryDamage("acknowledged missing", .lost(mark)) { try remove($0 + "/acknowledged") },
        DirectoryDamage("db missing", .refused(noDatabase)) { try remove($0 + "/db") },
        DirectoryDamage("CURRENT missing", .refused(noDatabase)) { try remove($0 + "/db/CURRENT") },
        DirectoryDamage("manifest flipped", .refused(damaged)) { try flip(file("MANIFEST", in: $0)) },
        DirectoryDamage("manifest missing", .refused(missing)) { try remove(file("MANIFEST", in: $0)) },
        DirectoryDamage("table missing", .refused(missing)) { try remove(file(".sst", in: $0)) },
        DirectoryDamage("table cut", .refused(damaged)) { try cut(file(".sst", in: $0)) },
        DirectoryDamage("messages missing", .unreadable) { try remove(file(".blob", in: $0)) },
        DirectoryDamage("messages flipped", .unreadable) { try flip(file(".blob", in: $0)) },
        DirectoryDamage("log flipped", afterKill: true, .refused(damaged)) { try flip(file(".log", in: $0)) },
        DirectoryDamage("log cut", afterKill: true, .lost("the end of its log is missing")) { try cut(file(".log", in: $0)) },
        DirectoryDamage("log missing", afterKill: true, .lost("the end of its log is missing")) { try remove(file(".log", in: $0)) },
    ]

    // MARK: Files

    /// The largest file of the database of that name.
    private static func file(_ part: String, in directory: String) throws -> String {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory + "/db").filter { $0.contains(part) }
        let sized = try names.map { (directory + "/db/" + $0, try Data(contentsOf: URL(fileURLWithPath: directory + "/db/" + $0)).count) }
        guard let largest = sized.max(by: { $0.1 < $1.1 }), largest.1 > 0 else { throw HarnessError("no \(part) in \(directory)") }
        return largest.0
    }

    private static func cut(_ path: String) throws {
        let size = try Data(contentsOf: URL(fileURLWithPath: path)).count
        guard truncate(path, size / 2) == 0 else { throw HarnessError("\(path) can't be cut") }
    }

    private static func flip(_ path: String) throws {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[bytes.count / 2] ^= 0x10
        // Into the same file: the place of a directory is not to change.
        try bytes.write(to: URL(fileURLWithPath: path))
    }

    private static func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }

    /// All files below a folder with what is in them, but for RocksDB's own log and locks.
    static func files(in directory: String) -> [String: Data] {
        var files: [String: Data] = [:]
        for name in FileManager.default.enumerator(atPath: directory)?.compactMap({ $0 as? String }) ?? [] {
            let last = name.split(separator: "/").last ?? ""
            if last.hasPrefix("LOG") || last == "LOCK" || last == "lock" { continue }
            files[name] = FileManager.default.contents(atPath: directory + "/" + name)
        }
        return files
    }
}

extension ClusterTests {
    @Suite struct DirectoryDamageTests {
        private let folder: TemporaryFolder
        private var path: String { folder.file("data") }

        init() throws { folder = try TemporaryFolder("directory-damage") }

        @Test(arguments: DirectoryDamage.all) func aDamagedDirectoryIsSaidToBe(damage: DirectoryDamage) async throws {
            let node = try await NodeProcess.alone(options: ["--data", path])
            let padding = String(repeating: "x", count: 1_000)
            for number in 0..<20 { try await node.publish("\(number) \(padding)", to: "alice") }
            let before = try await node.poll("user=alice&since=earliest&wait=0").messages
            try #require(before.count == 20)
            if damage.isClosed {
                node.terminate()
                #expect(try await node.waitForExit(seconds: 60) == 0, "\(node.log)")
            } else {
                node.kill()
            }
            try damage.apply(path)
            let files = DirectoryDamage.files(in: path)
            let said = node.log.count
            try node.launch()
            switch damage.outcome {
            case .refused(let words):
                #expect(try await node.waitForExit(seconds: 60) == 1)
                let last = node.log.dropFirst(said).split(separator: "\n").last.map(String.init) ?? ""
                #expect(last.contains("The data directory \(path) is not used: ") && last.contains(words), "\(last)")
                #expect(last.hasSuffix("Nothing in it was deleted. (--data)"), "\(last)")
                let after = DirectoryDamage.files(in: path)
                for (name, content) in files { #expect(after[name] == content, "\(name) is as it was") }
            case .lost(let words):
                try await node.waitUntilReady()
                let log = String(node.log.dropFirst(said))
                #expect(log.contains("The data directory \(path) has lost something: ") && log.contains(words), "\(log)")
                try await goesOnAnew(node, after: before, alarm: "store_lost")
            case .unreadable:
                try await node.waitUntilReady()
                try await goesOnAnew(node, after: before, alarm: "store_damaged")
                #expect(node.log.dropFirst(said).contains("can't be read"), "\(node.log)")
            }
        }

        /// Whoever resumes is told, nothing old is shown as if it were whole, and what comes now is kept.
        private func goesOnAnew(_ node: NodeProcess, after before: [Message], alarm: String) async throws {
            let resumed = try await node.poll("user=alice&since=\(before[9].cursor)&wait=0")
            #expect(resumed.gap == true && resumed.messages.isEmpty, "\(resumed)")
            try await node.publish("anew", to: "alice")
            #expect(try await node.metrics()["ringpost_alarm{kind=\"\(alarm)\"}"] == 1)
            node.kill()
            try await node.start()
            #expect(try await node.poll("user=alice&since=\(resumed.cursor)&wait=0").messages.map(\.data) == ["anew"])
        }
    }
}
