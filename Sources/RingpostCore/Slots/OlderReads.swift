// Who waits for messages that only the node's store has, and what is read for them. A disk that is slow, or hangs, holds up nobody else: so many
// are read at a time, so many wait, and whoever has waited for too long is told to ask again.
import DequeModule

/// Parts of histories that are being read, or are to be.
public struct OlderReads {
    /// So many are read at a time; the store has a queue of its own.
    public static let underWayMax = 16
    /// Requests that wait, those for which is read now too; beyond it they are told to ask again.
    public static let waitingMax = 1_024
    /// Whoever has no answer by then is told to ask again.
    public static let millisecondsMax: Int64 = 2_000
    /// For a page that is sooner: whoever reads it asks again after ``HistoryPager/answerMillisecondsMax``, and would be read for twice.
    public static let pageMillisecondsMax: Int64 = 600

    /// A request, and what is read for it.
    struct Read {
        let request: AttachRequest
        let load: HistoryLoad
        let since: Int64
        /// The set has confirmed a step since it was asked: who asks may be told of a gap.
        let isConfirmed: Bool
    }

    private var reads: [UInt64: Read] = [:]
    /// The last request of each asker.
    private var numbers: [ReturnAddress: UInt64] = [:]
    /// Some may be gone by now.
    private var queue: Deque<UInt64> = []
    private var last: UInt64 = 0
    /// Those that are read now, also where nobody waits for it any more.
    private(set) var underWay = 0

    var isEmpty: Bool { reads.isEmpty }
    var count: Int { reads.count }

    /// - Returns: false where too many wait.
    mutating func add(_ request: AttachRequest, _ load: HistoryLoad, isConfirmed: Bool, now: Int64) -> Bool {
        forget(request.address)
        guard reads.count < Self.waitingMax else { return false }
        last += 1
        reads[last] = Read(request: request, load: load, since: now, isConfirmed: isConfirmed)
        numbers[request.address] = last
        queue.append(last)
        if queue.count > 2 * Self.waitingMax { queue.removeAll { reads[$0] == nil } }
        return true
    }

    /// What is to be read next.
    mutating func next() -> (number: UInt64, load: HistoryLoad)? {
        guard underWay < Self.underWayMax else { return nil }
        while let number = queue.popFirst() {
            guard let load = reads[number]?.load else { continue }
            underWay += 1
            return (number, load)
        }
        return nil
    }

    /// It was read.
    ///
    /// - Returns: for whom; `nil` where nobody waits for it any more.
    mutating func end(_ number: UInt64) -> Read? {
        underWay -= 1
        return remove(number)
    }

    /// The asker is gone, or asks for something else.
    mutating func forget(_ address: ReturnAddress) { if let number = numbers[address] { remove(number) } }

    /// A link is gone, with all who have asked over it.
    mutating func forget(connectionID: UInt32) {
        _ = removeAll { $0.request.address.connectionID == connectionID }
    }

    /// Those of a slot do not get their answer from here.
    mutating func removeAll(ofSlot slot: Int) -> [AttachRequest] { removeAll { $0.load.key.slot == slot } }

    /// Those who have waited for too long.
    mutating func removeLate(now: Int64) -> [AttachRequest] {
        removeAll { now - $0.since >= ($0.request.stay == .page ? Self.pageMillisecondsMax : Self.millisecondsMax) }
    }

    private mutating func removeAll(where condition: (Read) -> Bool) -> [AttachRequest] {
        if reads.isEmpty { return [] }
        return reads.filter { condition($0.value) }.keys.sorted().compactMap { remove($0)?.request }
    }

    @discardableResult
    private mutating func remove(_ number: UInt64) -> Read? {
        guard let read = reads.removeValue(forKey: number) else { return nil }
        if numbers[read.request.address] == number { numbers[read.request.address] = nil }
        return read
    }
}

/// What has come of histories that lie in the node's store.
public struct OlderCounts: Equatable, Sendable {
    /// Parts that were read.
    public var reads: UInt64 = 0
    /// Of these, those of which something could not be read: who has asked was told of a gap.
    public var damagedReads: UInt64 = 0
    /// Requests that were told to ask again, because too many waited or the store took too long.
    public var refused: UInt64 = 0

    /// Nothing yet.
    public init() {}

    /// Those of several loops.
    public static func += (one: inout OlderCounts, other: OlderCounts) {
        one.reads += other.reads
        one.damagedReads += other.damagedReads
        one.refused += other.refused
    }
}
