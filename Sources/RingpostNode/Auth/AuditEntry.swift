// One line of the audit log: who has ordered what, from where, on whom, and what came of it.
import Glibc
import RingpostCore

/// A line. What is not known, or makes no sense, is left out.
struct AuditEntry: Encodable, Sendable {
    /// Names of keys in one line; of more only their number is told.
    static let namesMax = 64

    enum Event: String, Encodable {
        case order
        /// Sampled: see ``AuditLog/refusalsPerSecond``.
        case refusal
        /// Other keys than before, because a file or a published set has changed.
        case keys
    }

    /// Set when it is written.
    var time: String?
    var node: String?
    let event: Event
    /// The order's name, or what was asked for.
    var order: String?
    /// The id of the API key.
    var key: String?
    /// The id of an API key that was shown and is not good.
    var claimedKey: String?
    /// The other side's address.
    var from: String?
    /// A node, a user, or which tokens.
    var on: String?
    /// "done", "accepted", or the code of a refusal.
    var result: String?
    var added: [String]?
    var removed: [String]?
    var changed: [String]?
    /// Refusals that were left out since the last line.
    var omitted: UInt64?
    /// Lines that were lost since the last one, because the disk was full or too slow.
    var lost: UInt64?

    init(_ event: Event) { self.event = event }

    /// An order; its result follows.
    init(order: String, on: String?, key: String?, from: String) {
        event = .order
        (self.order, self.on, self.key, self.from) = (order, on, key, from)
    }

    /// The order with what came of it.
    func with(result: String) -> AuditEntry {
        var entry = self
        entry.result = result
        return entry
    }

    /// What was refused.
    init(refused what: String, result: String, key: String? = nil, claimedKey: String? = nil, from: String) {
        event = .refusal
        (order, self.result, self.key, self.claimedKey, self.from) = (what, result, key, claimedKey, from)
    }

    /// Other keys; `nil` if they are the same.
    ///
    /// - Parameters:
    ///   - what: "api-keys" or "token-keys".
    ///   - old: by their ids, what tells one from another under the same id.
    init?<Value: Equatable>(keys what: String, from old: [String: Value], to new: [String: Value]) {
        event = .keys
        on = what
        added = Self.some(new.keys.filter { old[$0] == nil })
        removed = Self.some(old.keys.filter { new[$0] == nil })
        changed = Self.some(new.keys.filter { old[$0] != nil && old[$0] != new[$0] })
        if added == nil, removed == nil, changed == nil { return nil }
    }

    private static func some(_ names: [String]) -> [String]? {
        if names.isEmpty { return nil }
        let first = names.sorted().prefix(namesMax)
        return names.count > namesMax ? first + ["and \(names.count - namesMax) more"] : Array(first)
    }

    /// As in RFC 3339, in UTC.
    static func time(_ milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds / 1_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ number: Int, _ count: Int = 2) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let date = "\(parts.tm_year + 1_900)-\(digits(Int(parts.tm_mon) + 1))-\(digits(Int(parts.tm_mday)))"
        let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { digits(Int($0)) }.joined(separator: ":")
        return "\(date)T\(clock).\(digits(Int(milliseconds % 1_000), 3))Z"
    }
}
