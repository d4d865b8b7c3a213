// What leaves a node with a store, and when. What follows from a change waits until the change is in the store: acknowledgements to owners,
// answers, deliveries, copies. So whoever has heard of something will find it again, whatever ends the process. To everybody else it is as if
// the network were a little slower, and the machine's rules hold for any network.
import DequeModule

/// Holds a shard's actions until the tick that they follow from is in the store. Ticks are numbered from 1.
public struct StoreGate: Sendable {
    /// Bytes that wait for the store, of ticks and of what they lead to; beyond it no publish is taken. What comes from other owners is bounded
    /// by what these have uncommitted.
    public static let bytesMax = 32 * 1_024 * 1_024
    /// A store that has not written a tick for so long has failed, though it gives no error: twice as long as any publish waits for its answer.
    public static let waitMillisecondsMax: Int64 = 2 * Publish.budgetMillisecondsMax
    /// Ticks come a hundred times as often: who had none for so long stood still.
    static let pauseMillisecondsMin: Int64 = 1_000
    /// What an action takes at least.
    private static let actionBytes = 128

    private struct Held {
        let tick: UInt64
        let action: ShardAction

        var bytes: Int { StoreGate.actionBytes + action.heldBytes }
    }

    private var held: Deque<Held> = []
    /// Frames to each peer that are held: a step must not come before them.
    private var heldFrames: [UInt32: Int] = [:]
    /// The ticks that were handed over, and of these the ones that are in the store.
    private var handedOver: UInt64 = 0
    private var stored: UInt64 = 0
    /// The ticks between these two, in their order.
    private var underWay: Deque<(bytes: Int, since: Int64)> = []
    private var bytes = 0
    private var hasFailed = false
    private var lastTick: Int64?

    /// A gate of which everything goes through.
    public init() {}

    /// Actions that are held.
    public var count: Int { held.count }
    /// No publish should be taken.
    public var isFull: Bool { bytes > Self.bytesMax }
    /// An action of the machine.
    ///
    /// - Parameter hasChanges: something has changed that was not handed over; the action may follow from it.
    /// - Returns: whether it is to be performed now; otherwise it is held, or, where the store has failed, said to nobody.
    public mutating func admit(_ action: ShardAction, hasChanges: Bool) -> Bool {
        let tick = tick(hasChanges: hasChanges)
        if !action.tells { return true }
        if hasFailed { return false }
        if tick <= stored, held.isEmpty { return true }
        if case .send(let peer, let frame) = action {
            // A holder may have a step before its owner has: a log that is longer there is gone on from.
            if case .append = frame, heldFrames[peer] == nil { return true }
            heldFrames[peer, default: 0] += 1
        }
        held.append(Held(tick: tick, action: action))
        bytes += Self.actionBytes + action.heldBytes
        return false
    }

    /// A tick is on its way to the store.
    public mutating func handOver(bytes: Int, now: Int64) {
        handedOver += 1
        underWay.append((bytes, now))
        self.bytes += bytes
    }

    /// One more tick is in the store.
    public mutating func onStored() {
        stored += 1
        bytes -= underWay.popFirst()?.bytes ?? 0
    }

    /// In every tick. While the process stood still nobody looked at the store either: that time does not count as the store's.
    public mutating func onTick(now: Int64) {
        defer { lastTick = now }
        guard let lastTick, now - lastTick > Self.pauseMillisecondsMin else { return }
        for index in underWay.indices { underWay[index].since += now - lastTick }
    }

    /// For how long the oldest tick has waited.
    public func waitMilliseconds(now: Int64) -> Int64 { underWay.first.map { now - $0.since } ?? 0 }

    /// Whether it has waited for too long.
    public func isStuck(now: Int64) -> Bool { waitMilliseconds(now: now) > Self.waitMillisecondsMax }

    /// The tick with which everything is in the store that has changed up to now.
    ///
    /// - Parameter hasChanges: something has changed that was not handed over.
    public func tick(hasChanges: Bool) -> UInt64 { hasChanges ? handedOver + 1 : handedOver }

    /// Whether a tick is in the store.
    public func hasStored(_ tick: UInt64) -> Bool { tick <= stored }

    /// The store has failed: nothing that waits for it, or comes from now on, is said to anybody.
    public mutating func fail() {
        hasFailed = true
        (held, heldFrames, bytes) = ([], [:], 0)
    }

    /// What was to be said on a link goes with it: on the next one all is said again.
    public mutating func linkIsDown(_ link: UInt32) {
        guard heldFrames.removeValue(forKey: link) != nil else { return }
        let kept = held.filter { if case .send(link, _) = $0.action { false } else { true } }
        bytes -= held.reduce(0) { $0 + $1.bytes } - kept.reduce(0) { $0 + $1.bytes }
        held = kept
    }

    /// The next action whose tick is in the store.
    public mutating func next() -> ShardAction? {
        guard let first = held.first, first.tick <= stored else { return nil }
        held.removeFirst()
        bytes -= first.bytes
        if case .send(let peer, _) = first.action, let count = heldFrames[peer] { heldFrames[peer] = count > 1 ? count - 1 : nil }
        return first.action
    }
}

extension ShardAction {
    /// Somebody outside of the machine hears of the slots by it.
    fileprivate var tells: Bool {
        switch self {
        // That something was not appended follows from nothing.
        case .answer(_, .failure(let problem)): problem == .outcomeUnknown
        // What is asked of the store has to be there.
        case .read: true
        case .send, .reply, .answer, .attached, .deliver, .detached, .presence: true
        case .forward, .attach, .report, .askRoster, .moveSoon, .scheduleEpochWork, .load, .closeConnection: false
        }
    }

    fileprivate var heldBytes: Int {
        switch self {
        case .deliver(_, _, let message): message.envelope.count
        case .send(_, let frame), .reply(_, let frame): frame.payloadBytes
        default: 0
        }
    }
}
