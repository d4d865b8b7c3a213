// The document about limits, docs/guide/limits.md, out of the constants that the program keeps: `ringpost limits --markdown` prints it, and a
// test holds the file against it.
import RingpostCore
import RingpostStore
import RingpostWire

/// Everything that a node bounds, in Markdown.
public enum LimitsDocument {
    /// The whole document, with its last line's end.
    public static func markdown() -> String {
        let settable = Limit.allCases.map { limit in
            let range = NodeLimits.range(of: limit)
            let value = NodeLimits().value(of: limit).map(grouped) ?? "computed"
            return "| `\(limit.rawValue)` | \(value) | \(grouped(range.lowerBound)) to \(grouped(range.upperBound)) | \(limit.meaning) |"
        }
        let fixed = sections.flatMap { section in
            ["", "### \(section.title)", "", "| what | bound |", "| --- | --- |"] + section.rows.map { "| \($0.what) | \($0.bound) |" }
        }
        return (introduction + settable + ["", "## Fixed bounds", "", fixedIntroduction] + fixed).joined(separator: "\n") + "\n"
    }

    private static let introduction = [
        "<!-- Written by `ringpost limits --markdown`. Change the program, not this file. -->", "", "# Limits", "",
        "What a node takes before it says no. Every queue, table, rate and size has a maximum, and an answer at it. Limits count for one",
        "node: three nodes take three times as many sockets of one user.", "", "## Settings", "",
        "`--limit sockets-per-user=20` sets one (repeatable; in the environment `RINGPOST_LIMIT`, comma separated; in the file",
        "`\"limit\":[\"sockets-per-user=20\"]`). `ringpost limits` prints this table. What was too much is counted:",
        "`ringpost_limited_total{limit=\"…\"}`, and where the answer has a code also `ringpost_messages_total{outcome=\"…\"}` or",
        "`ringpost_http_errors_total`.", "", "| limit | default | range | what it bounds, and what happens |",
        "| --- | ---: | ---: | --- |",
    ]

    private static let fixedIntroduction =
        "These can't be set. \"Loop\" is an event loop; a node has one for each core unless told otherwise."

    private struct Section {
        let title: String
        let rows: [(what: String, bound: String)]
    }

    private static let sections = [messages, clients, requests, memory, publishes, store, credentials, cluster]

    private static let messages: Section = {
        let mailbox = MailboxLimits()
        return Section(
            title: "Messages and histories",
            rows: [
                ("time to live of a message", "\(Publish.timeToLiveSecondsMax / 86_400) days"),
                ("nesting of JSON that a node reads", "\(JSONText.nestingMax) levels; deeper is refused with `bad_json`"),
                (
                    "messages that are looked at for age in one tick of a loop, where `history-seconds` is set",
                    "the oldest of each of \(grouped(MailboxLimits.agingLooksMax)) users and channels"
                ),
                (
                    "all histories of a loop, copies of other nodes' included",
                    "\(bytes(mailbox.storeBytesMax)); those that were used longest ago lose theirs first, with `--data` from memory only"
                ),
                (
                    "users and channels with messages that a loop knows",
                    "\(grouped(mailbox.mailboxesMax)), those of whoever has more than an even share go first; one that nobody uses is forgotten "
                        + "after \(mailbox.idleMilliseconds / 3_600_000) h"
                ),
                (
                    "users and channels without messages",
                    "\(grouped(mailbox.unwrittenMax)) that somebody listens to; one more is answered `overloaded`. When the last one leaves a "
                        + "channel it is forgotten, and of users when they left is remembered of the last \(grouped(mailbox.departedMax))"
                ),
                (
                    "a page of a history",
                    "\(grouped(HistoryQuery.countMax)) messages, and no more is read for one that has \(bytes(HistoryQuery.bytesMax)); one that is "
                        + "not there after \(HistoryQuery.millisecondsMax / 1_000) s is answered 503"
                ),
                (
                    "pages that a loop reads at a time",
                    "\(grouped(HistoryGate.pagesMax)), of them \(HistoryGate.pagesPerOwnerMax) for one API key, user or source address; more are "
                        + "answered `overloaded`, `too_fast`. The rate of \(grouped(HistoryGate.ownersMax)) of these is remembered"
                ),
                ("namespaces", "\(NamespaceTable.countMax), in a file of at most \(bytes(NamespaceFile.bytesMax))"),
                (
                    "idempotency keys that a loop remembers",
                    "\(grouped(mailbox.windowEntriesMax)), \(mailbox.windowMilliseconds / 1_000) s each, and "
                        + "\(mailbox.windowWaitMilliseconds / 1_000) s more for repeats that were asked for by then and had to wait. Keys that `RingpostClient` makes for "
                        + "itself take half of them at most; a repeat of one that is not remembered is looked for in the history. One client or API key has "
                        + "at most \(MailboxLimits.windowShareOfFree) times as many as are free; more are answered `window_full`"
                ),
            ])
    }()

