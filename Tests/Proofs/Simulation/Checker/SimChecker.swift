// Holds what producers were told and what clients saw against docs/architecture.md, "What must always hold". Some of it is seen at once,
// the rest when the run is over; see SimChecker+Final.swift.

import RingpostCore

/// One thing that must not happen.
package struct SimViolation: Sendable, CustomStringConvertible {
    /// Milliseconds since the beginning.
    package let at: Int64
    package let text: String
    package var description: String { "at \(at) ms: \(text)" }
}

/// The log of one run, and the judge of it.
final class SimChecker {
    /// All that is known of a message.
    struct Record {
        let message: SimMessage
        let begunAt: Int64
        /// When an owner let a receipt go for the first time, and who it was.
        var emittedAt: Int64?
        var emittedBy: MemberIdentity?
        /// The incarnation in which it had its place when an owner decided to let a receipt go, the last time and the first.
        var decidedIn: UInt64?
        var emittedIn: UInt64?
        /// When the producer had its receipt.
        var endedAt: Int64?
        var receipt: Receipt?
        /// Where clients have seen it: at one place, unless its mailbox was lost between two tries.
        var position: Cursor?
        var isTwice = false
        /// Its producer was told that it has no place, and does not send it again.
        var isCertainlyNowhere = false
    }

    /// What a client saw without a hole.
    struct Stretch {
        let incarnation: UInt64
        let from: UInt64
        var through: UInt64
        let beganAt: Int64
    }

    /// The last place of a mailbox that somebody was told of.
    struct Told {
        let incarnation: UInt64
        var sequence: UInt64
    }

    private struct Voice {
        let term: UInt64
        let owner: MemberIdentity
    }

    /// So many are reported; more would only repeat them.
    static let violationsMax = 20

    unowned let simulation: Simulation
    private(set) var violations: [SimViolation] = []
    private(set) var records: [Record] = []
    /// What each client saw.
    var stretches: [[Stretch]]
    private var positions: [Key: [UInt64: [UInt64: UInt64]]] = [:]
    private(set) var told: [Key: Told] = [:]
    private var voices: [Int: Voice] = [:]
    private var numbers: [MessageID: UInt64] = [:]
    private(set) var gaps = 0
    /// Times that a client was told that a user has left, and who must not be among them.
    private(set) var leaves = 0
    var stayers: Set<[UInt8]> = []
    private(set) var receipts = 0
    /// The most of each bounded thing.
    private(set) var most: [String: Int] = [:]

    init(simulation: Simulation, clients: Int) {
        self.simulation = simulation
        stretches = Array(repeating: [], count: clients)
    }

    func fail(_ text: String) {
        simulation.say("CHECK", text)
        if violations.count < Self.violationsMax { violations.append(SimViolation(at: simulation.time / 1_000, text: text)) }
    }

    func record(_ number: UInt64) -> Record? { number >= 1 && number <= records.count ? records[Int(number) - 1] : nil }

    // MARK: Producers

    func begin(key: Key, producer: Int, isRepeatable: Bool, isStreamed: Bool, deadline: Int64) -> SimMessage {
        let message = SimMessage(
            number: UInt64(records.count + 1), key: key, producer: producer, isRepeatable: isRepeatable, isStreamed: isStreamed,
            deadline: deadline)
        records.append(Record(message: message, begunAt: simulation.time))
        return message
    }

    func end(_ message: SimMessage, _ receipt: Receipt) {
        receipts += 1
        records[Int(message.number) - 1].endedAt = simulation.time
        records[Int(message.number) - 1].receipt = receipt
        simulation.say("p\(message.producer)", "message \(message.number) of \(message.key.text) is \(receipt.sequence)")
    }

    func giveUp(_ message: SimMessage, mayBeAppended: Bool) {
        records[Int(message.number) - 1].isCertainlyNowhere = !mayBeAppended
    }

