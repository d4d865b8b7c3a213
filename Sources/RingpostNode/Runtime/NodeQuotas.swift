// What all event loops of a node count together: connections, sockets by user and by address, memory. Looked at when somebody comes or goes,
// never on the way of a message.
import Glibc
import HashRing
import RingpostCore
import Synchronization

/// What a new connection may do.
enum ConnectionAdmission {
    case open
    /// Ask once how the node is: whoever watches a full node must not take it for a dead one.
    case single
    /// Nothing.
    case refused
}

final class NodeQuotas: Sendable {
    /// Connections beyond the bound that may ask how the node is.
    static let singleConnectionsMax = 32
    /// Descriptors that the node keeps for itself: links, ZooKeeper, files.
    static let descriptorsKept = 512

    private let sockets: Mutex<ConnectionQuotas>
    private let connections = Atomic<Int>(0)
    private let connectionsMax: Int
    private let isFull = Atomic<Bool>(false)
    private let memoryBytesMax: Int
    private let resident = Atomic<Int>(0)

    init(limits: NodeLimits) {
        sockets = Mutex(
            ConnectionQuotas(
                perUser: limits.socketsPerUserMax, perAddress: limits.socketsPerAddressMax,
                ratePerAddress: limits.connectionsPerAddressPerSecond))
        connectionsMax = limits.connectionsMax ?? max(16, Self.descriptorsMax - Self.descriptorsKept)
        memoryBytesMax = limits.memoryBytesMax ?? Self.machineBytes / 4 * 3
    }

    // MARK: Connections

    /// One more, unless there are as many as there may be.
    func openConnection() -> ConnectionAdmission {
        let count = connections.add(1, ordering: .relaxed).newValue
        if count <= connectionsMax { return .open }
        if count <= connectionsMax + Self.singleConnectionsMax { return .single }
        connections.subtract(1, ordering: .relaxed)
        return .refused
    }

    func closeConnection() { connections.subtract(1, ordering: .relaxed) }

    var connectionCount: Int { connections.load(ordering: .relaxed) }

    // MARK: Sockets

    func open(user: KeyHash?, address: SourceAddress?) -> ConnectionQuotas.Refusal? {
        sockets.withLock { $0.open(user: user, address: address) }
    }

    func close(user: KeyHash?, address: SourceAddress?) { sockets.withLock { $0.close(user: user, address: address) } }
    func onHandshake(_ address: SourceAddress?, now: Int64) -> Bool { sockets.withLock { $0.onHandshake(address, now: now) } }

    /// Users and source addresses with sockets.
    var counts: (users: Int, addresses: Int) { sockets.withLock { ($0.userCount, $0.addressCount) } }

    // MARK: Memory

    /// Nobody new is let in.
    var isMemoryFull: Bool { isFull.load(ordering: .relaxed) }
    var residentBytes: Int { resident.load(ordering: .relaxed) }

    /// Once a second.
    func checkMemory() {
        guard let bytes = Self.residentBytes() else { return }
        resident.store(bytes, ordering: .relaxed)
        isFull.store(bytes > memoryBytesMax, ordering: .relaxed)
    }

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

    private static var descriptorsMax: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1_024 }
        return Int(clamping: limit.rlim_cur)
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
