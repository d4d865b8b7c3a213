// Who might still have a copy, or believe that it may act: what a new owner waits for when no member has a copy of a slot.

extension NodeMachine {
    /// So many of those that the roster names, and that are no members, are asked who they are. With more, the longest time is waited.
    public static let departedMax = 256

    /// What a slot waits for of which no member has a copy.
    public enum Vacancy: Equatable, Sendable {
        /// So many milliseconds.
        case wait(Int64)
        /// Ask these members' addresses which boot they have; then see ``NodeMachine/vacancyWait(areGone:)``.
        case ask([Member])
    }

    /// - Parameters:
    ///   - departed: entries of the roster whose boot is no member.
    ///   - unreadable: entries that can't be read: somebody's, who can't be asked.
    /// - Returns: `nil` while the cluster's times are not known.
    public func vacancy(departed: [Member], unreadable: Int = 0) -> Vacancy? {
        guard case .zooKeeper(let membership) = cluster, let document else { return document == nil ? nil : .wait(0) }
        let strangers = membership.strangers(among: departed)
        if strangers.isEmpty, unreadable == 0 { return .wait(0) }
        if strangers.count > Self.departedMax || unreadable > 0 { return .wait(Int64(document.vacancyMillisecondsMax)) }
        return .ask(strangers)
    }

    /// Of these those that were never this process.
    public func strangers(among departed: [Member]) -> [Member] {
        if case .zooKeeper(let membership) = cluster { membership.strangers(among: departed) } else { [] }
    }

    /// How long to wait: S + H if all of them are gone, S + H + M otherwise.
    public func vacancyWait(areGone: Bool) -> Int64? {
        document.map { Int64(areGone ? $0.vacancyMillisecondsMin : $0.vacancyMillisecondsMax) }
    }

    /// Nobody acts any more under the boot that was asked for.
    public static func isGone(_ result: ProbeResult) -> Bool {
        switch result {
        case .refused, .otherBoot: true
        case .sameBoot, .silent: false
        }
    }
}
