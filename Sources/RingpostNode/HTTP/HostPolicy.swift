// Keeps pages from reaching a port that asks nobody who they are, under a name of their own: whoever makes the name evil.example mean
// 127.0.0.1 for a moment has, for a browser, a page of the same origin as the node (DNS rebinding). Such a name has a dot in it, is no
// address, and is none that the node has.
import RingpostCore
import RingpostWire

enum HostPolicy {
    /// - Parameters:
    ///   - authority: `host[:port]`, as the request has it; `nil` for an old client, which is no browser.
    ///   - names: host names that the node is configured with.
    static func allows(_ authority: String?, names: [String?]) -> Bool {
        guard let authority, !authority.hasPrefix("[") else { return true }
        let host = authority.prefix { $0 != ":" }.lowercased()
        return !host.contains(".") || SourceAddress(host) != nil || host.hasSuffix(".localhost")
            || names.contains { $0?.lowercased() == host }
    }

    /// - Parameter peer: remembers the authority that was allowed last, so that it is not read with each message.
    /// - Throws: a problem for the page.
    static func check(_ head: HTTPRequestHead, _ peer: HTTPPeer, _ configuration: NodeConfiguration) throws(ProblemReport) {
        // No dot: no name of a page's, see above.
        let isFine = head.withAuthorityBytes { authority in
            guard let authority else { return true }
            return !authority.contains(UInt8(ascii: ".")) || authority.elementsEqual(peer.host)
        }
        if isFine { return }
        let names = [configuration.advertise, configuration.client.host, configuration.api.host] + configuration.hostNames
        if allows(head.authority, names: names) {
            peer.host = head.withAuthorityBytes { $0.map(Array.init) ?? [] }
            return
        }
        let name = LogText.escaped(String((head.authority ?? "").prefix { $0 != ":" }))
        throw ProblemReport(
            .forbiddenOrigin,
            "this node doesn't know the name \(name), and asks nobody who they are: start it with --host \(name) if that is its public name, "
                + "or use an address or localhost")
    }
}
