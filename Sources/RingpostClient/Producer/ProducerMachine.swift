// What happens to each message between `send` and its answer, as a value: it waits for a link, is under way, or is held
// back because a message for the same user or channel was refused. It reads no clock and knows no socket; the shell feeds it.
//
// Order is the point: after a refusal the node refuses what follows for that destination on the connection, until the producer
// begins again in order and says so. So nothing is sent to a destination while refused messages to it wait.
import DequeModule
import RingpostCore
import RingpostWire

/// One message as the producer holds it.
struct OutgoingMessage: Hashable, Sendable {
    let destination: Producer.Destination
    /// What is sent, whatever the number of attempts.
    let frame: ProduceFrame
    /// It has an idempotency key: otherwise it must not be sent twice.
    let isRepeatable: Bool
    /// The key is one that the producer has made for this message.
    let isOwnKey: Bool
    /// When the caller's patience ends, on the shell's monotonic clock, in milliseconds.
    let deadline: Int64
}

/// The producer's decisions. `Ticket` is the shell's way back to the caller.
struct ProducerMachine<Ticket: Sendable>: Sendable {
    /// The node answers a message at its deadline by itself; its answer says more than ours, so it gets this head start.
    static var graceMilliseconds: Int64 { 500 }
    /// A held destination waits this long before the next attempt, doubled each time up to the maximum, until the budget ends it.
    static var holdMillisecondsMin: Int64 { 25 }
    static var holdMillisecondsMax: Int64 { 1_000 }
    /// What a node that takes no more just now is spared in addition, at most.
    static var spreadMilliseconds: Int { 500 }

    enum Action {
        /// Write a produce frame.
        case write(request: UInt64, OutgoingMessage, restarts: Bool, mayBeRepeat: Bool)
        case complete(Ticket, Result<Receipt, ProducerError>)
        /// The node at the other end is stopping: close the link and go to another one.
        case leave
    }

    private struct Entry {
        let order: UInt64
        let message: OutgoingMessage
        let ticket: Ticket
        /// A link broke with it under way, or a node said that it doesn't know: from then on it may have been appended.
        var mayBeAppended = false
        var refusals = 0
        var lastProblem: (Problem, String?)?
    }

    /// A destination whose messages wait until all that were under way are answered.
    private struct Held {
        /// In no particular order; sorted when they are sent again.
        var entries: [Entry] = []
        var underWay: Int
        var notBefore: Int64
    }

    /// Under way, by request number; numbers are never used twice, so a late answer finds nothing. The producer bounds them.
    private var flights = RequestTable<Entry>(countMax: .max)
    /// Waits for a link.
    private var queue: Deque<Entry> = []
    private var held: [Producer.Destination: Held] = [:]
    private var nextOrder: UInt64 = 0
    private var earliestDeadline = Int64.max
    private(set) var isUp = false
    /// The node has said that it stops: nothing more is sent on this link, and it ends when all that is under way is answered. Ended
    /// earlier, it would leave open what came of messages that must not be sent twice.
    private var isLeaving = false
    /// Larger messages are refused here; the node's welcome says it.
    private var payloadBytesMax = Int.max
    private var spread: UInt64

    /// - Parameter spread: any number, another one for every producer: those who are asked to wait don't come back together.
    init(spread: UInt64 = 0) { self.spread = spread }

    var isIdle: Bool { flights.count == 0 && queue.isEmpty && held.isEmpty }
    var holdsAnything: Bool { !held.isEmpty }

    // MARK: Events

    mutating func submit(_ message: OutgoingMessage, _ ticket: Ticket, actions: inout [Action]) {
        let entry = Entry(order: nextOrder, message: message, ticket: ticket)
        nextOrder += 1
        earliestDeadline = min(earliestDeadline, message.deadline)
        if !isUp || isLeaving {
            queue.append(entry)
        } else if !held.isEmpty, held[message.destination] != nil {
            held[message.destination]?.entries.append(entry)
        } else {
            send(entry, restarts: false, actions: &actions)
        }
    }

    /// A link is up: everything that waits leaves, in order. The connection is new, so nothing has been refused on it.
    mutating func onUp(payloadBytesMax: Int, actions: inout [Action]) {
        isUp = true
        isLeaving = false
        self.payloadBytesMax = payloadBytesMax
        let waiting = queue
        queue = []
        for entry in waiting { send(entry, restarts: false, actions: &actions) }
    }

    /// The link is gone. What was under way may have been appended: it is sent again only if that can do no harm.
    mutating func onDown(actions: inout [Action]) {
        isUp = false
        var waiting = Array(queue) + held.values.flatMap(\.entries)
        held = [:]
        var lost: [Entry] = []
        for (_, var entry) in flights.takeAll(where: { _ in true }) {
            entry.mayBeAppended = true
            if entry.message.isRepeatable { waiting.append(entry) } else { lost.append(entry) }
        }
        queue = Deque(waiting.sorted { $0.order < $1.order })
        for entry in lost.sorted(by: { $0.order < $1.order }) { actions.append(.complete(entry.ticket, .failure(.outcomeUnknown))) }
    }

