// Where a client's token stands in its request: in the Authorization header, for programs; in the query, because an EventSource can't send
// headers; among a WebSocket's subprotocols, because a page's WebSocket can't either, and a query stands in proxies' logs.
import NIOCore
import RingpostCore
import RingpostWire

enum ClientCredential: Equatable {
    /// The protocol that a page asks for besides the one that carries the token; the node's answer names it.
    static let subprotocol = "ringpost.v1"
    static let tokenSubprotocolPrefix = "ringpost.token."
    static let tokenBytesMax = 8_192

    case header([UInt8])
    case query([UInt8])
    case subprotocol([UInt8])
    /// A WebSocket may bring it in its first frame.
    case none

    /// - Throws: where there are two, or a header of another kind: whoever picks one might pick another than a proxy did.
    static func find(in head: HTTPRequestHead, query: HTTPQuery, isWebSocket: Bool) throws(ProblemReport) -> ClientCredential {
        var found: [ClientCredential] = []
        if head.has(.authorization) {
            guard let token = head.bearerToken else { throw ProblemReport(.unauthorized, "the Authorization header is not Bearer …") }
            found.append(.header(token))
        }
        if query.count(of: "access_token") > 0 { found.append(.query(query.bytes("access_token") ?? [])) }
        if query.count(of: "access_token") > 1 { found.append(.none) }
        if isWebSocket {
            for token in head.subprotocols where token.hasPrefix(tokenSubprotocolPrefix) {
                found.append(.subprotocol(Array(token.dropFirst(tokenSubprotocolPrefix.count).utf8)))
            }
        }
        guard found.count <= 1 else { throw ProblemReport(.unauthorized, "bring one token, in one place") }
        return found.first ?? .none
    }

    var token: [UInt8]? {
        switch self {
        case .header(let token), .query(let token), .subprotocol(let token): token
        case .none: nil
        }
    }

    /// A program sees the status of its request; a page does not, and is told by a WebSocket's close.
    var seesStatus: Bool { if case .header = self { true } else { false } }
}

extension HTTPRequestHead {
    /// What stands behind `Bearer ` in the Authorization header.
    var bearerToken: [UInt8]? {
        withBytes(of: .authorization) { bytes in
            guard let bytes, bytes.count > 7, bytes.prefix(7).map({ $0 | 0x20 }) == Array("bearer ".utf8) else { return nil }
            let token = bytes.dropFirst(7).drop { $0 == 0x20 }
            return token.isEmpty ? nil : Array(token)
        }
    }

    /// The subprotocols that a WebSocket offers, in their order.
    var subprotocols: [Substring] {
        guard has(.secWebSocketProtocol), let offered = self[.secWebSocketProtocol] else { return [] }
        return offered.split(separator: ",").map { part in
            var part = part.drop { $0 == " " || $0 == "\t" }
            while part.last == " " || part.last == "\t" { part.removeLast() }
            return part
        }
    }
}
