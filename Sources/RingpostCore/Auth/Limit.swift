// The one table of what a node takes from clients, producers and strangers before it says no: under these names limits are set
// (`--limit name=value`), counted (`ringpost_limited_total{limit="…"}`) and documented (docs/guide/limits.md, `ringpost limits`).

/// A limit that can be set.
public enum Limit: String, Sendable, CaseIterable {
    case connections
    case sockets
    case socketsPerUser = "sockets-per-user"
    case socketsPerAddress = "sockets-per-address"
    case connectRate = "connect-rate"
    case connectBurst = "connect-burst"
    case connectRatePerAddress = "connect-rate-per-address"
    case memoryMegabytes = "memory-megabytes"
    case headBytes = "head-bytes"
    case headers
    case headSeconds = "head-seconds"
    case requestSeconds = "request-seconds"
    case payloadBytes = "payload-bytes"
    case batchBytes = "batch-bytes"
    case batchMessages = "batch-messages"
    case pipelined
    case tokenSeconds = "token-seconds"
    case clientFrames = "client-frames"
    case clientBytes = "client-bytes"
    case clientPublishes = "client-publishes"
    case socketChannels = "socket-channels"
    case streamChannels = "stream-channels"
    case channelSubscribers = "channel-subscribers"
    case socketBytes = "socket-bytes"
    case userRate = "user-rate"
    case channelRate = "channel-rate"
    case keyRate = "key-rate"

    /// What is counted, and what happens to what is too much.
    public var meaning: String {
        switch self {
        case .connections: "open connections on the client and API ports of a node; one more is closed at once"
        case .sockets:
            "clients' sockets and waiting polls of a node, shared out evenly to its event loops; one more is told when to come back"
        case .socketsPerUser: "sockets and waiting polls of one user on a node; one more is answered 429 `too_many_sockets`"
        case .socketsPerAddress: "the same from one source address (IPv6: /64)"
        case .connectRate: "clients taken in a second, 5,000 for each event loop unless set; others are told when to come back"
        case .connectBurst: "clients taken at once, two seconds' worth unless set; counted as `connect-rate`"
        case .connectRatePerAddress:
            "clients and new tokens taken from one source address in a second, four times as many at once; then 429 `too_fast`"
        case .memoryMegabytes:
            "resident memory of the process, three quarters of the machine's unless set; above it new clients and connections are answered "
                + "503 `overloaded`"
        case .headBytes: "a request's line and headers; more is answered 431"
        case .headers: "headers of a request; more are answered 431"
        case .headSeconds: "a request's head, from its first byte, or from the connection; then 408"
        case .requestSeconds: "a whole request, from its first byte; then 408"
        case .payloadBytes: "a message; more is answered 413"
        case .batchBytes: "a batch; more is answered 413"
        case .batchMessages: "messages in a batch; more are answered 413"
        case .pipelined: "unanswered requests of a connection; then its bytes wait"
        case .tokenSeconds: "a WebSocket that brings its token in its first frame; then it is closed with 4001"
        case .clientFrames: "frames that a WebSocket sends in a second, twice as many at once; then its bytes wait"
        case .clientBytes: "bytes that a WebSocket sends in a second, four times as many at once; then its bytes wait"
        case .clientPublishes: "messages that a WebSocket publishes in a second, twice as many at once; more are answered `too_fast`"
        case .socketChannels: "channels of a WebSocket, 255 at most; one more is answered `too_many_channels`"
        case .streamChannels: "channels of an event stream or a poll, 32 at most; one more is answered `too_many_channels`"
        case .channelSubscribers:
            "sockets of one event loop that listen to one channel; one more is answered `channel_full`, or closed with `try_later`"
        case .socketBytes: "bytes that wait for a client's socket, beside 64 KiB in the kernel; then it is closed with `slow_consumer`"
        case .userRate: "messages to one user in a second, twice as many at once; more are answered `too_fast`"
        case .channelRate: "messages on one channel in a second, twice as many at once; more are answered `too_fast`"
        case .keyRate:
            "messages of one API key in a second on a node, twice as many at once, unless the key says; more are answered `too_fast`"
        }
    }
}
