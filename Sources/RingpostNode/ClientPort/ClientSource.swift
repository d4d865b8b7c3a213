// Whom a request on the client port is counted for: what its proxies say in their headers, where they are trusted.
import RingpostCore
import RingpostWire

extension TrustedProxies {
    /// Whom limits count a request for; nobody's header is looked at who isn't trusted.
    ///
    /// - Parameter peer: the other end of the connection, or whom the PROXY protocol has named.
    func source(peer: SourceAddress?, _ head: HTTPRequestHead) -> SourceAddress? {
        guard let peer, !isEmpty, trusts(peer) else { return source(peer: peer, chains: []) }
        var chains: [[String?]] = []
        if let text = head[.forwarded] { chains.append(ForwardedHeader.chain(forwarded: text)) }
        if let text = head[.forwardedFor] { chains.append(ForwardedHeader.chain(forwardedFor: text)) }
        return source(peer: peer, chains: chains)
    }
}
