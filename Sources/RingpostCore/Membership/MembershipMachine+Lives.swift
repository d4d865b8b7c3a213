// A node that ends again and again soon after its start takes slots away from good owners each time, and leaves them waiting until its
// session is over. So it takes no weight for a while, which doubles each time. It is a member meanwhile, and an edge for its clients.

extension MembershipMachine {
    /// Why this node takes no weight, and until when.
    struct Pause: Sendable {
        let until: Int64
        let sentence: String
    }

    /// What an earlier process under this id has left in the roster.
    mutating func follow(_ former: Life, now: Int64) -> [MembershipAction] {
        let sessionTimeout = Int64((document ?? proposal).sessionTimeoutMilliseconds)
        life = life.following(former, sessionTimeoutMilliseconds: sessionTimeout)
        let milliseconds = life.pauseMilliseconds(sessionTimeout)
        guard milliseconds > 0, pause == nil else { return [] }
        let sentence =
            "this node has ended \(life.shortLives) times in a row soon after its start; it takes no weight for \(milliseconds / 1_000) s, until "
            + "\(Self.timeOfDay(life.since + (now - (startedAt ?? now)) + milliseconds)) UTC, so that it takes slots away from nobody; look why "
            + "it ends"
        pause = Pause(until: now + milliseconds, sentence: sentence)
        return [.alarm(sentence)]
    }

    /// Whether it has to do without weight. Where nobody else has any, a node that may end is better than none.
    func pauses(_ view: MembershipView, now: Int64) -> Bool {
        guard let pause, now < pause.until else { return false }
        return !view.othersWithWeight.isEmpty
    }

    /// Why this node takes no weight, for as long as that is so.
    public var weightObjection: String? {
        guard let pause, let view, view.own.map({ $0.weight == 0 }) ?? true, !view.othersWithWeight.isEmpty else { return nil }
        return pause.sentence
    }

    static func timeOfDay(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1_000 % 86_400
        return [seconds / 3_600, seconds / 60 % 60, seconds % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
    }
}
