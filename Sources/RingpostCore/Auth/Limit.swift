// The one table of what a node takes from clients, producers and strangers before it says no: under these names limits are set
// (`--limit name=value`), counted (`ringpost_limited_total{limit="…"}`) and documented (docs/guide/limits.md, `ringpost limits`).

/// A limit that can be set.
public enum Limit: String, Sendable, CaseIterable {
    case connections
    case connectionsPerAddress = "connections-per-address"
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
    case bodyBytes = "body-bytes"
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
    case clientNames = "client-names"
    case keyNames = "key-names"
    case historyRate = "history-rate"
    case historyMessages = "history-messages"
    case historyBytes = "history-bytes"
    case historySeconds = "history-seconds"
    case dataMegabytes = "data-megabytes"

    /// What is counted, and what happens to what is too much.
    public var meaning: String {
        switch self {
        case .connections:
            "open connections on the client and API ports of a node; as many as the process may have descriptors, less 512, unless set. An "
                + "eighth of them, 256 at most, is the API port's alone. 32 more of each port may ask once for `/healthz`, `/readyz` or "
                + "`/metrics`, others are closed at once"
        case .connectionsPerAddress:
            "of them those from one source address (of IPv6 the first 64 bits; the first 48 have four times as many, three quarters of all at "
                + "most); half of all, 4,096 at most, unless set; one more is closed at once. This machine itself and trusted proxies are not "
                + "counted, but whom a proxy names in the PROXY protocol"
        case .sockets:
            "WebSockets, event streams and waiting polls of a node, shared out evenly to its event loops; one more is told when to come back"
        case .socketsPerUser:
            "WebSockets, event streams and waiting polls of one user on a node; one more is answered 429 `too_many_sockets`, an event stream is "
                + "told when to come back"
        case .socketsPerAddress: "the same of one source address (of IPv6 the first 64 bits; the first 48 have four times as many)"
        case .connectRate:
            "clients that a node lets in during one second; 5,000 for each event loop unless set; others are told when to come back"
        case .connectBurst:
            "clients that a node lets in at once; as many as in two seconds unless set; what is too much counts as `connect-rate`"
        case .connectRatePerAddress:
            "clients and new tokens of one source address in a second (of an IPv6 /48 four times as many), and four times as many at once; more "
                + "are answered 429 `too_fast`, an event stream is told when to come back"
        case .memoryMegabytes:
            "resident memory of the process; three quarters of the machine's unless set; from seven eighths of it on, those go who hold most: "
                + "sockets with `slow_consumer`, requests with 503 `overloaded` or closed, then the oldest messages of the largest histories; "
                + "above it new connections are answered 503 `overloaded`"
        case .headBytes: "a request's line and headers; more is answered 431"
        case .headers: "headers of a request; more are answered 431"
        case .headSeconds:
            "the time that a request's head may take, from its first byte, or of the first request from the connection; then 408"
        case .requestSeconds: "the time that a whole request may take, from its first byte; then 408"
        case .payloadBytes: "a message's payload; more is answered 413"
        case .batchBytes: "a batch's body; more is answered 413"
        case .bodyBytes:
            "bytes of bodies that one event loop holds or expects for one API key, or for one source address without a key, while they come in or a batch "
                + "is worked off (at least two of `batch-bytes`); all together four times as many, and as many again for those who hold "
                + "256 KiB or less; what is more is answered 503 `overloaded`, others go on"
        case .batchMessages: "messages in a batch; more are answered 413"
        case .pipelined: "requests of one connection that are not answered yet; the next ones wait"
        case .tokenSeconds: "the time that a WebSocket has to bring its token in its first frame; then it is closed with 4001"
        case .clientFrames: "frames that one WebSocket sends in a second, and twice as many at once; what is more waits"
        case .clientBytes: "bytes that one WebSocket sends in a second, and four times as many at once; what is more waits"
        case .clientPublishes: "messages that one WebSocket publishes in a second, and twice as many at once; more are answered `too_fast`"
        case .socketChannels:
            "channels that one WebSocket listens to (in a URL a channel that stands twice counts twice); one more is answered "
                + "`too_many_channels`"
        case .streamChannels: "channels of one event stream or poll; one more is answered `too_many_channels`"
        case .channelSubscribers:
            "sockets of one event loop that listen to one channel; one more is answered `channel_full`, or closed with `try_later`"
        case .socketBytes: "bytes that wait for one client, besides 64 KiB in the kernel; then its socket is closed with `slow_consumer`"
        case .userRate: "messages to one user in a second, and twice as many at once; more are answered `too_fast`"
        case .channelRate: "messages to one channel in a second, and twice as many at once; more are answered `too_fast`"
        case .keyRate:
            "messages with one API key in a second on a node, and twice as many at once, unless the key has a rate of its own; more are "
                + "answered `too_fast`"
        case .clientNames:
            "users and channels with messages of one event loop that were first written to by one client, by its user or else its address; a "
                + "message to one more is answered 429 `too_many_names`"
        case .keyNames: "the same of one API key; producers without one have no such limit"
        case .historyRate:
            "KiB of history that one API key, user or source address pages through in a second on one event loop, and \(HistoryGate.burstSeconds) "
                + "times as much at once; a page counts as \(HistoryGate.pageKilobytesMin) at least; more are answered 429 `too_fast`"
        case .historyMessages:
            "messages that one user or channel keeps, unless its namespace says otherwise; the oldest goes first, and whoever has not seen it is "
                + "told `gap`. More than 10,000 only with `--data`"
        case .historyBytes:
            "bytes of messages that one user or channel keeps, likewise; one message is kept however large it is. More than "
                + "16 MiB only with `--data`"
        case .historySeconds:
            "the time for which a user or channel keeps a message, likewise; 0 for no bound. On copies and where little is asked for, old "
                + "messages go some at a time"
        case .dataMegabytes:
            "MiB of messages that a node with `--data` keeps, copies of other nodes' included, shared out evenly to its event loops; beyond it those "
                + "go that left memory first, whoever has not seen them is told `gap`, and each counts. The directory's files have some more: what was "
                + "dropped stays in them until they are written anew"
        }
    }
}
