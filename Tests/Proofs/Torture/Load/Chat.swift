// What is said during a run: a chat log's lines over and over, or those of a generated chat where no log is given.

import Foundation
import RingpostClient
import RingpostReplay

struct Chat: Sendable {
    /// Lines of a log that are used; over and over, so that more would only take time to read.
    static let linesMax = 20_000

    /// So many users are in one channel.
    static let usersPerChannel = 12

    /// Whose messages there are, the most addressed first.
    let users: [String]
    /// Channels, each with some of the users.
    var channels: [String] { (0..<(users.count + Self.usersPerChannel - 1) / Self.usersPerChannel).map { "room:\($0)" } }
    /// All that have an order of their own: users, then channels. What is said of a "user" in the judge's words holds for both.
    var orders: [Producer.Destination] { users.map { .user($0) } + channels.map { .channel($0) } }
    /// Where it comes from, for the report.
    let source: String
    private let log: Data
    /// By user, the lines that address it.
    private let lines: [[Range<Int>]]

    /// Reads a log.
    ///
    /// - Parameter path: a generated chat if none is given.
    init(path: String?, userCount: Int) throws {
        let log: Data
        if let path {
            guard let read = FileManager.default.contents(atPath: path) else { throw TortureError("there is no chat log \(path)") }
            log = read
        } else {
            log = Data(GeneratedChat(seed: 1, users: userCount, messages: Self.linesMax).log)
        }
        let plan = log.withUnsafeBytes { ReplayPlan($0, userMax: userCount, messageMax: Self.linesMax, speed: 0) }
        guard !plan.messages.isEmpty else { throw TortureError("no line of \(path ?? "the chat") addresses anybody: it is no chat log") }
        var lines = [[Range<Int>]](repeating: [], count: plan.users.count)
        for message in plan.messages { lines[Int(message.recipient)].append(message.line) }
        self.log = log
        self.lines = lines
        users = plan.users
        source = path.map { URL(fileURLWithPath: $0).lastPathComponent } ?? "generated chat"
    }

    /// The channel that a user listens to, as the number of its order.
    func channel(ofUser user: Int) -> Int { users.count + user / Self.usersPerChannel }

    /// An order's message of this number: `{"u":3,"n":12,"from":…,"text":…}`, the log's own JSON strings untouched.
    func payload(order: Int, number: Int) -> [UInt8] {
        var payload = Array("{\"u\":\(order),\"n\":\(number)".utf8)
        let user = order % users.count
        log.withUnsafeBytes { bytes in
            guard !lines[user].isEmpty, let line = ChatLine(bytes, lines[user][number % lines[user].count]) else {
                return payload += ",\"from\":\"nobody\",\"text\":\"line \(number), é\\t\\\"quoted\\\"\"".utf8
            }
            payload += ",\"from\":".utf8
            payload += bytes[line.from]
            payload += ",\"text\":".utf8
            payload += bytes[line.text]
        }
        payload.append(UInt8(ascii: "}"))
        return payload
    }

    /// Reads back whose message it is, and which.
    static func identity(_ payload: [UInt8]) -> (user: Int, number: Int)? {
        payload.withUnsafeBytes { bytes in
            var reader = JSONReader(bytes)
            guard let user = reader.nextMember(), bytes.holds("u", at: user.name), let number = reader.nextMember(),
                bytes.holds("n", at: number.name), let first = bytes.unsigned(at: user.value), let second = bytes.unsigned(at: number.value)
            else { return nil }
            return (Int(first), Int(second))
        }
    }
}
