// What all the tasks of a run write on: the judge, behind one lock, with the clock, and with what is known of the nodes at the moment, by
// which the end of a socket is judged.

import RingpostClient
import RingpostCore
import Synchronization

final class Board: Sendable {
    private struct State {
        var judge: Judge
        /// What each window of the judge's is called in the report.
        var kinds: [FaultKind] = [.calm]
        /// Nodes that the fault of the moment takes away: their sockets may end.
        var taken: Set<String> = []
        /// Nodes that the fault of the moment cuts off: they may tell sockets to resume elsewhere.
        var cutOff: Set<String> = []
        /// Attempts that were repeated.
        var repeats = 0
        /// Why, for people.
        var repeatReasons: [String: Int] = [:]
    }

    private let state: Mutex<State>
    private let start = ContinuousClock.now

    init(userCount: Int, listeners: [Int]) {
        state = Mutex(State(judge: Judge(userCount: userCount, listeners: listeners)))
    }

    /// Microseconds since the board was set up.
    var now: Int64 { (ContinuousClock.now - start).microseconds }

    // MARK: Faults

    /// A fault begins: what happens from now on is its doing.
    ///
    /// - Parameters:
    ///   - taken: nodes whose sockets may end.
    ///   - cutOff: nodes that may tell sockets to resume elsewhere.
    func begin(_ kind: FaultKind, taken: [String] = [], cutOff: [String] = []) {
        state.withLock { state in
            state.judge.openWindow(at: now)
            state.kinds.append(kind)
            state.taken = Set(taken)
            state.cutOff = Set(cutOff)
        }
    }

    func isTaken(_ node: String) -> Bool { state.withLock { $0.taken.contains(node) } }

    // MARK: Producers

    func onSend(user: Int) -> Int { state.withLock { $0.judge.onSend(user: user, at: now) } }

    func onRepeat(_ reason: String) {
        state.withLock { state in
            state.repeats += 1
            state.repeatReasons[reason, default: 0] += 1
        }
    }

    /// - Parameter nodes: those that the attempts went to.
    func onReceipt(user: Int, number: Int, _ receipt: PublishReceipt, nodes: Set<String>) {
        state.withLock { state in
            state.judge.onReceipt(
                user: user, number: number, sequence: receipt.sequence, isMirrored: receipt.isMirrored,
                isMoved: !nodes.isDisjoint(with: state.taken), at: now)
        }
    }

    func onUnknown(user: Int, number: Int) { state.withLock { $0.judge.onUnknown(user: user, number: number) } }

    func onRefused(user: Int, number: Int, _ reason: String) {
        state.withLock { $0.judge.onRefused(user: user, number: number, reason) }
    }

    // MARK: Listeners

    func onAttached(_ listener: Int, _ cursor: String) { withPosition(cursor) { $0.judge.onAttached(listener, $1) } }

    func onGap(_ listener: Int, _ cursor: String) { withPosition(cursor) { $0.judge.onGap(listener, $1) } }

    /// - Parameter wasMoved: the listener had to go elsewhere since the fault began.
    func onMessage(_ listener: Int, _ message: Message, node: String, wasMoved: Bool) {
        let identity = Chat.identity(message.data)
        withPosition(message.cursor) { state, position in
            state.judge.onMessage(
                listener, user: identity?.user, number: identity?.number ?? 0, position: position,
                isMoved: wasMoved || state.taken.contains(node), at: now)
        }
    }

    func onSocketEnd(_ listener: Int, node: String, _ reason: String) {
        state.withLock { state in
            let end: Judge.SocketEnd =
                if state.taken.contains(node) { .moved } else if state.cutOff.contains(node), Self.isGoodbye(reason) { .resumed } else {
                    .violation
                }
            state.judge.onSocketEnd(listener, end, "\(reason), at \(node), during: \(state.kinds.last?.name ?? "")")
        }
    }

    /// Whether the node said so, or the connection just broke. The client library's own sentences have spaces.
    private static func isGoodbye(_ reason: String) -> Bool { !reason.replacing(#/ \(\d+\)$/#, with: "").contains(" ") }

    private func withPosition(_ cursor: String, _ body: (inout State, Cursor) -> Void) {
        guard let position = Cursor(text: cursor.utf8) else { preconditionFailure("a node hands out a cursor that is none: \(cursor)") }
        state.withLock { body(&$0, position) }
    }

    // MARK: Questions

    /// Looks at the judge.
    func read<Value: Sendable>(_ body: (inout Judge) -> Value) -> Value { state.withLock { body(&$0.judge) } }

    /// Waits until every listener has what was acknowledged before this moment.
    ///
    /// - Returns: how many messages have not come in time.
    func stragglers(secondsMax: Double) async throws -> Int {
        let mark = now
        while true {
            let missing = read { $0.missing(before: mark) }
            if missing == 0 || Double(now - mark) / 1_000_000 >= secondsMax { return missing }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The verdict by kind of fault, in the order in which the kinds first came, and how often each came.
    var rows: [FaultRow] {
        state.withLock { state in
            var rows: [FaultRow] = []
            for (kind, tally) in zip(state.kinds, state.judge.verdict) {
                if let position = rows.firstIndex(where: { $0.kind == kind }) {
                    rows[position].count += 1
                    rows[position].tally.merge(tally)
                } else {
                    rows.append(FaultRow(kind: kind, count: 1, tally: tally))
                }
            }
            return rows
        }
    }

    /// The window of the moment, without what only the end can tell.
    var current: Tally { state.withLock { $0.judge.windows.last ?? Tally() } }

    var repeats: (count: Int, reasons: [String: Int]) { state.withLock { ($0.repeats, $0.repeatReasons) } }
}

extension Duration {
    var microseconds: Int64 { components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000 }
}