    private static let clients: Section = {
        let limits = NodeLimits()
        return Section(
            title: "Clients",
            rows: [
                ("attachments of one user", "\(grouped(limits.mailbox.attachmentsMax)); more sockets of that user are not attached"),
                (
                    "channels that the sockets of a loop listen to",
                    "\(grouped(limits.channelsMax)); a socket that wants one more is closed with `try_later`"
                ),
                (
                    "messages of one channel that wait for a loop's sockets",
                    "\(grouped(FanOut<Subscription, StoredMessage>.itemsMax)); beyond it the sockets ask the history for what they missed "
                        + "(`ringpost_channel_dropped_total`)"
                ),
                ("users that a channel lists", "\(grouped(PresenceList.listedMax)); the sockets of more are only counted"),
                ("users who poll that a loop remembers between two polls", grouped(PollerTable.countMax)),
                ("wait of a poll", "\(limits.pollSecondsMax) s; a longer one is shortened"),
                (
                    "a WebSocket's command",
                    "\(bytes(WebSocketTransport.messageBytesMax)), beyond it the socket is closed with `too_large`; "
                        + "\(ClientCommand.namesMax) channels, \(JSONObject.countMax) members"
                ),
                ("publishes of one WebSocket under way", "\(ClientPublisher.inFlightMax); more are answered `overloaded`"),
                (
                    "silence of a WebSocket",
                    "\(limits.pingMilliseconds / 1_000) s, then it is pinged; after twice as long it is closed with `idle`"
                ),
                (
                    "a client whose machine acknowledges nothing (gone without a word, or it takes nothing)",
                    "\(limits.vanishedMilliseconds / 1_000) s from the first byte that waits for it, or "
                        + "\(limits.vanishedMilliseconds / 1_000 + Port.keepAlivePauseSeconds) s from its last one where none does; then "
                        + "its connection is closed. An event stream's next byte comes after \(limits.pingMilliseconds / 1_000) s at the latest"
                ),
            ])
    }()

    private static let requests: Section = {
        let limits = NodeLimits()
        return Section(
            title: "Requests and fairness",
            rows: [
                ("a connection without a request", "\(limits.keepAliveMilliseconds / 1_000) s, then it is closed"),
                (
                    "bytes that a connection sends after its end has begun",
                    "\(bytes(Connection.droppedBytesMax)), then it is closed at once; so much of the body of a request that is refused by its "
                        + "head is skipped without an end: \(bytes(HTTPConnection.skippedBytesMax))"
                ),
                ("a request's target", "\(grouped(HTTPLimits.targetBytesMax)) bytes; more is answered 414"),
                (
                    "requests of one connection under way whose answers may be large: polls, questions about the node",
                    "\(HTTPConnection.largeMax); the next one waits. So it does while more than `socket-bytes` of answers are ready behind an "
                        + "earlier one"
                ),
                (
                    "answers that are ready behind an earlier one, on all connections of a loop",
                    "\(bytes(HTTPConnection.shardReadyBytesMax)); beyond it nothing is taken behind a request whose answer may be large"
                ),
                ("a line of a batch", "\(JSONObject.countMax) members"),
                (
                    "requests that a loop serves before it looks at all its connections again",
                    "\(FairScheduler.requestsMax). Of these at most \(FairScheduler.sliceRequestsMax) come from one connection, and, while "
                        + "other connections wait, at most \(FairScheduler.requestsMax / 2) from connections that send their first request"
                ),
                (
                    "what counts as one request there",
                    "a request, or a WebSocket's frame. A large one counts once for each \(bytes(FairScheduler.bytesARequest)); channels count "
                        + "too: \(FairScheduler.channelsARequest) of a poll or an event stream, \(FairScheduler.namesARequest) of a WebSocket, "
                        + "which subscribes to the rest of them in later turns; a token whose signature is checked counts "
                        + "\(FairScheduler.requestsASignature) times"
                ),
                ("bytes that a loop writes before it looks at all its connections again", bytes(FlushScheduler.bytesMax)),
            ])
    }()

