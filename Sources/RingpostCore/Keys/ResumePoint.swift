// Where a socket with several subscriptions stands, as one opaque text: an event stream has only one `id:` line, and a poll only one
// cursor. With a user alone it is that mailbox's cursor.
import HashRing

/// The cursors of a user's mailbox and of channels.
public struct ResumePoint: Hashable, Sendable {
    /// Channels in one resume point.
    public static let channelsMax = 255

    /// Where the user's mailbox is; `nil` when that is not known yet.
    public var user: Cursor?
    private var channels: [KeyHash: Cursor] = [:]

    /// Nothing is known.
    public init() {}

    /// Where a channel is; `nil` when that is not known.
    public subscript(channel: Key) -> Cursor? {
        get { channels[channel.hash] }
        set { channels[channel.hash] = newValue }
    }

    /// The cursors of all channels, in no order.
    public var channelCursors: [Cursor] { Array(channels.values) }

    /// The same, with what is missing here taken from an older one.
    public func filled(from older: ResumePoint) -> ResumePoint {
        var filled = self
        filled.user = user ?? older.user
        filled.channels.merge(older.channels) { newer, _ in newer }
        return filled
    }

    /// Reads the text that ``append(to:)`` makes; `nil` for anything else.
    public init?(text: some Collection<UInt8>) {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 1 + Self.channelsMax else { return nil }
        if !first.isEmpty {
            guard let cursor = Cursor(text: first) else { return nil }
            user = cursor
        } else if parts.count == 1 {
            return nil
        }
        for part in parts.dropFirst() {
            guard part.dropFirst(16).first == UInt8(ascii: "-"), let hash = UInt64(hexadecimal: part.prefix(16)),
                let cursor = Cursor(text: part.dropFirst(17))
            else { return nil }
            channels[KeyHash(rawValue: hash)] = cursor
        }
    }

    /// Appends `cursor.hash-cursor.hash-cursor`: the user's cursor, which may be missing, and that of each channel with its key's hash.
    public func append(to bytes: inout [UInt8]) {
        user?.append(to: &bytes)
        for (hash, cursor) in channels {
            bytes.append(UInt8(ascii: "."))
            bytes.append(hexadecimal: hash.rawValue)
            bytes.append(UInt8(ascii: "-"))
            cursor.append(to: &bytes)
        }
    }

    /// The text that clients keep.
    public var text: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
