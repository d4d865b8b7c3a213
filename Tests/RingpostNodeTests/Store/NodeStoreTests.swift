// A node's store at its start: what is refused, what a node without ZooKeeper finds again, and what a failure does.
import Foundation
import Glibc
import HashRing
import Logging
import RingpostCore
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct NodeStoreTests {
    private let folder: TemporaryFolder
    private var path: String { folder.file("data") }

    init() throws { folder = try TemporaryFolder("node-store") }

    private func context(
        _ id: String = "n1", cluster: String = "c", zookeeper: Bool = false, configure: (inout NodeConfiguration) -> Void = { _ in }
    ) throws -> NodeContext {
        var configuration = NodeConfiguration(id: id)
        configuration.cluster = cluster
        configuration.store = StoreConfiguration(path: path)
        if zookeeper { configuration.zookeeper = try ZooKeeperServers("127.0.0.1:1") }
        configure(&configuration)
        return NodeContext(configuration: configuration, shardCount: 1, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func refusal(_ context: NodeContext) async -> String? {
        do {
            await (try NodeStore.open(for: context))?.close()
            return nil
        } catch { return "\(error)" }
    }

    private func write(_ position: UInt64, term: UInt64, to context: NodeContext) async throws -> StoreFailure? {
        let store = try #require(context.store)
        let head = SlotHead(
            kind: .copy, term: term, position: position, fence: term + 1, origin: 9, set: LineageSet(number: 1, lineages: [1]))
        let tick = StoreTick(now: MonotonicClock.nowMilliseconds(), slots: [SlotWrite(slot: 3, head: head, changes: [])])
        return await withCheckedContinuation { continuation in
            if !store.write(tick, then: { continuation.resume(returning: $0) }) {
                continuation.resume(returning: StoreFailure("there is no room"))
            }
        }
    }

    @Test func withoutADirectoryThereIsNone() async throws {
        #expect(try await NodeStore.open(for: try context { $0.store = nil }) == nil)
    }

    @Test func aNodeAloneFindsItsRingAgain() async throws {
        let first = try context()
        let store = try #require(try await NodeStore.open(for: first))
        let ring = try #require(store.ring)
        #expect(ring.epoch == 0)
        #expect(try await write(1, term: 5, to: first) == nil)
        #expect(await store.close() == nil)
        let again = try #require(try await NodeStore.open(for: try context()))
        #expect(again.ring?.generation == ring.generation && again.ring?.seed == ring.seed)
        #expect(again.ring?.epoch == 6, "above all terms that the copies know of")
        #expect(again.lineage == store.lineage)
        #expect(again.removeHeads().keys.sorted() == [3] && again.removeHeads().isEmpty)
        await again.close()
        var facts = stat()
        #expect(stat(path + "/identity", &facts) == 0 && facts.st_mode & 0o777 == 0o600, "the seed is a secret")
        // Another cluster's ring is not this one's.
        let inCluster = try #require(try await NodeStore.open(for: try context(zookeeper: true)))
        await #expect(throws: MembershipFailure.self) { try await inCluster.willRegister(boot: 1, generation: ring.generation ^ 1) }
        await inCluster.close()
    }

    @Test func whatIsAnothersIsRefused() async throws {
        #expect(await refusal(try context()) == nil)
        for (other, word) in [(try context("n2"), "it belongs to the node n1"), (try context(cluster: "d"), "it belongs to the cluster")] {
            let sentence = try #require(await refusal(other))
            #expect(sentence.contains(word) && sentence.contains(path) && sentence.hasSuffix("(--data)"), "\(sentence)")
        }
        let holder = try #require(try await NodeStore.open(for: try context()))
        #expect(await refusal(try context())?.contains("the process \(getpid()) uses it") == true)
        await holder.close()
        #expect(await refusal(try context { $0.store = StoreConfiguration(path: "/dev/null/data") })?.contains("no directory") == true)
    }

    @Test func aBootIsKeptBeforeItIsRegistered() async throws {
        let store = try #require(try await NodeStore.open(for: try context(zookeeper: true)))
        #expect(store.ring == nil)
        try await store.willFound(generation: 4)
        #expect(!store.boots.contains(21))
        try await store.willRegister(boot: 21, generation: 5)
        try await store.willRegister(boot: 21, generation: 5)
        #expect(store.boots == [21])
        await #expect(throws: MembershipFailure.self, "it belongs to the ring that was there") { try await store.willFound(generation: 4) }
        await store.close()
        let sentence = try #require(await refusal(try context()))
        #expect(sentence.contains("it was used with ZooKeeper"), "\(sentence)")
    }

    @Test func theEndOfAStoreIsTheEndOfItsNode() async throws {
        let context = try context()
        let ends = Mutex<[String]>([])
        var hooks = NodeContext.Hooks()
        hooks.fail = { sentence in ends.withLock { $0.append(sentence) } }
        context.setHooks(hooks)
        let store = try #require(try await NodeStore.open(for: context))
        #expect(try await write(1, term: 5, to: context) == nil)
        // This process can't write the file any more: in its place is a folder.
        let marks = (Int32(0)..<1_024).filter {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path + "/acknowledged"
        }
        let mark = try #require(marks.first)
        let kept = fcntl(mark, F_DUPFD_CLOEXEC, 0)
        let other = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        #expect(dup2(other, mark) == mark)
        close(other)
        let failure = try #require(try await write(2, term: 5, to: context))
        #expect(failure.sentence.contains("has failed"))
        #expect(ends.withLock { $0 } == ["\(failure)"] && context.alarms == 1)
        dup2(kept, mark)
        close(kept)
        #expect(await store.close() == failure, "the node ends with its sentence")
    }

    @Test func revocationsOfANodeAloneLieBesideItsStore() throws {
        #expect(try context().configuration.revocationsFile == path + "/revocations.json")
        #expect(try context { $0.auth.revocationsFile = "/elsewhere" }.configuration.revocationsFile == "/elsewhere")
        #expect(try context(zookeeper: true).configuration.revocationsFile == nil)
        #expect(try context { $0.store = nil }.configuration.revocationsFile == nil)
    }
}
