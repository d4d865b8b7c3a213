// A node's store of copies: opened before the node listens, held against what ZooKeeper says of it, handed to the shards, closed at the end. What a
// store is and promises stands in RingpostStore; here is when it is asked for what, on a thread that may wait for a disk.
import Dispatch
import HashRing
import Logging
import RingpostCore
import RingpostStore
import ServiceLifecycle
import Synchronization

final class NodeStore: Sendable {
    private struct Held {
        var lineage: UInt64
        var heads: [Int: SlotHead]
        /// The highest epoch that they have seen.
        var epoch: UInt64

        init(lineage: UInt64, heads: [Int: SlotHead]) {
            (self.lineage, self.heads, epoch) = (lineage, heads, SlotHead.epoch(of: heads.values))
        }
    }

    private let store: SlotStore
    private let context: NodeContext
    private let held: Mutex<Held>
    /// Without ZooKeeper, the cluster that this node is.
    let ring: LoneRing?

    private init(_ opened: OpenedStore, ring: LoneRing?, _ context: NodeContext) {
        store = opened.store
        self.context = context
        self.ring = ring
        held = Mutex(Held(lineage: opened.lineage, heads: opened.heads))
    }

    // MARK: Opening

    /// Opens the store that the configuration names; `nil` when it names none.
    ///
    /// - Throws: why the directory can't be used.
    static func open(for context: NodeContext) async throws(NodeError) -> NodeStore? {
        guard let wanted = context.configuration.store else { return nil }
        let owner = StoreOwner(cluster: context.configuration.cluster, node: context.configuration.id)
        let limits = context.configuration.limits.mailbox
        let isAlone = context.configuration.zookeeper == nil
        let (opened, ring) = try await refusing {
            let opened = try SlotStore.open(
                wanted.path, for: owner, durability: wanted.durability, fresh: random(), now: MonotonicClock.nowMilliseconds(),
                limits: limits
            ) { failure in context.onStoreFailure(failure) }
            do { return (opened, isAlone ? try loneRing(opened) : nil) } catch {
                opened.store.close()
                throw error
            }
        }
        context.setStore(opened.store)
        context.logger.info(
            "data directory",
            metadata: [
                "path": "\(wanted.path)", "lineage": "\(opened.lineage.hexadecimal)", "slots": "\(opened.heads.count)",
                "durability": "\(wanted.durability.rawValue)", "new": "\(opened.isNew)",
            ])
        if let loss = opened.loss {
            context.tellLoss(
                "The data directory \(wanted.path) has lost something: \(loss). What is in it is not certain any more; the node goes on as a new "
                    + "store\(isAlone ? ", its histories begin anew, and clients are told gap" : ", and gets its copies from others").")
        }
        return NodeStore(opened, ring: ring, context)
    }

    /// The ring of a node without ZooKeeper is the same after each start. Its epochs are not: they are terms, and go on above all that was.
    private static func loneRing(_ opened: OpenedStore) throws -> LoneRing {
        let bytes = [random(), random()].flatMap { word in withUnsafeBytes(of: word) { Array($0) } }
        guard let seed = SipKey(bytes: bytes) else { preconditionFailure("\(bytes.count) bytes are no key") }
        let kept = try opened.store.settle(alone: random(), seed: seed)
        let epoch = opened.heads.values.lazy.map { max($0.term, $0.fence) }.max() ?? 0
        return LoneRing(seed: kept.seed, generation: kept.generation, epoch: epoch)
    }

    private static func random() -> UInt64 {
        var random = SystemRandomNumberGenerator()
        return random.next()
    }

    // MARK: Whose it is

    var lineage: UInt64 { held.withLock { $0.lineage } }

    /// Holds the store against the cluster and the roster, before anybody can be told of this node. Waits until ZooKeeper answers.
    ///
    /// - Returns: false when the node was told to end meanwhile.
    /// - Throws: that the store is another cluster's, or that it fails.
    func settle() async throws -> Bool {
        guard let servers = context.configuration.zookeeper else { return true }
        let paths = ClusterPaths(cluster: context.configuration.cluster, chroot: servers.chroot)
        let id = context.configuration.id
        let claim = LineageClaim(lineage: lineage, boots: store.boots, epoch: epoch)
        var hasWaited = false
        while true {
            guard let record = await FreshSession.record(of: id, paths, servers, context.configuration.zookeeperCredentials, context.logger)
            else {
                return false
            }
            // The membership is shut out too, and says so.
            guard case .read(let ring, let entry, let list) = record else { return true }
            // Without a ring the roster says nothing either: the membership waits for one, or ends, and gives nothing up.
            guard let ring, let document = try? ClusterDocument(json: ring, znode: paths.ring) else { return true }
            let store = store
            try await Self.refusing { try store.settle(generation: document.generation) }
            let epoch = list.map { document.epochBase &+ $0 }
            guard let objection = claim.objection(entry, znode: paths.roster(id), list: epoch) else { return true }
            if case .olderList = objection, !hasWaited {
                hasWaited = true
                await waitForThoseThatRun()
                continue
            }
            try await begin(because: objection.sentence)
            return true
        }
    }

