// A subscriber: connects to some node, takes what comes, and when its socket ends it goes to another node and resumes at its cursor.

import HashRing
import RingpostCore

/// One client of one key.
final class SimClient: SimEnd {
    private unowned let simulation: Simulation
    let number: Int
    let key: Key
    /// As whom it listens to a channel.
    let user: [UInt8]
    /// Who listens to its channel, as it was told on this connection; `nil` before it was.
    private(set) var present: Set<[UInt8]>?
    /// Asks again and again instead of staying.
    let polls: Bool
    private var random: SplitMix64
    private var connection: SimConnection?
    private(set) var cursor: Cursor?
    /// The node that it was connected to last.
    private(set) var node: Int?
    /// The node that it wants next; any if `nil`.
    private var wanted: Int?

    init(number: Int, key: Key, polls: Bool, simulation: Simulation) {
        self.number = number
        self.key = key
        user = Array("client \(number)".utf8)
        self.polls = polls
        self.simulation = simulation
        random = simulation.random.split()
    }

    /// A poll between two questions lacks nothing.
    var isConnected: Bool { connection != nil || polls }

    func begin() { retry(random.draw(1_000...500_000)) }

    private func retry(_ pause: Int64) { simulation.after(pause) { self.connect() } }

    private func connect() {
        guard connection == nil else { return }
        let target = wanted ?? random.below(simulation.nodes.count)
        wanted = nil
        guard let process = simulation.nodes[target].process, process.view != nil, !process.isLeaving else {
            return retry(random.draw(10_000...200_000))
        }
        node = target
        let connection = simulation.network.connect(from: SimNetwork.outside, self, to: target, process)
        process.accept(connection)
        self.connection = connection
        present = nil
        let stay = !polls ? AttachRequest.Stay.always : random.percent(20) ? .never : .ifEmpty
        connection.send(.subscribe(key, cursor.map(AttachStart.after) ?? .now, stay, user: user), from: .dialling)
    }

    /// The client goes away by itself and comes back elsewhere.
    func move(to target: Int? = nil) {
        guard let connection else { return }
        wanted = target
        connection.close(from: .dialling)
        self.connection = nil
        retry(random.draw(10_000...1_000_000))
    }

    /// The client goes away, and comes back after so many milliseconds.
    func stayAway(_ milliseconds: Int64) {
        connection?.close(from: .dialling)
        connection = nil
        retry(milliseconds * 1_000)
    }

    func ended(_ connection: SimConnection) {
        guard connection === self.connection else { return }
        self.connection = nil
        retry(random.draw(10_000...300_000))
    }

    func receive(_ frame: SimFrame, on connection: SimConnection) {
        guard connection === self.connection else { return }
        switch frame {
        case .begin(let begin):
            // A socket that resumes is told where it begins; anywhere else than at its cursor would be a silent gap.
            if let cursor, cursor != begin { simulation.checker.onSilentGap(self, from: cursor, to: begin) }
            cursor = begin
            simulation.checker.onBegin(self, at: begin)
        case .gap(let next):
            simulation.checker.onGap(self, from: cursor, to: next)
            cursor = next
        case .message(let incarnation, let message):
            let next = Cursor(incarnation: incarnation, sequence: message.sequence)
            simulation.checker.onMessage(self, before: cursor, at: next, SimMessage.number(inEnvelope: message.envelope))
            cursor = next
        case .present(let users):
            if present != nil { simulation.checker.fail("client \(number) is told twice who is in \(key.text)") }
            present = Set(users)
        case .joined(let users):
            for user in users where present?.insert(user).inserted != true { simulation.checker.onPresence(self, user, "joins again") }
        case .left(let users):
            for user in users where present?.remove(user) == nil { simulation.checker.onPresence(self, user, "leaves and was not there") }
            for user in users { simulation.checker.onLeave(self, user) }
        case .polled(let end):
            if cursor != end, let cursor { simulation.checker.onSilentGap(self, from: cursor, to: end) }
            cursor = end
        default: break
        }
    }
}
