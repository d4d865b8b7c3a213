// The headers that Ringpost reads. While a head is parsed, the place of each is noted; every other header is checked,
// counted, and left where it is.

/// A header that the parser recognises; names are case-insensitive.
public enum KnownHeader: Int, CaseIterable, Sendable {
    case host, connection, upgrade, contentLength, transferEncoding, contentType, origin, expect
    case secWebSocketKey, secWebSocketVersion, secWebSocketProtocol
    case lastEventID, idempotencyKey, ringpostTTL
    case accept, acceptEncoding, authorization, forwardedFor, forwarded
    case accessControlRequestMethod, accessControlRequestHeaders

    /// How many there are: the length of a head's table.
    static let count = 21

    /// The header's name in lower case.
    public var name: StaticString {
        switch self {
        case .host: "host"
        case .connection: "connection"
        case .upgrade: "upgrade"
        case .contentLength: "content-length"
        case .transferEncoding: "transfer-encoding"
        case .contentType: "content-type"
        case .origin: "origin"
        case .expect: "expect"
        case .secWebSocketKey: "sec-websocket-key"
        case .secWebSocketVersion: "sec-websocket-version"
        case .secWebSocketProtocol: "sec-websocket-protocol"
        case .lastEventID: "last-event-id"
        case .idempotencyKey: "idempotency-key"
        case .ringpostTTL: "ringpost-ttl"
        case .accept: "accept"
        case .acceptEncoding: "accept-encoding"
        case .authorization: "authorization"
        case .forwardedFor: "x-forwarded-for"
        case .forwarded: "forwarded"
        case .accessControlRequestMethod: "access-control-request-method"
        case .accessControlRequestHeaders: "access-control-request-headers"
        }
    }

    /// Whether the header is a list, so that several lines of it mean one longer list (RFC 9110 5.3). Of every other
    /// header a request may have one line only: two programs that pick different ones are how requests get smuggled.
    public var isList: Bool {
        switch self {
        case .connection, .upgrade, .secWebSocketProtocol, .accept, .acceptEncoding, .forwardedFor, .forwarded,
            .accessControlRequestHeaders:
            true
        default: false
        }
    }

    /// The header of that name, or nil. Length and first letter leave at most one to compare with.
    /// - Parameter name: any bytes but CR; if it matches, it is a proper token.
    @inline(__always)
    static func match(_ name: UnsafeRawBufferPointer) -> KnownHeader? {
        guard name.count >= 4, let candidate = candidate(count: name.count, first: name[0] | 0x20) else { return nil }
        return equal(name, UnsafeRawBufferPointer(start: candidate.name.utf8Start, count: name.count)) ? candidate : nil
    }

    /// Whether `name` is `lowercased` but for case, both of the same length, at least 4. Names have letters and hyphens only:
    /// with bit 0x20 set a letter becomes small, a hyphen stays, and nothing else becomes either (but CR a hyphen).
    @inline(__always)
    private static func equal(_ name: UnsafeRawBufferPointer, _ lowercased: UnsafeRawBufferPointer) -> Bool {
        let count = name.count
        guard count >= 8 else {
            return half(name, 0) | 0x2020_2020 == half(lowercased, 0)
                && half(name, count &- 4) | 0x2020_2020 == half(lowercased, count &- 4)
        }
        var index = 0
        while index &+ 8 < count {
            if WordScan.load(name, index) | 0x2020_2020_2020_2020 != WordScan.load(lowercased, index) { return false }
            index &+= 8
        }
        // The last word overlaps the one before unless the length is a multiple of 8.
        return WordScan.load(name, count &- 8) | 0x2020_2020_2020_2020 == WordScan.load(lowercased, count &- 8)
    }

    @inline(__always)
    private static func half(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> UInt32 {
        bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self)
    }

    @inline(__always)
    private static func candidate(count: Int, first: UInt8) -> KnownHeader? {
        switch (count, first) {
        case (4, UInt8(ascii: "h")): .host
        case (6, UInt8(ascii: "a")): .accept
        case (6, UInt8(ascii: "e")): .expect
        case (6, UInt8(ascii: "o")): .origin
        case (7, UInt8(ascii: "u")): .upgrade
        case (9, UInt8(ascii: "f")): .forwarded
        case (10, UInt8(ascii: "c")): .connection
        case (12, UInt8(ascii: "c")): .contentType
        case (12, UInt8(ascii: "r")): .ringpostTTL
        case (13, UInt8(ascii: "a")): .authorization
        case (13, UInt8(ascii: "l")): .lastEventID
        case (14, UInt8(ascii: "c")): .contentLength
        case (15, UInt8(ascii: "a")): .acceptEncoding
        case (15, UInt8(ascii: "i")): .idempotencyKey
        case (15, UInt8(ascii: "x")): .forwardedFor
        case (17, UInt8(ascii: "s")): .secWebSocketKey
        case (17, UInt8(ascii: "t")): .transferEncoding
        case (21, UInt8(ascii: "s")): .secWebSocketVersion
        case (22, UInt8(ascii: "s")): .secWebSocketProtocol
        case (29, UInt8(ascii: "a")): .accessControlRequestMethod
        case (30, UInt8(ascii: "a")): .accessControlRequestHeaders
        default: nil
        }
    }
}
