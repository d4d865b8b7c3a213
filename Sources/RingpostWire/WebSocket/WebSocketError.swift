// Everything that a peer's frames can be refused for, with the close code to answer with (RFC 6455 7.4.1).

/// Why a stream of frames was refused. The connection is to be closed with ``closeCode``.
public struct WebSocketError: Error, Equatable, Sendable {
    /// 1002 protocol error, 1007 invalid data, 1008 policy, 1009 too big.
    public let closeCode: UInt16
    /// What was wrong, as a sentence short enough for a close frame's reason.
    public let message: String

    private init(_ closeCode: UInt16, _ message: String) {
        self.closeCode = closeCode
        self.message = message
    }

    static let reservedBits = WebSocketError(1002, "A reserved bit is set and no extension was agreed on.")
    static let reservedOpcode = WebSocketError(1002, "The opcode is reserved.")
    static let fragmentedControl = WebSocketError(1002, "A control frame is fragmented.")
    static let longControl = WebSocketError(1002, "A control frame has more than 125 bytes.")
    static let strayContinuation = WebSocketError(1002, "A continuation has nothing to continue.")
    static let interruptedMessage = WebSocketError(1002, "A message begins inside a fragmented one.")
    static let missingMask = WebSocketError(1002, "A client's frame is not masked.")
    static let unexpectedMask = WebSocketError(1002, "A server's frame is masked.")
    static let longLengthForm = WebSocketError(1002, "The length is not in its shortest form.")
    static let badLength = WebSocketError(1002, "The length has its highest bit set.")
    static let shortClose = WebSocketError(1002, "A close frame has one byte; a code has two.")
    static let badCloseCode = WebSocketError(1002, "The close code may not be sent.")
    static let invalidText = WebSocketError(1007, "A text is not UTF-8.")
    static let tooManyFragments = WebSocketError(1008, "A message has too many fragments.")
    static let messageTooBig = WebSocketError(1009, "The message is too big.")
}
