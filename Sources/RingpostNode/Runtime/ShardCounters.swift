// The counters of one shard: plain numbers, used on its event loop. `/metrics` and `ring` add up those of all shards.
import RingpostCore

/// The transports, as they are named in counters and reports.
enum TransportKind: String, Sendable, CaseIterable, Codable {
    case webSocket = "ws"
    case eventStream = "sse"
    case poll

    var counterIndex: Int {
        switch self {
        case .webSocket: 0
        case .eventStream: 1
        case .poll: 2
        }
    }
}

/// The decision about a client that wanted in.
enum Admission: String, Sendable, CaseIterable {
    case admitted
    /// Told when to come back.
    case deferred
    /// Told to go elsewhere.
    case redirected

    var counterIndex: Int {
        switch self {
        case .admitted: 0
        case .deferred: 1
        case .redirected: 2
        }
    }
}

package struct ShardCounters: Sendable {
    var delivered: UInt64 = 0
    var stored: UInt64 = 0
    var dropped: UInt64 = 0
    var unknown: UInt64 = 0
    var repeated: UInt64 = 0
    var refused = [UInt64](repeating: 0, count: Problem.allCases.count)
    /// Messages written to sockets, by transport.
    var written = [UInt64](repeating: 0, count: TransportKind.allCases.count)
    /// Sockets that are open now, by transport; a poll counts while it waits.
    var sockets = [Int](repeating: 0, count: TransportKind.allCases.count)
    var opened = [UInt64](repeating: 0, count: TransportKind.allCases.count)
    var closed = [UInt64](repeating: 0, count: CloseReason.allCases.count)
    /// Clients that wanted in, by what became of them.
    private(set) var admissions = [UInt64](repeating: 0, count: Admission.allCases.count)
    var gaps: UInt64 = 0
    var reattached: UInt64 = 0
    /// Deliveries for attachments that are gone, and frames that did not continue a cursor.
    var staleDeliveries: UInt64 = 0
    /// Messages dropped because all subscriptions of a channel together were too slow: a subscription that misses one asks for it.
    var fanDropped: UInt64 = 0
    /// Subscriptions refused because a channel, a connection or a shard has as many as it may.
    var channelsRefused: UInt64 = 0
    /// Requests that could not be read, by status.
    var badRequests: [Int: UInt64] = [:]
    /// Refusals by limit.
    private(set) var limited = [UInt64](repeating: 0, count: Limit.allCases.count)
    /// What namespaces have refused, by reason.
    private(set) var namespaceRefused = [UInt64](repeating: 0, count: NamespaceRefusal.allCases.count)
    /// Refused tokens and API keys, by reason.
    private(set) var distrusted = [UInt64](repeating: 0, count: AuthError.allCases.count)
    /// Strangers, garbage and silence on the link port.
    var badLinks: UInt64 = 0
    /// TLS handshakes that failed, and TLS connections that broke otherwise than by their end.
    var tlsFailures: UInt64 = 0
    var handlerErrors: UInt64 = 0
    /// Writes, each with the bytes of a turn.
    package var writes: UInt64 = 0
    var linkReconnects: UInt64 = 0
    var latency = LatencyBuckets()
    var roundTrip = LatencyBuckets()

    mutating func count(_ result: PublishResult) {
        switch result {
        case .success(let receipt) where receipt.repeated: repeated += 1
        case .success(let receipt):
            switch receipt.outcome {
            case .delivered: delivered += 1
            case .stored: stored += 1
            case .dropped: dropped += 1
            case .unknown: unknown += 1
            }
        case .failure(let problem): refused[Problem.allCases.firstIndex(of: problem) ?? 0] += 1
        }
    }

    mutating func count(closed reason: CloseReason) { closed[CloseReason.allCases.firstIndex(of: reason) ?? 0] += 1 }

    func sockets(_ transport: TransportKind) -> Int { sockets[transport.counterIndex] }

    mutating func count(_ admission: Admission) { admissions[admission.counterIndex] += 1 }

    mutating func count(_ limit: Limit) { limited[Limit.allCases.firstIndex(of: limit) ?? 0] += 1 }

    /// What is counted elsewhere.
    mutating func add(_ count: UInt64, to limit: Limit) { limited[Limit.allCases.firstIndex(of: limit) ?? 0] += count }

    mutating func count(_ refusal: NamespaceRefusal) { add(1, to: refusal) }

    /// What is counted elsewhere.
    mutating func add(_ count: UInt64, to refusal: NamespaceRefusal) {
        namespaceRefused[NamespaceRefusal.allCases.firstIndex(of: refusal) ?? 0] += count
    }

    mutating func count(_ distrust: AuthError) { distrusted[AuthError.allCases.firstIndex(of: distrust) ?? 0] += 1 }

    static func += (one: inout ShardCounters, other: ShardCounters) {
        func add(_ path: WritableKeyPath<ShardCounters, UInt64>) { one[keyPath: path] += other[keyPath: path] }
        for path: WritableKeyPath<ShardCounters, UInt64> in [
            \.delivered, \.stored, \.dropped, \.unknown, \.repeated, \.gaps, \.reattached, \.staleDeliveries, \.badLinks, \.handlerErrors,
            \.writes, \.tlsFailures,
            \.linkReconnects, \.fanDropped, \.channelsRefused,
        ] { add(path) }
        for path: WritableKeyPath<ShardCounters, [UInt64]> in [
            \.refused, \.written, \.opened, \.closed, \.admissions, \.limited, \.distrusted, \.namespaceRefused,
        ] {
            for counterIndex in one[keyPath: path].indices { one[keyPath: path][counterIndex] += other[keyPath: path][counterIndex] }
        }
        for counterIndex in one.sockets.indices { one.sockets[counterIndex] += other.sockets[counterIndex] }
        one.badRequests.merge(other.badRequests, uniquingKeysWith: +)
        one.latency += other.latency
        one.roundTrip += other.roundTrip
    }
}

/// Durations in fixed buckets, as Prometheus wants them.
struct LatencyBuckets: Sendable {
    /// Upper bounds in microseconds.
    static let bounds: [Int64] = [
        50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000,
    ]
    /// One more than bounds: the last holds what is above all.
    private(set) var counts = [UInt64](repeating: 0, count: LatencyBuckets.bounds.count + 1)
    private(set) var sumMicroseconds: Int64 = 0

    mutating func record(microseconds: Int64) {
        let value = max(0, microseconds)
        var counterIndex = 0
        while counterIndex < Self.bounds.count, value > Self.bounds[counterIndex] { counterIndex += 1 }
        counts[counterIndex] += 1
        // What a peer sends back as its time may be anything.
        sumMicroseconds &+= value
    }

    static func += (one: inout LatencyBuckets, other: LatencyBuckets) {
        for counterIndex in one.counts.indices { one.counts[counterIndex] += other.counts[counterIndex] }
        one.sumMicroseconds &+= other.sumMicroseconds
    }
}
