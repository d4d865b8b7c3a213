// Bounds of the lanes, and how a publish came to them.

/// Bounds of one event loop's lanes.
public struct LaneLimits: Sendable {
    /// Publishes that wait for a ring, a link or a refused predecessor; beyond it new ones are refused as overloaded.
    public var parkedMax = 16_384
    /// Bytes of payload that wait, likewise.
    public var parkedBytesMax = 32 * 1_024 * 1_024
    /// Publishes that were forwarded, or wait to be confirmed here, and are not answered yet.
    public var inFlightMax = 65_536
    /// Their payloads are kept until the answer, to be sent again.
    public var inFlightBytesMax = 64 * 1_024 * 1_024
    /// How long a refused lane waits before it tries again, unless a new ring comes earlier.
    public var retryMilliseconds: Int64 = 25

    /// The defaults.
    public init() {}
}

/// How a publish came to this loop.
public struct PublishContext: Hashable, Sendable {
    /// A publish makes at most two hops between nodes.
    public static let hopsMax: UInt8 = 2

    /// Where the answer goes.
    public let address: ReturnAddress
    /// Links it has crossed.
    public let hops: UInt8
    /// The sender's epoch; 0 where the publish entered here.
    public let epoch: UInt64
    /// The producer's connection or batch: a refusal on it also refuses what follows for that key, or for that slot where it
    /// is another node's link. 0 for single requests.
    public let stream: UInt64
    /// The producer begins again, in order, after a refusal; everything it sent for the key before has been answered.
    public let restarts: Bool

    /// A publish that entered here, unless more is said.
    public init(address: ReturnAddress, hops: UInt8 = 0, epoch: UInt64 = 0, stream: UInt64 = 0, restarts: Bool = false) {
        self.address = address
        self.hops = hops
        self.epoch = epoch
        self.stream = stream
        self.restarts = restarts
    }
}

extension PublishLanes {
    /// A publish with the number of its arrival here: what comes back refused takes its place again by it.
    struct Arrival {
        let publish: Publish
        let context: PublishContext
        let number: UInt64

        var slot: Int { publish.key.slot }

        /// What it is answered when something before it was refused.
        var refusalBehindAnother: Problem { publish.mayBeRepeat && context.hops == 0 ? .outcomeUnknown : .retry }

        /// The same once nobody can say whether it was appended.
        var asRepeat: Arrival {
            var copy = publish
            copy.mayBeRepeat = true
            return Arrival(publish: copy, context: context, number: number)
        }
    }

    struct Lane {
        /// Came back refused, in the order of arrival.
        var returned: [Arrival] = []
        /// Came while the lane was closed.
        var waiting: [Arrival] = []
        var notBefore: Int64 = 0
        var waitsForEpoch: UInt64 = 0
        /// Why it waits; the answer when a budget runs out here.
        var reason = Problem.retry

        var isEmpty: Bool { returned.isEmpty && waiting.isEmpty }

        mutating func wait(_ arrival: Arrival) {
            waiting.append(arrival)
            waitsForEpoch = max(waitsForEpoch, arrival.context.epoch)
        }

        /// Answers come in the order of arrival except when a budget ran out somewhere, so the search is short.
        mutating func requeue(_ arrival: Arrival) {
            var index = returned.count
            while index > 0, returned[index - 1].number > arrival.number { index -= 1 }
            returned.insert(arrival, at: index)
        }
    }

    struct Flight {
        let arrival: Arrival
        let peer: UInt32
    }
}