    /// The id under which a message is on its way.
    func name(_ id: MessageID, _ message: SimMessage) { numbers[id] = message.number }

    // MARK: Presence

    /// Who is told that somebody comes has not been told before that they are there, and the other way round.
    func onPresence(_ client: SimClient, _ user: [UInt8], _ what: String) {
        fail("client \(client.number) of \(client.key.text) is told that \(String(decoding: user, as: UTF8.self)) \(what)")
    }

    /// A client is told that a user has left. Where nobody may leave, that is wrong.
    func onLeave(_ client: SimClient, _ user: [UInt8]) {
        leaves += 1
        if stayers.contains(user) { onPresence(client, user, "leaves, who was there all the time") }
    }

    // MARK: Owners

    /// A process has an answer, as the owner or on its behalf; where there is a disk it may have to wait for that.
    func onDecided(_ result: PublishResult, by process: SimProcess) {
        guard let (receipt, number, record) = ownWord(result, process) else { return }
        let key = record.message.key
        if simulation.settings.looksInside {
            speak(key, process)
            // Two copies are demanded by the ring in force at the commit, and the answer is made with it, before any other ring.
            if !receipt.mirrored, process.view?.mirrors(ofSlot: key.slot).isEmpty == false {
                fail("\(process.name) acknowledges message \(number) of \(key.text) with one copy, though there is a mirror")
            }
        }
        // What followed in the same moment may have taken its copy already.
        let incarnation = process.loop.copy(of: key)?.incarnation
        records[Int(number) - 1].decidedIn = incarnation
        // Now, not when the receipt leaves: until the disk has it, the ring may have gone on, and this copy be released.
        guard receipt.mirrored, simulation.settings.looksInside, let incarnation else { return }
        let copies = simulation.coverage.copiesEver(of: key, at: Told(incarnation: incarnation, sequence: receipt.sequence))
        if copies >= receipt.copies { return }
        fail("\(process.name) says that \(receipt.copies) have message \(number) of \(key.text), but only \(copies) have it")
    }

    /// A process lets it go.
    func onAnswer(_ result: PublishResult, from process: SimProcess) {
        guard let (receipt, number, record) = ownWord(result, process) else { return }
        let key = record.message.key
        if record.emittedAt == nil {
            records[Int(number) - 1].emittedAt = simulation.time
            records[Int(number) - 1].emittedBy = process.identity
        }
        guard let incarnation = record.decidedIn else { return }
        if record.emittedIn == nil { records[Int(number) - 1].emittedIn = incarnation }
        tell(key, Cursor(incarnation: incarnation, sequence: receipt.sequence))
        simulation.coverage.isBack(key, incarnation: incarnation, at: process.identity)
    }

    /// A receipt of the process's own, for the first time.
    private func ownWord(_ result: PublishResult, _ process: SimProcess) -> (Receipt, UInt64, Record)? {
        guard case .success(let receipt) = result, receipt.owner == process.node.id, !receipt.repeated else { return nil }
        guard let number = numbers[receipt.id], let record = record(number) else {
            fail("a receipt for a message that nobody sent")
            return nil
        }
        return (receipt, number, record)
    }

    /// ZooKeeper was set up from a backup, and nobody runs: terms begin again below those that were.
    func termsBeginAgain() { voices = [:] }

    /// One voice: whoever acknowledges for a slot does so in the highest term so far, and nobody else in that one.
    private func speak(_ key: Key, _ process: SimProcess) {
        guard let term = process.loop.term(ofSlot: key.slot) else { return }
        if let voice = voices[key.slot] {
            if term < voice.term, !simulation.wasExpiredEarly {
                fail(
                    "second voice: \(process.name) acknowledges for \(key.text) in term \(term), \(voice.owner) has done so in \(voice.term)"
                )
            }
            if term == voice.term, process.identity != voice.owner {
                fail("second voice: \(process.name) and \(voice.owner) acknowledge for \(key.text) in term \(term)")
            }
            if term <= voice.term { return }
        }
        voices[key.slot] = Voice(term: term, owner: process.identity)
    }