    /// They may be about to put the ring back as it was, and then nothing has to be given up.
    private func waitForThoseThatRun() async {
        context.logger.notice(
            "ZooKeeper holds an older state than the data directory has seen; waiting for nodes that run to put back what it has lost")
        await cancelWhenGracefulShutdown { try? await Task.sleep(for: .milliseconds(LineageClaim.putBackMilliseconds)) }
    }

    private func begin(because objection: String) async throws(NodeError) {
        let (store, lineage) = (store, Self.random())
        let heads = try await Self.refusing { try store.begin(lineage: lineage) }
        let hadCopies = held.withLock { held in
            defer { held = Held(lineage: lineage, heads: heads) }
            return held.heads.values.contains { $0.kind == .copy }
        }
        // A node that has left in order has nothing that anybody misses.
        guard hadCopies else {
            context.logger.notice("a new lineage", metadata: ["why": "\(objection)", "lineage": "\(lineage.hexadecimal)"])
            return
        }
        context.tellLoss(
            "What the data directory \(store.path) holds counts no more: \(objection). The node goes on as a new store, with the lineage "
                + "\(lineage.hexadecimal), and gets its copies from others.")
    }

    // MARK: The shards

    /// The heads of all slots, which nobody needs twice.
    func removeHeads() -> [Int: SlotHead] {
        held.withLock { held in
            defer { held.heads = [:] }
            return held.heads
        }
    }

    /// Gives a shard what it keeps. On its event loop, before it starts.
    func serve(_ shard: Shard, _ heads: [Int: SlotHead]) {
        let count = context.shardCount
        shard.serve(store: store, lineage: lineage, heads: heads.filter { $0.key % count == shard.index })
    }

    // MARK: The end

    /// A disk that takes no longer than this has its time at the end; one that hangs must not hold up the process.
    private static let closeSecondsMax = 30

    /// Puts the store down, when no shard writes any more.
    ///
    /// - Returns: what has gone wrong with it, now or before.
    @discardableResult
    func close() async -> StoreFailure? {
        let store = store
        let (ends, inbox) = AsyncStream.makeStream(of: StoreFailure?.self)
        Self.queue.async { inbox.yield(store.close()) }
        let limit = Task {
            try await Task.sleep(for: .seconds(Self.closeSecondsMax))
            inbox.yield(StoreFailure("The store in \(store.path) could not be put down within \(Self.closeSecondsMax) s."))
        }
        defer { limit.cancel() }
        for await end in ends { return end }
        return nil
    }

    // MARK: Waiting for the disk

    private static let queue = DispatchQueue(label: "ringpost.store", attributes: .concurrent)

    private static func blocking<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in queue.async { continuation.resume(returning: body()) } }
    }

    /// What is wrong with the store is a sentence for whoever has started the node.
    private static func refusing<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws(NodeError) -> Value {
        do { return try await blocking { Result { try body() } }.get() } catch { throw NodeError("\(error) (--data)") }
    }
}

extension NodeStore: LineageKeeper {
    var boots: Set<UInt64> { store.boots }
    var epoch: UInt64 { held.withLock { $0.epoch } }

    func willFound(generation: UInt64) async throws(MembershipFailure) {
        guard let own = store.generation, own != generation else { return }
        throw MembershipFailure(
            message: "there is no ring in ZooKeeper, and the data directory \(store.path) belongs to one of generation \(own.hexadecimal). "
                + "If ZooKeeper has lost its data, bring that back; else move the directory away and start with an empty one (--data)")
    }

    func willRegister(boot: UInt64, generation: UInt64) async throws(MembershipFailure) {
        let store = store
        do throws(NodeError) {
            try await Self.refusing {
                try store.settle(generation: generation)
                if !store.knows(boot: boot) { try store.remember(boot: boot) }
            }
        } catch { throw MembershipFailure(message: error.description) }
    }
}