    private static let memory = Section(
        title: "When memory runs short",
        rows: [
            (
                "a connection that is ended, once a second, while seven eighths of `memory-megabytes` are taken",
                "the heaviest first: one for which \(bytes(MemoryShedder.heavyBytesMin)) are held (output, ready answers, input, bodies), or one "
                    + "with \(bytes(MemoryShedder.claimBytesMin)) of a user, key or address that holds \(bytes(MemoryShedder.heavyOwnerBytesMin)); "
                    + "of a loop \(MemoryShedder.endingsMax) at a time, of \(grouped(MemoryShedder.claimsMax)) that are looked at"
            ),
            (
                "a history that loses its older part where that is not enough, beyond fifteen sixteenths",
                "the largest first, down to \(bytes(HistoryTrim.bytesMin)); of a loop \(bytes(MemoryShedder.historyBytesMax)) or "
                    + "\(grouped(HistoryTrim.looksMax)) mailboxes a second"
            ),
            (
                "what was given up counts as gone although it still shows",
                "\(MemoryShedder.settleMilliseconds / 1_000) s"
            ),
        ])

    private static let publishes: Section = {
        let (limits, slots) = (NodeLimits(), SlotLimits())
        return Section(
            title: "Publishes under way",
            rows: [
                (
                    "publishes of a loop that wait for a ring or a link",
                    "\(grouped(limits.lanes.parkedMax)) or \(bytes(limits.lanes.parkedBytesMax))"
                ),
                (
                    "publishes of a loop that are forwarded, or wait for the mirror",
                    "\(grouped(limits.lanes.inFlightMax)) or \(bytes(limits.lanes.inFlightBytesMax)), and as many log entries of its slots "
                        + "(\(grouped(slots.uncommittedMax)), \(bytes(slots.uncommittedBytesMax)))"
                ),
                ("unanswered publishes on a producer's link", "\(grouped(LinkServer.producerInFlightMax)), then its bytes wait"),
                (
                    "bytes that wait for a link",
                    "\(bytes(limits.linkBytesMax)), then the member at its other end counts as out of reach"
                ),
            ])
    }()

    private static let store = Section(
        title: "The data directory (`--data`)",
        rows: [
            (
                "bytes of changes that wait for the disk",
                "\(bytes(StoreLimits.queueBytesMax)), or one tick of a loop that is larger; beyond it a loop keeps its changes, and acknowledges "
                    + "nothing of them"
            ),
            ("bytes that are written at a time", "\(bytes(StoreLimits.batchBytesMax)), or one tick that is larger"),
            (
                "slots, and parts of histories, that wait to be read",
                "\(grouped(StoreLimits.readsMax)) each; who asks for more asks again later"
            ),
            (
                "messages of one user or channel that memory keeps, where `history-messages` and `history-bytes` allow more",
                "\(grouped(MailboxLimits().memoryMessagesMax)) or \(bytes(MailboxLimits().memoryBytesMax)); those before them are read when they are "
                    + "asked for"
            ),
            (
                "requests of a loop for messages that memory does not have",
                "\(OlderReads.underWayMax) are read at a time, \(bytes(MailboxLimits().replayBytesMax)) each, and \(grouped(OlderReads.waitingMax)) "
                    + "wait; more, and those that have waited for \(OlderReads.millisecondsMax / 1_000) s, are told to ask again"
            ),
            (
                "memory for changes that are not in files yet, and for blocks that were read",
                "\(bytes(StoreLimits.memtableBytesMax)), and \(bytes(StoreLimits.cacheBytesMax + StoreLimits.headsCacheBytesMax))"
            ),
            (
                "for how long changes wait for the disk",
                "\(DiskPace.slowMilliseconds / 1_000) s; beyond it there is an alarm, and after \(StoreGate.waitMillisecondsMax / 1_000) s the node ends"
            ),
            (
                "operators that wait for what they are shown to be on the disk",
                "\(grouped(ShardStore.questionsMax)), each for \(ShardStore.questionMillisecondsMax / 1_000) s; then they are answered without it"
            ),
            ("the write-ahead log, which is read at a start", bytes(StoreLimits.logBytesMax)),
            ("files that are open", grouped(StoreLimits.filesMax)),
            (
                "boots that a directory remembers",
                "\(grouped(StoreLimits.bootsMax)), each a process or a session of it; the oldest go first"
            ),
        ])

