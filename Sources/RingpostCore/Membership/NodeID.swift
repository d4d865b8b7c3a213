// What a node may be called. Ids become znode names, host names in logs and labels of metrics, so they stay plain ASCII;
// two spellings of one letter can't arise, and Swift's string equality is byte equality.

/// The rules for a node's id.
public enum NodeID {
    /// Ids take 1 to 64 bytes: they travel in every handshake and stand in every line of the log.
    public static let bytesMax = 64

    /// Checks an id: ASCII letters, digits, `.`, `_` and `-`.
    ///
    /// - Throws: ``NodeIDError``, whose message says what is wrong with it.
    public static func check(_ id: String) throws(NodeIDError) {
        if id.isEmpty { throw .empty }
        if id.utf8.count > bytesMax { throw .tooLong(bytes: id.utf8.count) }
        // "." and ".." are no names of znodes.
        if id.utf8.allSatisfy({ $0 == UInt8(ascii: ".") }) { throw .onlyDots }
        for byte in id.utf8 where !isAllowed(byte) { throw .badByte(byte) }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }
}

/// What can be wrong with a node's id.
public enum NodeIDError: Error, Equatable, Sendable {
    /// There is none.
    case empty
    /// More than ``NodeID/bytesMax``.
    case tooLong(bytes: Int)
    /// "." and ".." are no znode names.
    case onlyDots
    /// A byte that is no ASCII letter, digit, `.`, `_` or `-`.
    case badByte(UInt8)

    /// A sentence for whoever chose the id.
    public var message: String {
        switch self {
        case .empty: "the node id is empty"
        case .tooLong(let bytes): "the node id has \(bytes) bytes, at most \(NodeID.bytesMax) are allowed"
        case .onlyDots: "the node id consists of dots only"
        case .badByte(let byte):
            "the node id holds byte 0x\(String(byte, radix: 16)); only ASCII letters, digits, '.', '_' and '-' are allowed"
        }
    }
}
