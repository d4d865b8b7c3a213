// The bytes that stand for frames, problems and flags on a link.

enum LinkFrameType: UInt8 {
    case hello = 0x01
    case welcome = 0x02
    case refuse = 0x03
    case challenge = 0x04
    case proof = 0x05
    case forward = 0x10
    case produce = 0x11
    case receipt = 0x12
    case refusal = 0x13
    case attach = 0x20
    case attached = 0x21
    case attachRefused = 0x22
    case detach = 0x23
    case detached = 0x24
    case deliver = 0x25
    case presenceReport = 0x26
    case presenceNews = 0x27
    case ping = 0x30
    case pong = 0x31
    case ask = 0x40
    case told = 0x41
    case members = 0x42
    case slotInquire = 0x50
    case slotFetch = 0x51
    case slotAdopt = 0x52
    case slotFill = 0x53
    case slotAppend = 0x54
    case slotRelease = 0x55
    case slotKeepers = 0x56
    case slotRetained = 0x57
    case slotHoldings = 0x58
    case slotPiece = 0x59
    case slotAcknowledge = 0x5A
    case slotMismatch = 0x5B
    case slotReleased = 0x5C
    case slotRefused = 0x5D
    case slotAcknowledgeCopies = 0x5E
}

enum LinkFlag {
    static let restarts: UInt8 = 1
    static let isRepeatable: UInt8 = 2
    static let isJSON: UInt8 = 4
    static let mayBeRepeat: UInt8 = 8
    static let isForgettable: UInt8 = 16
    static let hasPrincipal: UInt8 = 32
    static let hasSender: UInt8 = 64

    static let gap: UInt8 = 1
    static let isLive: UInt8 = 2
    static let hasMore: UInt8 = 4

    static let mirrored: UInt8 = 1
    static let repeated: UInt8 = 2
    static let isSomebodys: UInt8 = 4
    static let durable: UInt8 = 8
    /// Beside `mirrored`, so that programs which don't know it see two copies.
    static let threeCopies: UInt8 = 16

    static let isWhole: UInt8 = 1
    static let wantsNews: UInt8 = 2
    static let wantsList: UInt8 = 4
    static let lingers: UInt8 = 1

    static let isFirst: UInt8 = 1
    static let isLast: UInt8 = 2
    static let isThere: UInt8 = 4

    static let reachesZooKeeper: UInt8 = 1
    static let isLeaving: UInt8 = 2
    static let isDraining: UInt8 = 4
}

enum LinkStart: UInt8 {
    case now = 0
    case earliest = 1
    case after = 2
    case newest = 3
    case before = 4
    /// Now, and the edge first asked so many milliseconds ago.
    case nowSince = 5
}

/// Stands for "no time to live".
let noTimeToLive = UInt32.max

enum LinkEntry: UInt8 {
    case message = 1
    case rememberedMessage = 2
    case created = 3
    case nothing = 4
    case seen = 5
    case belongs = 6
}

enum LinkItem: UInt8 {
    case mailbox = 1
    case message = 2
    case remembered = 3
}

enum LinkHolding: UInt8 {
    case copy = 1
    case none = 2
    case retained = 3
    case evidence = 4
}
