// The answers of the API port, which node and clients have in common.
import RingpostWire

/// The answer to `GET /v1/ring`.
public typealias RingReport = RingpostWire.RingReport
/// The answer to `GET /v1/nodes`.
public typealias NodesReport = RingpostWire.NodesReport
/// One member, and what it says of itself if it answered.
public typealias NodeReport = RingpostWire.NodeReport
/// The answer to `GET /v1/users/{user}`.
public typealias UserReport = RingpostWire.UserReport
/// The answer to `GET /v1/channels/{channel}`.
public typealias ChannelReport = RingpostWire.ChannelReport
/// The answer to `POST /v1/users/{user}/disconnect`.
public typealias DisconnectReport = RingpostWire.DisconnectReport
/// Somebody, or one token, whom no node lets in.
public typealias Revocation = RingpostWire.RevocationReport
/// The answer to `GET /v1/revocations`.
public typealias RevocationsReport = RingpostWire.RevocationsReport