    /// Somebody was told of a place: from now on it must not be lost.
    func tell(_ key: Key, _ cursor: Cursor) {
        if let known = told[key], known.incarnation == cursor.incarnation, known.sequence >= cursor.sequence { return }
        told[key] = Told(incarnation: cursor.incarnation, sequence: cursor.sequence)
    }

    // MARK: Clients

    func onBegin(_ client: SimClient, at cursor: Cursor) {
        tell(client.key, cursor)
        if let last = stretches[client.number].last, last.incarnation == cursor.incarnation, last.through == cursor.sequence { return }
        stretches[client.number].append(
            Stretch(incarnation: cursor.incarnation, from: cursor.sequence, through: cursor.sequence, beganAt: simulation.time))
    }

    func onSilentGap(_ client: SimClient, from: Cursor, to: Cursor) {
        fail("silent gap: client \(client.number) of \(client.key.text) stood at \(from.text) and goes on at \(to.text)")
    }

    /// A gap is only allowed where the schedule took more than the design covers.
    func onGap(_ client: SimClient, from: Cursor?, to next: Cursor) {
        gaps += 1
        let before = from.map(\.text) ?? "the beginning"
        simulation.say("c\(client.number)", "gap from \(before) to \(next.text)")
        if stretches[client.number].contains(where: { $0.incarnation == next.incarnation && $0.incarnation != from?.incarnation }) {
            fail("client \(client.number) of \(client.key.text) comes back to incarnation \(next.incarnation.hexadecimal)")
        }
        if from?.incarnation == next.incarnation || !simulation.coverage.isLost(client.key, incarnation: from?.incarnation) {
            let how = from?.incarnation == next.incarnation ? "back or on" : "to another incarnation"
            fail("gap: client \(client.number) of \(client.key.text) is sent \(how), from \(before) to \(next.text)")
        }
        tell(client.key, next)
        stretches[client.number].append(
            Stretch(incarnation: next.incarnation, from: next.sequence, through: next.sequence, beganAt: simulation.time))
    }

    func onMessage(_ client: SimClient, before: Cursor?, at position: Cursor, _ number: UInt64?) {
        let key = client.key
        guard let number, let record = record(number), record.message.key == key else {
            return fail("client \(client.number) of \(key.text) gets a message that nobody sent to it")
        }
        let last = stretches[client.number].count - 1
        guard let before, before.incarnation == position.incarnation, before.sequence + 1 == position.sequence, last >= 0 else {
            return fail("client \(client.number) of \(key.text) stood at \(before.map(\.text) ?? "nothing") and gets \(position.text)")
        }
        stretches[client.number][last].through = position.sequence
        tell(key, position)
        if let other = positions[key]?[position.incarnation]?[position.sequence] {
            if other != number { fail("\(position.text) of \(key.text) is message \(other) for one client and \(number) for another") }
            return
        }
        positions[key, default: [:]][position.incarnation, default: [:]][position.sequence] = number
        if let other = record.position {
            if !simulation.coverage.isLost(key, incarnation: other.incarnation) {
                fail("message \(number) of \(key.text) is at \(other.text) and again at \(position.text)")
            }
            records[Int(number) - 1].isTwice = true
        } else {
            records[Int(number) - 1].position = position
        }
    }

    /// The message that clients have seen at a place.
    func number(at position: Cursor, of key: Key) -> UInt64? { positions[key]?[position.incarnation]?[position.sequence] }

    // MARK: Bounds

    func checkBound(_ what: String, _ count: Int, _ max: Int, _ who: String) {
        if count > most[what] ?? 0 { most[what] = count }
        if count > max { fail("\(who) has \(count) \(what), at most \(max) are allowed") }
    }
}