    /// A node answers. The cases: 1 a receipt; 2 a refusal that is worth another try: the ring changes, this very node stops,
    /// or nobody knows what came of the message and a repeat does no harm; 3 too much waits already, and the message has the
    /// time to come back when it is asked to; 4 any other refusal.
    mutating func onAnswer(request: UInt64, _ result: PublishResult, message: String?, now: Int64, actions: inout [Action]) {
        guard var entry = flights.take(request) else { return }
        let destination = entry.message.destination
        if !held.isEmpty { held[destination]?.underWay -= 1 }
        switch result {
        case .success(let receipt):  // 1
            actions.append(.complete(entry.ticket, .success(receipt)))
        case .failure(let problem) where Self.isWorthARetry(problem, entry.message):  // 2
            if problem == .stopping { isLeaving = true }
            entry.mayBeAppended = entry.mayBeAppended || problem == .outcomeUnknown
            entry.refusals += 1
            entry.lastProblem = (problem, message)
            hold(entry, now: now)
        case .failure(.overloaded) where now + Self.overloadedMilliseconds < entry.message.deadline:  // 3
            entry.refusals += 1
            entry.lastProblem = (.overloaded, message)
            spread &+= 1
            hold(entry, atLeast: Self.overloadedMilliseconds + Int64(EvenSpread.index(spread, of: Self.spreadMilliseconds)), now: now)
        case .failure(let problem):  // 4
            let isUnknown = entry.mayBeAppended || problem == .outcomeUnknown
            actions.append(.complete(entry.ticket, .failure(isUnknown ? .outcomeUnknown : .refused(problem, message ?? problem.message))))
        }
        if !held.isEmpty { release(destination, now: now, actions: &actions) }
        leaveWhenAnswered(&actions)
    }

    /// Time passes: budgets run out, held destinations are tried again.
    mutating func onTick(now: Int64, actions: inout [Action]) {
        if earliestDeadline <= now { expire(now: now, actions: &actions) }
        for destination in Array(held.keys) { release(destination, now: now, actions: &actions) }
        leaveWhenAnswered(&actions)
    }

    // MARK: Decisions

    private mutating func send(_ entry: Entry, restarts: Bool, actions: inout [Action]) {
        let bytes = entry.message.frame.dataBytes
        guard bytes <= payloadBytesMax, let request = flights.insert(entry) else {
            actions.append(.complete(entry.ticket, .failure(.tooLarge(bytes: bytes, bytesMax: payloadBytesMax))))
            return
        }
        let mayBeRepeat = entry.message.isOwnKey && entry.mayBeAppended
        actions.append(.write(request: request, entry.message, restarts: restarts, mayBeRepeat: mayBeRepeat))
    }

    private static func isWorthARetry(_ problem: Problem, _ message: OutgoingMessage) -> Bool {
        problem.isWorthARetry || problem == .stopping || (problem == .outcomeUnknown && message.isRepeatable)
    }

    private static var overloadedMilliseconds: Int64 { Int64(Problem.overloaded.retryAfterSeconds ?? 0) * 1_000 }

    private mutating func hold(_ entry: Entry, atLeast wish: Int64 = 0, now: Int64) {
        let destination = entry.message.destination
        let wait = max(wish, min(Self.holdMillisecondsMin << Int64(min(entry.refusals - 1, 10)), Self.holdMillisecondsMax))
        if held[destination] == nil {
            // Counted only now, when it matters: the way of a message that nobody refuses keeps no count per destination.
            let underWay = flights.reduce(0) { $0 + ($1.message.destination == destination ? 1 : 0) }
            held[destination] = Held(underWay: underWay, notBefore: now + wait)
        }
        if wish > 0, let notBefore = held[destination]?.notBefore { held[destination]?.notBefore = max(notBefore, now + wait) }
        held[destination]?.entries.append(entry)
    }

    private mutating func release(_ destination: Producer.Destination, now: Int64, actions: inout [Action]) {
        guard isUp, !isLeaving, let lane = held[destination], lane.underWay == 0, lane.notBefore <= now else { return }
        held[destination] = nil
        var restarts = true
        for entry in lane.entries.sorted(by: { $0.order < $1.order }) {
            send(entry, restarts: restarts, actions: &actions)
            restarts = false
        }
    }

    private func leaveWhenAnswered(_ actions: inout [Action]) { if isUp, isLeaving, flights.count == 0 { actions.append(.leave) } }

    private mutating func expire(now: Int64, actions: inout [Action]) {
        var late: [Entry] = []
        late += queue.filter { $0.message.deadline <= now }
        queue.removeAll { $0.message.deadline <= now }
        for destination in Array(held.keys) {
            late += held[destination]?.entries.filter { $0.message.deadline <= now } ?? []
            held[destination]?.entries.removeAll { $0.message.deadline <= now }
            if held[destination]?.entries.isEmpty == true { held[destination] = nil }
        }
        for (_, var entry) in flights.takeAll(where: { $0.message.deadline + Self.graceMilliseconds <= now }) {
            if !held.isEmpty { held[entry.message.destination]?.underWay -= 1 }
            entry.mayBeAppended = true
            late.append(entry)
        }
        for entry in late.sorted(by: { $0.order < $1.order }) { actions.append(.complete(entry.ticket, .failure(Self.error(entry)))) }
        earliestDeadline = nextDeadline()
    }

    private static func error(_ entry: Entry) -> ProducerError {
        if entry.mayBeAppended { return .outcomeUnknown }
        if let (problem, message) = entry.lastProblem { return .refused(problem, message ?? problem.message) }
        return .notSent("no node could be reached in time")
    }

    private func nextDeadline() -> Int64 {
        var earliest = queue.reduce(Int64.max) { min($0, $1.message.deadline) }
        for lane in held.values { earliest = lane.entries.reduce(earliest) { min($0, $1.message.deadline) } }
        return flights.reduce(earliest) { min($0, $1.message.deadline + Self.graceMilliseconds) }
    }
}
