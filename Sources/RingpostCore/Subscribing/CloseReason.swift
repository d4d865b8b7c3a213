// The one table of reasons for which a node ends a client's socket, with what the client should do next.
// Codes 4000 to 4999 are free for applications (RFC 6455, 7.4.2).

/// Why a node closes a client's socket.
public enum CloseReason: Sendable, Equatable, CaseIterable {
    /// The socket took bytes too slowly and its bounded queue is full.
    case slowConsumer
    /// The user's owner could not be reached for too long.
    case ownerUnreachable
    /// The node is stopping.
    case goingAway
    /// Nothing was heard from the client, not even a pong.
    case idle
    /// The node takes in as many clients as it may just now.
    case tryLater
    /// The client broke the protocol.
    case protocolError
    /// The client sent more than it may.
    case tooLarge
    /// The client has not said who it is, or not so that it can be believed.
    case unauthorized
    /// The client's token has expired.
    case tokenExpired
    /// The client's token is not good any more, by an operator's word.
    case revoked
    /// An operator has ended all sockets of the user.
    case disconnected

    /// What a client should do.
    public enum Advice: String, Sendable {
        /// Connect again, here or elsewhere, and resume at the last cursor.
        case resume
        /// Get a new token, then connect again and resume at the last cursor.
        case renew
        /// Don't come back with the same behaviour.
        case stop
    }

    /// The WebSocket close code.
    public var webSocketCode: UInt16 {
        switch self {
        case .slowConsumer: 4008
        case .ownerUnreachable: 4009
        case .goingAway: 1001
        case .idle: 4010
        // IANA's "Try Again Later" is 1013, but a library may take a code below 3000 that it does not know for a broken frame.
        case .tryLater: 4013
        case .protocolError: 1002
        case .tooLarge: 1009
        case .unauthorized: 4001
        case .tokenExpired: 4002
        case .revoked: 4003
        case .disconnected: 4004
        }
    }

    /// Stable; stands in WebSocket close reasons and in the `close` event of event streams.
    public var code: String {
        switch self {
        case .slowConsumer: "slow_consumer"
        case .ownerUnreachable: "owner_unreachable"
        case .goingAway: "going_away"
        case .idle: "idle"
        case .tryLater: "try_later"
        case .protocolError: "protocol_error"
        case .tooLarge: "too_large"
        case .unauthorized: "unauthorized"
        case .tokenExpired: "token_expired"
        case .revoked: "revoked"
        case .disconnected: "disconnected"
        }
    }

    /// What a client should do.
    public var advice: Advice {
        switch self {
        case .slowConsumer, .ownerUnreachable, .goingAway, .idle, .tryLater: .resume
        case .tokenExpired: .renew
        case .protocolError, .tooLarge, .unauthorized, .revoked, .disconnected: .stop
        }
    }
}
