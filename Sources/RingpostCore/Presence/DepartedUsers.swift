// Users whose last socket has gone. The holders of their slots are told when, but not at once: when a node dies, all its users go in one
// moment, and most are back before their turn comes.
import DequeModule

/// Users who left a moment ago, in the order in which they left.
struct DepartedUsers {
    /// Users that are looked at in one tick, and those whose departure is logged in it.
    static let lookedMax = 4_096
    static let loggedMax = 256
    /// Beyond it the times of those who left first stay with the owner alone.
    static let countMax = 65_536

    private var users: Deque<Key> = []

    var count: Int { users.count }

    mutating func append(_ user: Key) { users.append(user) }
    mutating func append(contentsOf departed: [Key]) { users += departed }
    mutating func popFirst() -> Key? { users.popFirst() }
    /// Forgets the users who left first, beyond the maximum.
    mutating func trim() { if users.count > Self.countMax { users.removeFirst(users.count - Self.countMax) } }
}
