// A node as far as membership goes: the service, what it has told, and links that are function calls. S is 2 s here, as little
// as a ring computed without optimization leaves room for.

import HashRing
import Logging
import RingpostCore
import Synchronization
import TestSupport
import ZooKeeperClient

@testable import RingpostNode

/// One service under test.
final class MembershipNode: Sendable {
    static let sessionTimeoutMilliseconds = 2_000

    /// What the service has told so far.
    struct Told: Sendable {
        var identity: MemberIdentity?
        /// Whether each boot that became a member had a predecessor, in order.
        var registered: [(MemberIdentity, hadPredecessor: Bool)] = []
        var views: [MembershipView] = []
        var leases: [Lease] = []
        var alarms: [String] = []
        var revocations: [RevocationList] = []
        /// Log lines from warning on.
        var lines: [String] = []
        var failure: MembershipFailure?
        var hasEnded = false
    }

    let id: String
    let service: MembershipService
    private let state: Shared
    private let task: Task<Void, Never>

    private final class Shared: Sendable {
        let told = Mutex(Told())
    }

    /// Starts a service that joins the cluster at once.
    init(
        _ id: String, server: ZooKeeperServer, cluster: String = "test", weight: UInt16 = 1,
        sessionTimeoutMilliseconds: Int = MembershipNode.sessionTimeoutMilliseconds, credentials: ZooKeeperCredentials? = nil,
        network: MembershipNetwork? = nil, probe: @escaping @Sendable (Member) async -> ProbeResult = { _ in .refused },
        drainMilliseconds: Int64 = 0, disk: (keeper: TestKeeper, StoreDurability)? = nil, adding: (inout MembershipHooks) -> Void = { _ in }
    ) {
        self.id = id
        let state = Shared()
        self.state = state
        let me = Member(
            id: id, boot: 0, lineage: disk?.keeper.lineage ?? UInt64.random(in: 1...UInt64.max), disk: disk?.1, weight: weight,
            protocolVersion: 1,
            client: "\(id).test:1",
            api: "\(id).test:2", link: "\(id).test:3")
        var configuration = MembershipConfiguration(servers: server.connectString, cluster: cluster, me: me)
        configuration.sessionTimeoutMilliseconds = sessionTimeoutMilliseconds
        configuration.credentials = credentials
        configuration.drainMilliseconds = drainMilliseconds
        var hooks = MembershipHooks()
        hooks.onIdentity = { identity, _ in state.told.withLock { $0.identity = identity } }
        hooks.onRegistered = { identity, hadPredecessor in
            state.told.withLock { $0.registered.append((identity, hadPredecessor: hadPredecessor)) }
        }
        hooks.onView = { view in state.told.withLock { $0.views.append(view) } }
        hooks.onLease = { lease in state.told.withLock { $0.leases.append(lease) } }
        hooks.onRevocations = { list in state.told.withLock { $0.revocations.append(list) } }
        hooks.onAlarm = { alarm in state.told.withLock { $0.alarms.append(alarm) } }
        hooks.askPeers = { number, _ in network?.ask(from: id, queryNumber: number) }
        hooks.probe = probe
        adding(&hooks)
        let logger = Logger(label: "membership.\(id)") { _ in
            RecordedLog { line in state.told.withLock { $0.lines.append(line) } }
        }
        let service = MembershipService(configuration: configuration, hooks: hooks, keeper: disk?.keeper, logger: logger)
        self.service = service
        task = Task {
            do { try await service.run() } catch {
                state.told.withLock { $0.failure = error as? MembershipFailure }
            }
            state.told.withLock { $0.hasEnded = true }
        }
        network?.add(self)
    }

    deinit { task.cancel() }

    /// Ends the service without a goodbye, as far as a process can.
    func cancel() async {
        task.cancel()
        await task.value
    }

    var told: Told { state.told.withLock { $0 } }
    var view: MembershipView? { told.views.last }
    var lease: Lease? { told.leases.last }
    var revocations: RevocationList? { told.revocations.last }
    var own: Member? { view?.own }

    func takeWithdrawalLock() async -> WithdrawalMachine.LockAnswer {
        guard let identity = told.identity else { return .failed }
        return await service.takeWithdrawalLock(as: identity)
    }

    func releaseWithdrawalLock() async -> Bool {
        guard let identity = told.identity else { return false }
        return await service.releaseWithdrawalLock(of: identity)
    }

    /// Whether the node is a member with its weight, at an epoch with so many members with weight, and leased.
    func isSettled(members: Int) -> Bool {
        guard let view, let own = view.own, own.weight > 0 else { return false }
        return view.members.count { $0.weight > 0 } == members && lease?.state == .leased
    }
}

/// Links between nodes of one test, for questions about outages.
final class MembershipNetwork: Sendable {
    private let nodes = Mutex<[MembershipNode]>([])
    private let isCut = Mutex(false)

    func add(_ node: MembershipNode) { nodes.withLock { $0.append(node) } }
    func cut(_ cut: Bool) { isCut.withLock { $0 = cut } }

    /// Breaks the circle of nodes and network.
    func removeAll() { nodes.withLock { $0.removeAll() } }

    func ask(from id: String, queryNumber: UInt64) {
        if isCut.withLock({ $0 }) { return }
        let nodes = nodes.withLock { $0 }
        guard let asker = nodes.first(where: { $0.id == id }) else { return }
        for node in nodes where node.id != id {
            guard let identity = node.told.identity else { continue }
            asker.service.submit(
                .outageAnswered(
                    from: identity, queryNumber: queryNumber, epoch: node.view?.epoch ?? 0,
                    reachesZooKeeper: node.lease?.reachesZooKeeper ?? false))
        }
    }
}

/// A bare session, for what operators and other processes do to a cluster's znodes.
func openSession(_ server: ZooKeeperServer, credentials: ZooKeeperCredentials? = nil) async throws -> ZooKeeperSession {
    let flag = ConnectedFlag()
    let session = try ZooKeeperSession(
        servers: server.connectString, sessionTimeoutMilliseconds: 4_000, credentials: credentials,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) { event in
        if case .connected = event { flag.value.store(true, ordering: .relaxed) }
    }
    try await eventually(within: 20, "a connection to ZooKeeper") { flag.value.load(ordering: .relaxed) }
    return session
}

/// Keeps warnings and worse.
private struct RecordedLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .warning
    let record: @Sendable (String) -> Void

    init(_ record: @escaping @Sendable (String) -> Void) { self.record = record }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { record("\(event.message)") }
}

private final class ConnectedFlag: Sendable {
    let value = Atomic(false)
}
