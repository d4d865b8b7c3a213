// What a client of any kind is told, in one form, so that all transports can be held against the same expectation.

import Foundation
import TestSupport

struct Message: Decodable, Equatable, Sendable {
    let seq: Int
    let cursor: String
    let id: String
    let at: Int64
    /// The channel that it came on.
    let channel: String?
    /// The payload as text: a JSON string's content, or the JSON itself.
    let data: String

    private enum CodingKeys: String, CodingKey { case seq, cursor, id, at, channel, data }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        seq = try values.decode(Int.self, forKey: .seq)
        cursor = try values.decode(String.self, forKey: .cursor)
        id = try values.decode(String.self, forKey: .id)
        at = try values.decode(Int64.self, forKey: .at)
        channel = try values.decodeIfPresent(String.self, forKey: .channel)
        // Payloads that aren't text are compared byte for byte where they matter, not here.
        data = (try? values.decode(String.self, forKey: .data)) ?? ""
    }
}

enum ClientEvent: Equatable, Sendable {
    case open
    case attached(cursor: String)
    case gap(cursor: String)
    case message(Message)
    /// A close code and its reason, or the data of a `close` event.
    case closed(String)
    /// Anything else, as it came.
    case other(String)

    /// A JSON object that a client was sent: a message, or one with an `event`.
    init(json: String) {
        struct Control: Decodable {
            let event: String
            let cursor: String?
        }
        let data = Data(json.utf8)
        if let message = try? JSONDecoder().decode(Message.self, from: data) {
            self = .message(message)
            return
        }
        let control = try? JSONDecoder().decode(Control.self, from: data)
        switch (control?.event, control?.cursor) {
        case ("attached", let cursor?): self = .attached(cursor: cursor)
        case ("gap", let cursor?): self = .gap(cursor: cursor)
        default: self = .other(json)
        }
    }
}

/// One socket of a stock client, or a loop of polls.
protocol Listener: Sendable {
    var name: String { get }
    /// All events up to now.
    func events() throws -> [ClientEvent]
}

extension Listener {
    /// Waits until the events satisfy the condition, and returns them.
    @discardableResult
    func wait(_ what: String, seconds: Double = 30, until condition: ([ClientEvent]) throws -> Bool) async throws -> [ClientEvent] {
        var last: [ClientEvent] = []
        do {
            try await eventually(within: seconds, what) {
                last = try events()
                return try condition(last)
            }
        } catch is DeadlineExceeded {
            throw DeadlineExceeded("\(name) waited \(seconds) s in vain for: \(what). It was told \(last.suffix(20))")
        }
        return last
    }

    func waitUntilAttached(seconds: Double = 30) async throws {
        try await wait("attached", seconds: seconds) { events in
            events.contains { if case .attached = $0 { true } else { false } }
        }
    }

    /// Waits for so many messages and returns all there are then.
    func messages(_ count: Int, seconds: Double = 30) async throws -> [Message] {
        try await wait("\(count) messages", seconds: seconds) { $0.messages.count >= count }.messages
    }

    /// Waits for a message with this text. Whatever should not have come before it is there then.
    func message(_ text: String, seconds: Double = 30) async throws -> Message {
        let events = try await wait("the message \"\(text)\"", seconds: seconds) { $0.messages.contains { $0.data == text } }
        guard let message = events.messages.first(where: { $0.data == text }) else { throw HarnessError("no message") }
        return message
    }
}

extension [ClientEvent] {
    var messages: [Message] { compactMap { if case .message(let message) = $0 { message } else { nil } } }
    var gaps: [String] { compactMap { if case .gap(let cursor) = $0 { cursor } else { nil } } }
    var closes: [String] { compactMap { if case .closed(let reason) = $0 { reason } else { nil } } }
    var cursors: [String] { compactMap { if case .attached(let cursor) = $0 { cursor } else { nil } } }
}
