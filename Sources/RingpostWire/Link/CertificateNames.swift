// Whose a certificate is. Node ids are no host names: they are compared as they are written, without wildcards and with their case, because
// "N1" and "n1" are two nodes. Who has signed the certificate is checked by TLS, before anybody asks for names.

/// The names in a certificate.
public struct CertificateNames: Hashable, Sendable {
    /// Subject alternative names that are DNS names.
    public let dnsNames: [String]
    /// The subject's common name; the last, if it has several.
    public let commonName: String?
    /// It has alternative names of any kind, and then the common name counts for nothing (RFC 6125, 6.4.4).
    public let hasAlternatives: Bool

    /// Names as they are.
    public init(dnsNames: [String], commonName: String? = nil, hasAlternatives: Bool? = nil) {
        self.dnsNames = dnsNames
        self.commonName = commonName
        self.hasAlternatives = hasAlternatives ?? !dnsNames.isEmpty
    }

    /// Whether it is this node's certificate.
    public func fit(_ id: String) -> Bool { hasAlternatives ? dnsNames.contains(id) : commonName == id }

    /// For a sentence.
    public var text: String {
        let names = hasAlternatives ? dnsNames : commonName.map { [$0] } ?? []
        return names.isEmpty ? "nobody" : names.prefix(4).map { "\"\($0)\"" }.joined(separator: ", ")
    }
}
