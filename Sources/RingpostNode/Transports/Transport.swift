// What a transport has to be able to do. Each has a folder of its own here; a `ClientConnection` owns one and knows nothing else of it.
// A poll is none: it is one request with one answer, not a connection that stays (see `PollWaiter`).
import NIOCore
import RingpostCore

/// The form in which one client connection is written to and read from. It is stored inside its connection, so that an idle client costs no
/// memory for it.
///
/// The functions that write only append to `connection`'s output. They must not do anything that comes back to the client connection: it
/// can't be used while its transport is being changed. The static functions are given the whole client connection and may do anything.
protocol Transport {
    /// Its name in counters and reports.
    static var kind: TransportKind { get }

    // MARK: Out

    /// The client begins at this cursor of the key.
    mutating func writeBegin(at cursor: Cursor, of key: Key, to connection: Connection)
    /// The history did not reach back to the client's cursor: it goes on at this one.
    mutating func writeGap(at cursor: Cursor, of key: Key, to connection: Connection)
    /// - Parameters:
    ///   - cursor: the place of the message.
    ///   - shared: the message as it is written to others as well, if it is.
    mutating func write(_ message: StoredMessage, at cursor: Cursor, of key: Key, shared: SharedFrames?, to connection: Connection)
    /// Who listens to a channel, comes to it, or goes.
    mutating func writePresence(_ frames: SharedFrames, to connection: Connection)
    /// The client's token expires then, in milliseconds since 1970.
    mutating func writeExpiring(_ expires: Int64, to connection: Connection)
    /// Why the connection ends. Nothing is written after this.
    mutating func writeEnd(_ disconnect: Disconnect, to connection: Connection)
    /// Whether so many bytes wait for the client that a replay has to pause.
    func isCrowded(pendingBytes: Int, limits: NodeLimits) -> Bool

    // MARK: In

    /// Subscribes to the channels that the client's request named, at once or slice by slice.
    static func subscribe(_ connection: ClientConnection<Self>, to channels: [(key: Key, start: AttachStart)], watches: Bool)
    /// Bytes have arrived in the connection's input. Called once when the connection has been opened, too.
    static func onBytes(_ connection: ClientConnection<Self>)
    /// The fair scheduler gives the connection another slice.
    static func onTurn(_ connection: ClientConnection<Self>)
    /// About once a second.
    static func onDeadline(_ connection: ClientConnection<Self>, now: Int64)
}
