// What all the tasks of a replay write on: the ledger, the latencies, the counters, behind one lock.
import Histogram
import RingpostClient
import RingpostReplay
import RingpostCore
import Synchronization

final class ReplayBoard: Sendable {
    struct State {
        var ledger: DeliveryLedger
        var channelLedger: ChannelLedger
        /// Subscriptions to channels that stand.
        var listening = 0
        var latencies: [Subscriber.Transport: Histogram<UInt32>]
        var attached = 0
        var reconnects = 0
        var repeats = 0
        /// Taken by the owner itself, or by a node that forwarded.
        var direct = 0
        var forwarded = 0
        /// One of each kind, for people.
        var failures: [String] = []
    }

    /// Failures kept word by word.
    static let failuresMax = 5

    private let state: Mutex<State>
    private let channels: [String: Int]
    private let start = ContinuousClock.now
    /// Makes the idempotency keys of this run its own: the same log replayed again must not get the first run's receipts.
    let runID = UInt64.random(in: 0 ... .max).hexadecimal

    init(plan: ReplayPlan, transports: [Subscriber.Transport]) {
        let ledger = DeliveryLedger(recipients: plan.messages.map(\.recipient), recipientCount: plan.users.count)
        let latencies = Dictionary(
            uniqueKeysWithValues: Set(transports).map { ($0, Histogram<UInt32>(numberOfSignificantValueDigits: .three)) })
        let channelLedger = ChannelLedger(messages: plan.calls.map(\.recipient), subscribers: plan.subscribers.map(\.count))
        channels = Dictionary(uniqueKeysWithValues: plan.channels.enumerated().map { ($0.element, $0.offset) })
        state = Mutex(State(ledger: ledger, channelLedger: channelLedger, latencies: latencies))
    }

    /// Microseconds since the board was set up.
    var now: Int64 {
        let parts = (ContinuousClock.now - start).components
        return parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
    }

    func read<Value: Sendable>(_ body: (borrowing State) -> Value) -> Value { state.withLock { body($0) } }

    // MARK: Producers

    /// To a user, or on a channel; each is numbered by itself.
    enum Kind {
        case message
        case call
    }

    func onSend(_ number: Int, _ kind: Kind) {
        state.withLock { state in
            switch kind {
            case .message: state.ledger.onSend(number, at: now)
            case .call: state.channelLedger.onSend(number, at: now)
            }
        }
    }

    func onRepeat() { state.withLock { $0.repeats += 1 } }

    /// With a receipt, or for good without one.
    func onEnd(_ number: Int, _ kind: Kind, _ result: Result<SendReceipt, ProducerError>) {
        state.withLock { state in
            switch (kind, result) {
            case (.message, .success(let receipt)):
                state.ledger.onReceipt(number, sequence: receipt.sequence)
                if receipt.via == receipt.owner { state.direct += 1 } else { state.forwarded += 1 }
            case (.call, .success(let receipt)): state.channelLedger.onReceipt(number, sequence: receipt.sequence)
            case (.message, .failure(let error)):
                state.ledger.onFailure(number, mayBeAppended: error.mayBeAppended)
                Self.keep("message \(number): \(error)", &state)
            case (.call, .failure(let error)):
                state.channelLedger.onFailure(number, mayBeAppended: error.mayBeAppended)
                Self.keep("message \(number) to a channel: \(error)", &state)
            }
        }
    }

    // MARK: Recipients

    func onEvent(_ event: SubscriberEvent, recipient: Int, transport: Subscriber.Transport, isFirst: Bool) {
        let now = now
        state.withLock { state in
            switch event {
            case .attached(let cursor):
                if isFirst { state.attached += 1 }
                guard let cursor = Self.userCursor(cursor) else { return Self.keep("unreadable cursor \(cursor)", &state) }
                state.ledger.onAttached(recipient, incarnation: cursor.incarnation, sequence: cursor.sequence)
            case .gap(let cursor):
                guard let cursor = Self.userCursor(cursor) else { return Self.keep("unreadable cursor \(cursor)", &state) }
                state.ledger.onGap(recipient, incarnation: cursor.incarnation, sequence: cursor.sequence)
            case .message(let message):
                guard let cursor = Cursor(text: message.cursor.utf8) else {
                    return Self.keep("unreadable cursor \(message.cursor)", &state)
                }
                let number = ReplayPayload.number(message.data)
                if let channel = message.channel {
                    let latency = state.channelLedger.onMessage(
                        number, on: channels[channel] ?? -1, to: recipient, incarnation: cursor.incarnation, sequence: message.sequence,
                        at: now)
                    if let latency { state.latencies[transport]?.record(UInt64(max(latency, 0))) }
                    return
                }
                let latency = state.ledger.onMessage(
                    number, to: recipient, incarnation: cursor.incarnation, sequence: message.sequence, at: now)
                if let latency { state.latencies[transport]?.record(UInt64(max(latency, 0))) }
            case .listening: state.listening += 1
            case .channelGap(let channel, _): state.channelLedger.onGap(recipient, channel: channels[channel] ?? -1)
            case .disconnected: break
            case .notRenewed(let reason): Self.keep("a token is not renewed: \(reason)", &state)
            case .present, .joined, .left, .expiring: break
            case .reconnecting: state.reconnects += 1
            }
        }
    }

    /// Of one that stands for channels too, as a poll's, the user's part.
    private static func userCursor(_ text: String) -> Cursor? { Cursor(text: text.utf8) ?? ResumePoint(text: text.utf8)?.user }

    func onSubscriberError(_ user: String, _ error: SubscriberError) {
        state.withLock { Self.keep("client of \(Console.printable(user)): \(error)", &$0) }
    }

    private static func keep(_ failure: String, _ state: inout State) {
        if state.failures.count < failuresMax { state.failures.append(failure) }
    }
}

/// What a replayed message says: `{"from":…,"text":…,"at":…,"n":12}`, the line's own JSON strings untouched.
enum ReplayPayload {
    static func json(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, number: Int) -> [UInt8] {
        guard let entry = ChatLine(bytes, line) else { preconditionFailure("line at \(line) could be read before") }
        var output: [UInt8] = []
        output.reserveCapacity(line.count + 32)
        for (name, value) in [("{\"from\":", entry.from), (",\"text\":", entry.text), (",\"at\":", entry.at)] {
            output += name.utf8
            output += bytes[value]
        }
        output += ",\"n\":".utf8
        output.append(decimal: UInt64(number))
        output.append(UInt8(ascii: "}"))
        return output
    }

    static func number(_ data: [UInt8]) -> Int? {
        data.withUnsafeBytes { bytes in
            var reader = JSONReader(bytes)
            while let (name, value) = reader.nextMember() {
                if bytes.holds("n", at: name) { return bytes.unsigned(at: value).flatMap { Int(exactly: $0) } }
            }
            return nil
        }
    }
}

extension ProducerError {
    fileprivate var mayBeAppended: Bool { if case .outcomeUnknown = self { true } else { false } }
}
