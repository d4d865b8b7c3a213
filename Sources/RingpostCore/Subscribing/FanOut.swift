// The last branch of a channel's tree: what comes for the channel goes to each of one event loop's sockets, in rounds. A round takes
// what has come so far to everybody, some at a time, so that a channel with ten thousand sockets keeps nobody else's messages waiting;
// what comes meanwhile is the next round's, and each socket gets it in one piece.
import DequeModule

/// The members of one channel on one event loop, and what is on its way to them.
public struct FanOut<Member: AnyObject, Item> {
    /// Items that wait for the next round; beyond it the oldest is dropped, and whoever misses it asks for it again.
    public static var itemsMax: Int { 1_024 }
    /// Members that are served at once, before everything else of the event loop has its turn.
    public static var sliceMembersMax: Int { 64 }

    private var members: [Member] = []
    private var indices: [ObjectIdentifier: Int] = [:]
    private var waiting: Deque<Item> = []
    private var round: [Item] = []
    /// The first member that has not been served in this round.
    private var index = 0

    /// Nobody yet.
    public init() {}

    /// How many there are.
    public var count: Int { members.count }
    /// Everybody.
    public var all: [Member] { members }

    /// Puts a member in, once. What is on its way already may come to it or not.
    public mutating func add(_ member: Member) {
        guard indices[ObjectIdentifier(member)] == nil else { return }
        indices[ObjectIdentifier(member)] = members.count
        members.append(member)
    }

    /// Whether a member is in.
    public func contains(_ member: Member) -> Bool { indices[ObjectIdentifier(member)] != nil }

    /// Takes a member out; nobody else is passed over or served twice for it.
    public mutating func remove(_ member: Member) {
        guard var gap = indices.removeValue(forKey: ObjectIdentifier(member)) else { return }
        if gap < index {
            // The last of those that were served takes its place, and leaves one among those that were not.
            index -= 1
            move(from: index, to: gap)
            gap = index
        }
        move(from: members.count - 1, to: gap)
        members.removeLast()
    }

    private mutating func move(from old: Int, to new: Int) {
        if old == new { return }
        members[new] = members[old]
        indices[ObjectIdentifier(members[new])] = new
    }

    /// Something has come for all.
    ///
    /// - Returns: whether an older item had to give way.
    public mutating func push(_ item: Item) -> Bool {
        waiting.append(item)
        if waiting.count <= Self.itemsMax { return false }
        waiting.removeFirst()
        return true
    }

    /// The next member to be served, and with what, in order; `nil` when everybody has everything.
    public mutating func next() -> (member: Member, items: [Item])? {
        if index >= members.count || round.isEmpty {
            index = 0
            round = Array(waiting)
            waiting.removeAll(keepingCapacity: true)
            if round.isEmpty || members.isEmpty {
                round = []
                return nil
            }
        }
        index += 1
        return (members[index - 1], round)
    }
}
