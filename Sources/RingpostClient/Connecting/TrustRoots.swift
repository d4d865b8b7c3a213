// Whom a client believes to be a node, over TLS: who shows a certificate for the name it was called by, signed by an
// authority of the system's, or by one of those that the caller names besides.
import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The authorities whose certificates are believed.
public struct TrustRoots: Sendable {
    /// The system's.
    public static let system = TrustRoots(TrustStore([]))

    /// What TLS needs, and the connections made with it.
    let store: TrustStore

    private init(_ store: TrustStore) { self.store = store }

    /// The system's authorities, and those in a file.
    ///
    /// - Parameter file: certificates in PEM.
    /// - Throws: ``TrustRootsError``, which says what is wrong with the file.
    public init(systemAnd file: String) throws(TrustRootsError) {
        let certificates: [NIOSSLCertificate]
        do { certificates = try NIOSSLCertificate.fromPEMFile(file) } catch {
            throw TrustRootsError(file: file, isReadable: FileManager.default.isReadableFile(atPath: file))
        }
        if certificates.isEmpty { throw TrustRootsError(file: file, isReadable: true) }
        self.init(TrustStore(certificates))
    }
}

/// A file that holds no authority.
public struct TrustRootsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Its name.
    public let file: String
    /// Whether it could be read at all.
    public let isReadable: Bool

    /// A sentence for whoever named it.
    public var description: String {
        isReadable ? "\(file) holds no certificate in PEM; give the authority's certificate (ca.pem)" : "can't read \(file)"
    }
}

/// The authorities, and what is made from them when it is first needed: reading the system's takes a moment, and a command
/// that only prints its help starts no thread.
final class TrustStore: Sendable {
    private struct Made {
        var context: NIOSSLContext?
        var http: HTTPClient?
    }

    private let configuration: TLSConfiguration
    private let made = Mutex(Made())

    init(_ authorities: [NIOSSLCertificate]) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.additionalTrustRoots = authorities.isEmpty ? [] : [.certificates(authorities)]
        self.configuration = configuration
    }

    deinit { made.withLock { $0.http }?.shutdown { _ in } }

    /// For WebSockets, event streams, polls, and questions; lives as long as this does, and its connections with it.
    var http: HTTPClient {
        made.withLock { made in
            if let http = made.http { return http }
            let http = SharedHTTP.makeClient(configuration)
            made.http = http
            return http
        }
    }

    /// A handler that speaks TLS with somebody whose certificate is for this name, or for the address that is connected to.
    ///
    /// - Parameter name: a host name or an address.
    func handler(for name: String) throws -> NIOSSLClientHandler {
        let context = try made.withLock { made in
            if let context = made.context { return context }
            let context = try NIOSSLContext(configuration: configuration)
            made.context = context
            return context
        }
        // An address is no server name (RFC 6066); without a name the certificate is held against the connection's address.
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : name)
    }
}

/// What went wrong with TLS, in words for whoever has to mend it.
enum TLSFailure {
    /// `nil` where it was something else.
    static func sentence(_ error: any Error, at url: String) -> String? {
        switch error {
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            return "the certificate of \(url) is for another name: \(error)"
        case NIOSSLError.handshakeFailed(let cause), let cause as BoringSSLError:
            let text = "\(cause)"
            if text.contains("CERTIFICATE_VERIFY_FAILED") {
                return "the certificate of \(url) is not signed by an authority that is trusted here (--ca FILE names one)"
            }
            if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") { return "\(url) does not speak TLS: is it http://?" }
            return "no TLS with \(url): \(text)"
        default: return error is NIOSSLError ? "no TLS with \(url): \(error)" : nil
        }
    }
}
