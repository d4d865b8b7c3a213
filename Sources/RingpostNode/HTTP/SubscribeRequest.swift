// What a client asks for in its query: ?user=alice&channels=a,b&since=…&wait=25
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

struct SubscribeRequest {
    /// The user, and where the mailbox begins; `nil` where only channels are listened to.
    private(set) var user: (key: Key, start: AttachStart)?
    /// Channels to listen to, and where each begins; without doubles.
    let channels: [(key: Key, start: AttachStart)]
    /// What the client knows already.
    let resumePoint: ResumePoint
    /// The client wants to hear who comes to its channels, and goes.
    let watches: Bool
    private let wait: Int?
    /// Where the user's mailbox begins, also of one that the token names.
    private let userStart: AttachStart

    /// The wait when none is given.
    static let waitSecondsDefault = 25

    /// - Parameter mayBeEmpty: it may be said later what is listened to, or by a token.
    init(
        _ head: HTTPRequestHead, _ query: HTTPQuery, channelsMax: Int, mayBeEmpty: Bool, hasher: KeyHasher
    ) throws(ProblemReport) {
        if query.count(of: "user") > 1 { throw ProblemReport(.badParameter, "user is given twice") }
        // An EventSource that reconnects brings a newer place than the one in its address. What it has no place for yet, because nothing of it
        // had come, begins where the address says.
        let lastSeen = head.withBytes(of: .lastEventID) { $0.map { Array($0) } } ?? []
        let last = !lastSeen.isEmpty ? lastSeen : Self.lastEventID(query) ?? []
        let since = query.bytes("since") ?? []
        let resumePoint = try Self.resumePoint(last).filled(from: Self.resumePoint(since))
        let begin: AttachStart = [last, since].contains { $0.elementsEqual("earliest".utf8) } ? .earliest : .now
        self.resumePoint = resumePoint
        userStart = resumePoint.user.map(AttachStart.after) ?? begin
        if let name = query.bytes("user") { user = (try Key(requested: .user, name: name, hasher: hasher), userStart) }
        let names = Self.channelNames(query, countMax: channelsMax)
        if names.count > channelsMax { throw ProblemReport(.tooManyChannels, "at most \(channelsMax) channels are taken here") }
        var channels: [Key] = []
        var known = Set<Key>(minimumCapacity: names.count)
        for name in names {
            let channel = try Key(requested: .channel, name: name, hasher: hasher)
            if known.insert(channel).inserted { channels.append(channel) }
        }
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

    /// The wish, as far as the client may have it.
    ///
    /// - Throws: what it may not have. Nothing is left out silently: the client would wait for it.
    func granted(by grant: ClientGrant, shard: Shard) throws(ProblemReport) -> SubscribeRequest {
        var subscribeRequest = self
        if let name = grant.user {
            if let user, user.key.name != name {
                shard.counters.count(.wrongUser)
                throw ProblemReport(.forbidden, "the token is another user's than the one that is asked for")
            }
            let view = try shard.currentView()
            subscribeRequest.user = (try Key(requested: .user, name: name, hasher: view.hasher), userStart)
        }
        for (channel, _) in channels {
            try shard.check(
                grant, listensTo: channel, watches: watches,
                otherwise: "the token does not grant \(watches ? "to watch" : "to listen to") \(LogText.escaped(channel.text))")
        }
        return subscribeRequest
    }

    func waitSeconds(max most: Int) -> Int { min(wait ?? Self.waitSecondsDefault, most) }

    /// Where polyfills of EventSource put the last id that can't set a header: in the query, behind what stands there already, as
    /// `lastEventId` (Yaffle's, React Native's), `Last-Event-ID` in any case (Mercure's clients), or `evs_last_event_id` (amvtek's).
    private static func lastEventID(_ query: HTTPQuery) -> [UInt8]? {
        query.last { name in
            if name.elementsEqual("evs_last_event_id".utf8) { return true }
            return name.lazy.filter { $0 != UInt8(ascii: "-") }.map { $0 | 0x20 }.elementsEqual("lasteventid".utf8)
        }
    }

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

    /// `channels=a,b` takes several, `channel=a,b` one whose name may hold a comma; each may be given again. Where there are more than so
    /// many, doubles counted, it is one more: what a head has room for is far more than anybody may have.
    private static func channelNames(_ query: HTTPQuery, countMax: Int) -> [[UInt8]] {
        var names: [[UInt8]] = []
        for list in query.all("channels") where names.count <= countMax {
            names += list.split(separator: UInt8(ascii: ","), maxSplits: countMax - names.count).map { Array($0) }
        }
        return names + query.all("channel")
    }
}
