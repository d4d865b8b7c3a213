// The bytes that stand for frames, problems and flags on a link.

enum LinkFrameType: UInt8 {
    case hello = 0x01
    case welcome = 0x02
    case refuse = 0x03
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
    case ping = 0x30
    case pong = 0x31
    case ask = 0x40
    case told = 0x41
}

enum LinkFlag {
    static let restarts: UInt8 = 1
    static let isRepeatable: UInt8 = 2
    static let isJSON: UInt8 = 4

    static let gap: UInt8 = 1
    static let isLive: UInt8 = 2
    static let hasMore: UInt8 = 4

    static let mirrored: UInt8 = 1
    static let repeated: UInt8 = 2

    static let reachesZooKeeper: UInt8 = 1
    static let isLeaving: UInt8 = 2
}

enum LinkStart: UInt8 {
    case now = 0
    case earliest = 1
    case after = 2
}

/// Stands for "no time to live".
let noTimeToLive = UInt32.max
