// Certificates for TLS in these tests: each its own authority, for a hundred years, and with a key that is no secret.
import FoundationEssentials
import NIOSSL

@testable import RingpostClient

/// Somebody to be, over TLS.
enum TestCertificate: CaseIterable {
    /// localhost, n1 and 127.0.0.1.
    case here
    /// A name that nobody in these tests is called by.
    case elsewhere

    private static let keyPEM = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHE09IPN/Cjeo9EXf
        xH3YDXPpx7j1L0ic8f6lN4rL6KqhRANCAARQ+P4g7iPCW+KJNgcLh9Jz86ogy7Zi
        5EFsRVWpGQV9sl67Jr+g2puHWhQcaP+WUxqkMEr5JWS7bFCZVV7P25PL
        -----END PRIVATE KEY-----
        """

    private var pem: String {
        switch self {
        case .here:
            """
            -----BEGIN CERTIFICATE-----
            MIIBczCCARmgAwIBAgIUfGRxSV8FvzUQuTiajKY2k9ayGt4wCgYIKoZIzj0EAwIw
            HjEcMBoGA1UEAwwTUmluZ3Bvc3QgdGVzdDogaGVyZTAgFw0yMDAxMDEwMDAwMDBa
            GA8yMTIwMDEwMTAwMDAwMFowHjEcMBoGA1UEAwwTUmluZ3Bvc3QgdGVzdDogaGVy
            ZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFD4/iDuI8Jb4ok2BwuH0nPzqiDL
            tmLkQWxFVakZBX2yXrsmv6Dam4daFBxo/5ZTGqQwSvklZLtsUJlVXs/bk8ujMzAx
            MA8GA1UdEwEB/wQFMAMBAf8wHgYDVR0RBBcwFYIJbG9jYWxob3N0ggJuMYcEfwAA
            ATAKBggqhkjOPQQDAgNIADBFAiEA9tKJIEbPu7Yl2OlCVIwn5Nii4DN/W5voVUfk
            YrkBipoCIDdqg73giYtuF9jh9XXSQ9Qj8LwdrZHCEu4v+Q7a+hbQ
            -----END CERTIFICATE-----
            """
        case .elsewhere:
            """
            -----BEGIN CERTIFICATE-----
            MIIBdDCCARmgAwIBAgIUYNc8WQhX91Mw2aUsgcWZ+Ih2jBcwCgYIKoZIzj0EAwIw
            IzEhMB8GA1UEAwwYUmluZ3Bvc3QgdGVzdDogZWxzZXdoZXJlMCAXDTIwMDEwMTAw
            MDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAjMSEwHwYDVQQDDBhSaW5ncG9zdCB0ZXN0
            OiBlbHNld2hlcmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARQ+P4g7iPCW+KJ
            NgcLh9Jz86ogy7Zi5EFsRVWpGQV9sl67Jr+g2puHWhQcaP+WUxqkMEr5JWS7bFCZ
            VV7P25PLoykwJzAPBgNVHRMBAf8EBTADAQH/MBQGA1UdEQQNMAuCCWVsc2V3aGVy
            ZTAKBggqhkjOPQQDAgNJADBGAiEA2EOxi+jqOVjsmAbHVgMKpntUgigMTeYiPmpG
            cJ5jfdQCIQCPaMgC54QOzZXG2lOcYLzqAi3xTX8205qD/5TIB/UT2w==
            -----END CERTIFICATE-----
            """
        }
    }

    /// What a server shows.
    func server() throws -> NIOSSLContext {
        let certificate = try NIOSSLCertificate(bytes: Array(pem.utf8), format: .pem)
        let key = try NIOSSLPrivateKey(bytes: Array(Self.keyPEM.utf8), format: .pem)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(certificateChain: [.certificate(certificate)], privateKey: .privateKey(key)))
    }

    /// Who believes them both, as `--ca` says it.
    static func roots() throws -> TrustRoots {
        let file = FileManager.default.temporaryDirectory.appending(path: "ringpost-test-\(UInt64.random(in: 0 ... .max)).pem").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data(allCases.map(\.pem).joined(separator: "\n").utf8).write(to: URL(filePath: file))
        return try TrustRoots(systemAnd: file)
    }
}
