// What a client asks for in its query: ?user=alice&channels=a,b&since=…&wait=25
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

struct ClientWish {
    /// The user, and where the mailbox begins; `nil` where only channels are listened to.
    let user: (key: Key, start: AttachStart)?
    /// Channels to listen to, and where each begins; without doubles.
    let channels: [(key: Key, start: AttachStart)]
    /// What the client knows already.
    let resumePoint: ResumePoint
    /// The client wants to hear who comes to its channels, and goes.
    let watches: Bool
    private let wait: Int?

    /// The wait when none is given.
    static let waitSecondsDefault = 25

    init(_ head: HTTPRequestHead, channelsMax: Int, mayBeEmpty: Bool, hasher: KeyHasher) throws(ProblemReport) {
        guard let query = HTTPQuery(head.query ?? ByteBufferView()) else {
            throw ProblemReport(.badParameter, "the query is not valid percent-encoding, or has too many parameters")
        }
        if query.count(of: "user") > 1 { throw ProblemReport(.badParameter, "user is given twice") }
        // What an EventSource brings when it reconnects is newer than what stands in its address.
        let lastSeen = head.withBytes(of: .lastEventID) { $0.map { Array($0) } }
        let since = lastSeen.flatMap { $0.isEmpty ? nil : $0 } ?? query.bytes("since") ?? []
        let resumePoint = try Self.resumePoint(since)
        let begin: AttachStart = since.elementsEqual("earliest".utf8) ? .earliest : .now
        self.resumePoint = resumePoint
        if let name = query.bytes("user") {
            user = (try Self.key(.user, name, hasher), resumePoint.user.map(AttachStart.after) ?? begin)
        } else {
            user = nil
        }
        var channels: [Key] = []
        for name in Self.channelNames(query) {
            let channel = try Self.key(.channel, name, hasher)
            if channels.contains(channel) { continue }
            if channels.count >= channelsMax { throw ProblemReport(.tooManyChannels, "at most \(channelsMax) channels are taken here") }
            channels.append(channel)
        }
        // A WebSocket can say later what it listens to.
        if user == nil, channels.isEmpty, !mayBeEmpty { throw ProblemReport(.badName, "say for whom: ?user=…, or to what: ?channels=…") }
        self.channels = channels.map { (key: $0, start: resumePoint[$0].map(AttachStart.after) ?? begin) }
        switch query["presence"] {
        case nil, "false": watches = false
        case "true": watches = true
        default: throw ProblemReport(.badParameter, "presence is true or false")
        }
        if let text = query["wait"] {
            guard let seconds = Int(text), seconds >= 0 else {
                throw ProblemReport(.badParameter, "wait takes a number of seconds")
            }
            wait = seconds
        } else {
            wait = nil
        }
    }

    func waitSeconds(max most: Int) -> Int { min(wait ?? Self.waitSecondsDefault, most) }

    /// A cursor of one mailbox, or "earliest"; with the next message unless given.
    static func start(_ since: [UInt8]?) throws(ProblemReport) -> AttachStart {
        guard let since, !since.isEmpty else { return .now }
        if since.elementsEqual("earliest".utf8) { return .earliest }
        guard let cursor = Cursor(text: since) else { throw ProblemReport(.badCursor) }
        return .after(cursor)
    }

    private static func resumePoint(_ since: [UInt8]) throws(ProblemReport) -> ResumePoint {
        if since.isEmpty || since.elementsEqual("earliest".utf8) { return ResumePoint() }
        guard let point = ResumePoint(text: since) else { throw ProblemReport(.badCursor) }
        return point
    }

    /// `channels=a,b` takes several, `channel=a,b` one whose name may hold a comma; each may be given again.
    private static func channelNames(_ query: HTTPQuery) -> [[UInt8]] {
        query.all("channels").flatMap { $0.split(separator: UInt8(ascii: ",")).map { Array($0) } } + query.all("channel")
    }

    private static func key(_ kind: KeyKind, _ name: [UInt8], _ hasher: KeyHasher) throws(ProblemReport) -> Key {
        do throws(NameError) { return try Key(kind, name: name, hasher: hasher) } catch {
            throw ProblemReport(.badName, error.message)
        }
    }
}
