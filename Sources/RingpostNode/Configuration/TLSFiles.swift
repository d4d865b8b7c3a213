// The files that hold a port's certificate and key.

/// Where a port's certificate is.
public struct TLSFiles: Hashable, Sendable {
    /// The node's certificate, and behind it those of authorities in between, in PEM.
    public let certificate: String
    /// Its private key, in PEM, without a passphrase.
    public let key: String
    /// On links: the authority that has signed the nodes' certificates, in PEM.
    public let authority: String?

    /// Paths.
    public init(certificate: String, key: String, authority: String? = nil) {
        self.certificate = certificate
        self.key = key
        self.authority = authority
    }

    var paths: [String] { [certificate, key] + (authority.map { [$0] } ?? []) }
}
