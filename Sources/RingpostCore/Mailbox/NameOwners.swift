// For whom the names of mailboxes with messages are counted, so that whoever fills a store is the first to lose something. Publishers without
// a credential are not counted.

/// The principals that have names in one shard's store.
struct NameOwners {
    /// A principal with names. Its mailboxes are a list, in the order in which they became its own.
    struct Owner {
        var principal: Principal
        var names = 0
        var first = MailboxLink.none
        var last = MailboxLink.none
    }

    private var numbers: [Principal: Int] = [:]
    /// A slab: places stay, freed ones are used again.
    var all: [Owner] = []
    private var free: [Int] = []
    /// Who had most names when names came last, or nearly so: when it loses some, others are looked at in turn.
    private var heaviestNumber = 0
    private var nextLook = 0
    /// Principals that are looked at when the heaviest one loses a name.
    private static let looksMax = 8

    var count: Int { numbers.count }

    func number(of principal: Principal) -> Int? { numbers[principal] }

    func names(of principal: Principal) -> Int { numbers[principal].map { all[$0].names } ?? 0 }

    /// Whoever has most; `nil` when nobody has any.
    var heaviest: Int? { all.indices.contains(heaviestNumber) && all[heaviestNumber].names > 0 ? heaviestNumber : nil }

    /// One more name of a principal.
    mutating func add(_ principal: Principal) -> Int {
        let number: Int
        if let known = numbers[principal] {
            number = known
        } else if let freed = free.popLast() {
            number = freed
            all[number] = Owner(principal: principal)
            numbers[principal] = number
        } else {
            number = all.count
            all.append(Owner(principal: principal))
            numbers[principal] = number
        }
        all[number].names += 1
        if all[number].names > all[heaviestNumber].names { heaviestNumber = number }
        return number
    }

    /// One less.
    mutating func remove(_ number: Int) {
        all[number].names -= 1
        if all[number].names == 0 {
            numbers[all[number].principal] = nil
            free.append(number)
        }
        guard number == heaviestNumber else { return }
        for _ in 0..<min(Self.looksMax, all.count) {
            nextLook = (nextLook + 1) % all.count
            if all[nextLook].names > all[heaviestNumber].names { heaviestNumber = nextLook }
        }
    }
}

extension MailboxTable {
    /// Mailboxes that are looked at for one that may go.
    private static let searchMax = 1_024
    /// Of one principal.
    private static let ownSearchMax = 64

    /// Whether one more name is within the budget of a principal.
    func mayTakeName(_ principal: Principal, limits: MailboxLimits) -> Bool {
        owners.names(of: principal) < (principal.isClient ? limits.clientNamesMax : limits.keyNamesMax)
    }

    /// A principal has written to a name: a new one is its own, another one if it goes over to it.
    ///
    /// - Returns: whether that has changed something.
    mutating func claim(_ mailboxIndex: Int, by principal: Principal) -> Bool {
        let before = all[mailboxIndex].principal
        if before == principal || all[mailboxIndex].appended > 1 && !goes(from: before, to: principal) { return false }
        give(mailboxIndex, to: principal)
        return true
    }

    /// Whether a name that counts for one principal counts for another one from now on, because that one writes to it too: those who bring
    /// no credential, or a key, take it over from clients, and among equals it goes to who has fewer. So nobody loses a history because
    /// somebody else was the first to write to its name.
    private func goes(from before: Principal, to principal: Principal) -> Bool {
        if before.isUnnamed || principal.isUnnamed { return !before.isUnnamed }
        if before.isClient != principal.isClient { return before.isClient }
        return owners.names(of: principal) + 1 < owners.names(of: before)
    }

    /// Counts a mailbox for a principal, and for nobody else.
    mutating func give(_ mailboxIndex: Int, to principal: Principal) {
        let before = all[mailboxIndex].principal
        if before == principal { return }
        if let number = owners.number(of: before) {
            let (earlier, later) = (all[mailboxIndex].earlier, all[mailboxIndex].later)
            if earlier >= 0 { all[Int(earlier)].later = later } else { owners.all[number].first = later }
            if later >= 0 { all[Int(later)].earlier = earlier } else { owners.all[number].last = earlier }
            owners.remove(number)
        }
        all[mailboxIndex].principal = principal
        if !principal.isUnnamed { append(mailboxIndex, to: owners.add(principal)) }
    }

    private mutating func append(_ mailboxIndex: Int, to number: Int) {
        let (link, last) = (Int32(truncatingIfNeeded: mailboxIndex), owners.all[number].last)
        all[mailboxIndex].earlier = last
        all[mailboxIndex].later = MailboxLink.none
        if last >= 0 { all[Int(last)].later = link } else { owners.all[number].first = link }
        owners.all[number].last = link
    }

    /// The mailbox that goes when the store is full: of the principal that wants one more name if it has more than an even share, or else of
    /// the one with most if that has, or else the one used longest ago. Never one that somebody is attached to.
    mutating func victim(for principal: Principal, mailboxesMax: Int) -> Int? {
        let share = mailboxesMax / (owners.count + 1)
        let own = owners.number(of: principal).flatMap { owners.all[$0].names > share ? $0 : nil }
        let offender = own ?? owners.heaviest.flatMap { owners.all[$0].names > share ? $0 : nil }
        let oldest = oldestUnattached()
        guard let offender else { return oldest }
        if let oldest, all[oldest].principal == owners.all[offender].principal { return oldest }
        return oldestUnattached(of: offender) ?? oldest
    }

    /// The one used longest ago that nobody is attached to. Attached ones that are met move to the other end, so the search is paid for once.
    private mutating func oldestUnattached() -> Int? {
        for _ in 0..<min(Self.searchMax, writtenCount) {
            guard let oldest = oldestWritten else { return nil }
            if all[oldest].attachments.isEmpty { return oldest }
            touch(oldest, now: all[oldest].lastUsed)
        }
        return nil
    }

    /// The same of one principal, among those that it has had longest; all that are met move to the other end.
    private mutating func oldestUnattached(of number: Int) -> Int? {
        var best: Int?
        for _ in 0..<min(Self.ownSearchMax, owners.all[number].names) {
            let next = Int(owners.all[number].first)
            if all[next].attachments.isEmpty, best.map({ all[next].lastUsed < all[$0].lastUsed }) ?? true { best = next }
            let later = all[next].later
            guard later >= 0 else { break }
            all[Int(later)].earlier = MailboxLink.none
            owners.all[number].first = later
            append(next, to: number)
        }
        return best
    }
}
