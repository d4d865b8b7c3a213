// An origin as browsers send it (RFC 6454, 6.2; WHATWG HTML, "origin"): lower case, without a default port, a path or a trailing slash.
// A setting that is written otherwise would never match, and nobody would be told.

/// Origins of pages.
public enum WebOrigin {
    private static let defaultPorts = ["http": 80, "https": 443]

    /// The form in which a browser sends it.
    ///
    /// - Parameter text: `https://app.example.com`, `https://app.example.com:443/`, or `*` for every origin.
    /// - Throws: a sentence for what no browser ever sends.
    public static func canonical(_ text: String) throws(NodeError) -> String {
        if text == "*" { return text }
        func fault(_ why: String) -> NodeError {
            NodeError("allowOrigin \"\(text)\" \(why): write scheme://host or scheme://host:port, as https://app.example.com")
        }
        guard let colon = text.range(of: "://") else { throw fault("has no scheme") }
        let scheme = text[..<colon.lowerBound].lowercased()
        guard !scheme.isEmpty,
            scheme.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || [0x2B, 0x2D, 0x2E].contains($0) })
        else { throw fault("has no scheme") }
        var authority = text[colon.upperBound...]
        if authority.hasSuffix("/") { authority = authority.dropLast() }
        if authority.contains(where: { "/?#@".contains($0) }) { throw fault("has more than an origin") }
        if authority.contains("*") { throw fault("has a star, which stands for no part of an origin") }
        let hasPort = authority.hasPrefix("[") ? !authority.hasSuffix("]") : authority.contains(":")
        guard let address = ListenAddress(hasPort ? String(authority) : "\(authority):0"), !hasPort || address.port > 0,
            HostName.isValid(address.host)
        else { throw fault("has no host that a browser sends (a name of other letters as xn--…)") }
        let port = !hasPort || defaultPorts[scheme] == address.port ? 0 : address.port
        let host = ListenAddress(host: address.host.lowercased(), port: port).description
        return "\(scheme)://" + (port == 0 ? String(host.dropLast(2)) : host)
    }
}
