// What `locate` shows of a mailbox.

/// A mailbox as operators see it.
public struct MailboxSummary: Sendable {
    /// Where the mailbox stands.
    public let cursor: Cursor
    /// Messages kept.
    public let historyMessages: Int
    /// Bytes of envelopes kept.
    public let historyBytes: Int
    /// Who is attached.
    public let attachments: [ReturnAddress]
    /// When a socket of the user was last there, in milliseconds since 1970; 0 for never.
    public let lastSeen: Int64
}
