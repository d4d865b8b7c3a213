// A store in a folder that goes with the test.
import Foundation
import Glibc
import HashRing
import RingpostCore
import RocksStore
import Synchronization
import TestSupport
import Testing

@testable import RingpostStore

struct StoreFixture {
    static let hasher = KeyHasher(seed: SipKey(ascii: "store room tests"))

    let folder: TemporaryFolder
    var path: String { folder.file("data") }

    init() throws { folder = try TemporaryFolder("store") }

    func open(
        _ path: String? = nil, cluster: String = "c", node: String = "n1", generation: UInt64? = nil, durability: StoreDurability = .fsync,
        fresh: UInt64 = 1, now: Int64 = 1_000, onFailure: @escaping @Sendable (StoreFailure) -> Void = { _ in }
    ) throws -> OpenedStore {
        try SlotStore.open(
            path ?? self.path, for: StoreOwner(cluster: cluster, node: node, generation: generation), durability: durability, fresh: fresh,
            now: now, onFailure: onFailure)
    }

    /// The reason for which a directory is refused; `nil` if it isn't.
    func refusal(_ body: () throws -> OpenedStore) -> StoreRefusal? {
        do {
            try body().store.close()
            return nil
        } catch { return error as? StoreRefusal }
    }

    /// Writes with another process, which is killed: what it wrote last is in the log only. It is a store of the cluster `proof`.
    func writeAndDie(_ durability: StoreDurability = .fsync) async throws {
        let child = try ChildProcess(
            StoreProgram.path, arguments: ["write", path, "--durability", durability.rawValue], outputFile: folder.file("said"))
        try await eventually(within: 30, "it has acknowledged something") { child.output.utf8.count > 20_000 }
        child.kill()
        try await child.waitForExit(deadlineSeconds: 10)
    }

    /// The database without a store around it: what happens to it then, the store doesn't know of.
    func withDatabase(_ body: (RocksDatabase) throws -> Void) throws {
        let database = try RocksDatabase(StoreLimits.configuration(path + "/db", creates: false))
        defer { database.close() }
        try body(database)
    }

    /// Up to which change somebody was told that it is there.
    func mark() throws -> UInt64? { try AcknowledgedMark.read(path + "/acknowledged", in: path) }

    /// This process's open files of the store whose names end so can't be read nor written any more.
    func breakOpenFiles(_ suffix: String) throws -> BrokenFiles {
        let numbers = (Int32(0)..<1_024).filter { number in
            let name = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")
            return name?.hasPrefix(path + "/") == true && name?.hasSuffix(suffix) == true
        }
        try #require(!numbers.isEmpty)
        let broken = BrokenFiles(files: numbers.map { ($0, fcntl($0, F_DUPFD_CLOEXEC, 0)) })
        // A folder's is for neither.
        let other = Glibc.open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        for number in numbers { try #require(dup2(other, number) == number) }
        close(other)
        return broken
    }

    func breakMark() throws -> BrokenFiles { try breakOpenFiles("/acknowledged") }

    /// See ``breakOpenFiles(_:)``.
    struct BrokenFiles {
        fileprivate let files: [(number: Int32, kept: Int32)]

        func mend() {
            for (number, kept) in files {
                dup2(kept, number)
                close(kept)
            }
        }
    }

    static func key(_ name: String) throws -> Key { try Key(.user, name: Array(name.utf8), hasher: hasher) }

    static func head(_ position: UInt64, kind: SlotHead.Kind = .copy) -> SlotHead {
        SlotHead(kind: kind, term: 3, position: position, fence: 4, origin: 9, set: LineageSet(number: 3, lineages: [1, 2]))
    }

    /// A tick with one message, which is as large as a store keeps in files of messages.
    static func tick(_ name: String, _ sequence: UInt64, now: Int64 = 1_000, until: Int64? = nil) throws -> StoreTick {
        let key = try key(name)
        let id = MessageID(high: key.hash.rawValue, low: sequence)
        let message = StoredMessage(sequence: sequence, envelope: Array(repeating: UInt8(ascii: "x"), count: 600), id: id)
        let remembered = until.map {
            Remembered(
                receipt: Receipt(sequence: sequence, epoch: 3, owner: "n1", outcome: .stored, mirrored: true, id: id), until: $0)
        }
        return StoreTick(
            now: now,
            slots: [
                SlotWrite(
                    slot: key.slot, head: head(sequence), changes: [.step(.message(key, incarnation: 7, message, remembered))])
            ])
    }

    /// All files below the folder and what is in them.
    func files() throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in FileManager.default.enumerator(atPath: folder.path)?.compactMap({ $0 as? String }) ?? [] {
            if let data = FileManager.default.contents(atPath: folder.file(name)) { files[name] = data }
        }
        return files
    }

    /// Files of the database whose names end so.
    func databaseFiles(_ suffix: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/db").filter { $0.hasSuffix(suffix) }.sorted().map {
            path + "/db/" + $0
        }
    }

    static func flip(_ path: String, at offset: Int) throws {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[offset] ^= 0x10
        try bytes.write(to: URL(fileURLWithPath: path))
    }

    static func size(_ path: String) throws -> Int { try Data(contentsOf: URL(fileURLWithPath: path)).count }
}

extension SlotStore {
    /// Writes a tick, and waits until it is there.
    func write(_ tick: StoreTick) async -> StoreFailure? {
        await withCheckedContinuation { continuation in
            if !write(tick, then: { continuation.resume(returning: $0) }) { continuation.resume(returning: StoreFailure("no room")) }
        }
    }

    func load(_ name: String, head: SlotHead, now: Int64 = 1_000) async throws -> [SnapshotItem] {
        let request = SlotLoad(
            slot: try StoreFixture.key(name).slot, head: head, now: now, hasher: StoreFixture.hasher, limits: StoredHistoryLimits(),
            chunkBytesMax: 1_024)
        let slot: StoredSlot = try await withCheckedThrowingContinuation { continuation in
            if !load(request, then: { continuation.resume(with: $0) }) { continuation.resume(throwing: StoreFailure("no room")) }
        }
        return slot.chunks.flatMap(\.items)
    }
}
