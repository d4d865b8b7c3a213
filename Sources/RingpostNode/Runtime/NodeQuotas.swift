// What all event loops of a node count together: connections, sockets by user and by address, memory. Looked at when somebody comes or goes,
// never on the way of a message.
import Glibc
import HashRing
import RingpostCore
import Synchronization

final class NodeQuotas: Sendable {
    /// As many connections as there are where the process may have more descriptors than anybody needs.
    private static let connectionsMax = 1_000_000
    /// Descriptors that the node keeps for itself: links, ZooKeeper, files.
    static let descriptorsKept = 512

    private let sockets: Mutex<ConnectionQuotas>
    private let room: Mutex<ConnectionRoom>
    private let proxies: TrustedProxies
    private let isFull = Atomic<Bool>(false)
    private let memoryBytesMax: Int
    private let resident = Atomic<Int>(0)
    private let isShort = Atomic<Bool>(false)
    private let isGivingBack = Atomic<Bool>(false)
    private let shedder: Mutex<MemoryShedder>

    /// - Parameter storeFiles: that the node's store may have open.
    init(limits: NodeLimits, shardCount: Int, proxies: TrustedProxies = .nobody, storeFiles: Int = 0) {
        self.proxies = proxies
        sockets = Mutex(
            ConnectionQuotas(
                perUser: limits.socketsPerUserMax, perAddress: limits.socketsPerAddressMax,
                ratePerAddress: limits.connectionsPerAddressPerSecond))
        let most = limits.connectionsMax ?? min(max(16, DescriptorLimit.now - Self.descriptorsKept - storeFiles), Self.connectionsMax)
        room = Mutex(ConnectionRoom(max: most, perAddress: limits.connectionsPerAddressMax))
        memoryBytesMax = limits.memoryBytesMax ?? Self.machineBytes / 4 * 3
        shedder = Mutex(MemoryShedder(bytesMax: memoryBytesMax, shardCount: shardCount))
    }

    // MARK: Connections

    /// One more; its place, unless it is refused.
    func open(_ port: ConnectionRoom.Port, peer: SourceAddress?) -> (ConnectionRoom.Answer, ConnectionRoom.Place?) {
        let source = proxies.connectionSource(peer)
        return room.withLock { $0.open(port, from: source) }
    }

    /// A proxy has said whom a connection is for; `nil` if that one has as many as it may.
    func name(_ place: ConnectionRoom.Place, _ source: SourceAddress) -> ConnectionRoom.Place? {
        guard let source = proxies.connectionSource(source) else { return place }
        return room.withLock { $0.name(place, source) }
    }

    func close(_ place: ConnectionRoom.Place) { room.withLock { $0.close(place) } }

    var connectionCount: Int { room.withLock { $0.count } }

    // MARK: Sockets

    func open(user: KeyHash?, address: SourceAddress?) -> ConnectionQuotas.Refusal? {
        sockets.withLock { $0.open(user: user, address: address) }
    }

    func close(user: KeyHash?, address: SourceAddress?) { sockets.withLock { $0.close(user: user, address: address) } }
    func onHandshake(_ address: SourceAddress?, now: Int64) -> Bool { sockets.withLock { $0.onHandshake(address, now: now) } }

    /// Users and source addresses with sockets.
    var counts: (users: Int, addresses: Int) { sockets.withLock { ($0.userCount, $0.addressCount) } }

    // MARK: Memory

    /// Nobody new is let in: it was not enough that those went who hold most.
    var isMemoryFull: Bool { isFull.load(ordering: .relaxed) }
    var residentBytes: Int { resident.load(ordering: .relaxed) }

    /// Once a second.
    func checkMemory() {
        guard let bytes = Self.residentBytes() else { return }
        resident.store(bytes, ordering: .relaxed)
        isFull.store(bytes > memoryBytesMax, ordering: .relaxed)
        let isShort = shedder.withLock { shedder in
            shedder.onResident(bytes, now: MonotonicClock.nowMilliseconds())
            return shedder.isShort
        }
        self.isShort.store(isShort, ordering: .relaxed)
    }

    /// Those who hold most have to go.
    var isMemoryShort: Bool { isShort.load(ordering: .relaxed) }

    func shed(_ claims: [MemoryClaim], ofShard shardIndex: Int, now: Int64) -> MemoryShedder.Plan {
        shedder.withLock { $0.plan(claims, ofShard: shardIndex, now: now) }
    }

    /// What was freed stays resident until the C library gives it back to the kernel. It looks through all heaps for that: not on an event
    /// loop.
    func giveBack() {
        if isGivingBack.exchange(true, ordering: .relaxed) { return }
        Task.detached { [self] in
            _ = Self.trimHeaps?(0)
            isGivingBack.store(false, ordering: .relaxed)
        }
    }

    /// `malloc_trim`, which Swift's module of the C library lacks.
    private static let trimHeaps: (@convention(c) (Int) -> Int32)? = dlsym(nil, "malloc_trim").map {
        unsafeBitCast($0, to: (@convention(c) (Int) -> Int32).self)
    }

    func onFreed(_ bytes: Int, now: Int64) { shedder.withLock { $0.onFreed(bytes, now: now) } }

    /// The second number in /proc/self/statm, in pages.
    private static func residentBytes() -> Int? {
        guard let text = firstLine("/proc/self/statm") else { return nil }
        let words = text.split(separator: " ")
        return words.count > 1 ? Int(words[1]).map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) } : nil
    }

    /// What the machine has, or what its control group may have, if that is less.
    private static var machineBytes: Int {
        let machine = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
        let group = firstLine("/sys/fs/cgroup/memory.max").flatMap { Int($0) }
        return min(machine, group ?? machine)
    }

    private static func firstLine(_ path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes = [CChar](repeating: 0, count: 256)
        guard fgets(&bytes, Int32(bytes.count), file) != nil else { return nil }
        let text = bytes.prefix { $0 != 0 && $0 != 0x0A }.map { UInt8(bitPattern: $0) }
        return String(decoding: text, as: UTF8.self)
    }
}
