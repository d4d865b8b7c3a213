// Who might still have a copy, or believe that it may act: what a new owner waits for when no member has a copy of a slot.

extension NodeMachine {
    /// So many of those that the roster names, and that are no members, are asked who they are. With more, the longest time is waited.
    public static let departedMax = 256

    /// What a slot waits for of which no member has a copy.
    public enum Vacancy: Equatable, Sendable {
        /// So many milliseconds.
        case wait(Int64)
        /// Ask these members' addresses which boot they have; then see ``NodeMachine/vacancyWait(after:)``.
        case ask([Member])
    }

    /// - Parameter roster: its entries. Who is a member by the newest view has been asked for its copies; of all others, also those that had
    ///   an entry's id before, nobody knows what they have.
    /// - Returns: `nil` while the cluster's times are not known.
    public func vacancy(roster: [Member]) -> Vacancy? {
        guard case .zooKeeper(let membership) = cluster, let document else { return document == nil ? nil : .wait(0) }
        let members = Set(membership.view?.members.map(\.identity) ?? [])
        let strangers = roster.flatMap { [$0] + $0.predecessors }.filter {
            !members.contains($0.identity) && !membership.wasEver($0.identity)
        }
        if strangers.isEmpty { return .wait(0) }
        if strangers.count > Self.departedMax { return .wait(Int64(document.vacancyMillisecondsMax)) }
        return .ask(strangers)
    }

    /// How long to wait: S + H if nobody is there any more; longer if somebody is there under another boot, who may come back with a copy;
    /// S + H + M if somebody may still act.
    public func vacancyWait(after results: [ProbeResult]) -> Int64? {
        guard let document else { return nil }
        var wait = document.vacancyMillisecondsMin
        for result in results {
            switch result {
            case .refused: break
            case .otherBoot: wait = max(wait, document.recoveryMilliseconds)
            case .sameBoot, .silent: return Int64(max(document.vacancyMillisecondsMax, document.recoveryMilliseconds))
            }
        }
        return Int64(wait)
    }
}