    private static let credentials = Section(
        title: "Tokens and keys",
        rows: [
            ("a token", bytes(TokenText.bytesMax)),
            ("good tokens that a loop remembers", grouped(GrantCache.countMax)),
            ("keys for tokens", grouped(TokenKeySet.countMax)),
            ("API keys", grouped(APIKeyRecord.countMax)),
            ("patterns in one claim of a token, or of one API key", grouped(NamePatterns.countMax)),
            (
                "revocations",
                "\(grouped(RevocationList.countMax)). With one API key that is limited to names \(grouped(RevocationList.madeByOneMax)), and "
                    + "with all of these together all but the last \(grouped(RevocationList.keptMax))"
            ),
            ("clients that a loop ends in one turn because their tokens are good no more", "\(TokenSweep.endsMax)"),
            (
                "a fetch of published keys",
                "\(KeyAddress.fetchMillisecondsMax / 1_000) s, \(bytes(TokenKeyFile.bytesMax)) each document; "
                    + "from \(KeyAddress.countMax) addresses"
            ),
            (
                "wait of a client whose token names an unknown key",
                "\(TokenVerifier.waitMillisecondsMax / 1_000) s; of clients that wait at a time \(grouped(TokenVerifier.waitersMax)), more are "
                    + "refused at once"
            ),
            (
                "lines of the audit log that wait for the disk",
                "\(grouped(AuditLog.waitingMax)), more are lost and counted; of refusals \(AuditLog.refusalsPerSecond) a second are written"
            ),
            ("lines of the log that wait for its reader", "\(bytes(LogOutput.waitingBytesMax)), more are lost, counted and told"),
            ("source addresses whose rate is remembered", grouped(ConnectionQuotas.addressesMax)),
        ])

    private static let cluster: Section = {
        let (limits, slots) = (NodeLimits(), SlotLimits())
        return Section(
            title: "Cluster",
            rows: [
                ("members of a cluster", grouped(MembershipView.membersMax)),
                (
                    "connections to the link port that have not introduced themselves",
                    "\(grouped(ShardLinks.strangersMax)) of a loop, of them \(ShardLinks.strangersPerAddressMax) from one source address (twice as "
                        + "many from an IPv6 /48); \(limits.handshakeMilliseconds / 1_000) s each"
                ),
                (
                    "slots whose move a loop begins at a time",
                    "\(slots.movesAtFirst) at first, one more after every \(SlotLimits.movesGrowth) batches, \(slots.movesMax) at most. After each "
                        + "batch live traffic has \(SlotLimits.movePauseMilliseconds) ms. A slot that a publish waits for moves at once"
                ),
                (
                    "copies under way to or from one member",
                    "\(slots.copiesUnderWayMax) slots; those that a publish or an attachment waits for come on top"
                ),
                ("attachments of a loop that wait for an epoch or a slot's history", grouped(slots.attachesMax)),
                (
                    "names of other members that are looked up at a time",
                    "\(HostLookups.threadsMax), each once for all loops; beyond \(grouped(HostLookups.askersMax)) that wait, a name counts as unknown, "
                        + "and is asked for again later"
                ),
                (
                    "link frames of a loop that wait for an epoch",
                    "\(grouped(slots.parkedFramesMax)) or \(bytes(slots.parkedBytesMax))"
                ),
            ])
    }()

    /// 1000000 as 1,000,000.
    private static func grouped(_ number: some BinaryInteger) -> String {
        let digits = Array("\(number)")
        return digits.indices.reduce(into: "") { text, index in
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digits[index])
        }
    }

    private static func bytes(_ count: Int) -> String {
        count % 1_048_576 == 0 ? "\(grouped(count / 1_048_576)) MiB" : "\(grouped(count / 1_024)) KiB"
    }
}
