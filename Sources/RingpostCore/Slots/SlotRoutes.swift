// Where the publishes of each slot go, kept up to date so that nothing is looked up on the way of a message.

/// The routes of one shard's slots.
struct SlotRoutes {
    private var routes: [PublishLanes.Route]
    private let shardCount: Int

    init(layout: ShardSlots) {
        routes = Array(repeating: .nobody, count: layout.count)
        shardCount = layout.shardCount
    }

    subscript(slotIndex: Int) -> PublishLanes.Route { routes[slotIndex] }

    /// Whether this node is the owner of a slot.
    func isHere(_ slotIndex: Int) -> Bool { if case .here = routes[slotIndex] { true } else { false } }

    mutating func set(_ route: PublishLanes.Route, at slotIndex: Int) { routes[slotIndex] = route }

    /// Another member is reached in another way: its slots get a new route.
    mutating func set(_ route: PublishLanes.Route, where isConcerned: (Int) -> Bool) {
        for slotIndex in routes.indices where isConcerned(slotIndex) { routes[slotIndex] = route }
    }

    /// The routes as they are now, for the lanes.
    var routing: ShardRouting { ShardRouting(routes: routes, shardCount: shardCount) }
}

/// The routes as the lanes look at them, by slot.
struct ShardRouting {
    let routes: [PublishLanes.Route]
    let shardCount: Int

    func route(_ slot: Int) -> PublishLanes.Route { routes[slot / shardCount] }
}

extension PublishLanes.Route {
    /// To this node, now or soon.
    var isOwn: Bool {
        switch self {
        case .here, .preparing: true
        case .peer, .unreachable, .nobody: false
        }
    }
}
