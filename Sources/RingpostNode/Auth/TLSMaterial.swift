// Certificates and keys in PEM files, and what TLS makes of them. Everything that can be wrong with them is said in a sentence that names
// the file: this is what an operator meets first.
import Glibc
import NIOSSL

/// Of which port a certificate is, for sentences.
enum TLSPurpose: Sendable {
    case clients
    case links

    var ports: String {
        switch self {
        case .clients: "the client and API ports"
        case .links: "the link port"
        }
    }
    var certificateOption: String { self == .clients ? "--tls-certificate" : "--link-certificate" }
    var keyOption: String { self == .clients ? "--tls-key" : "--link-key" }
}

/// What was read from the files at one time.
struct TLSMaterial: Sendable {
    let accepting: NIOSSLContext
    /// For links only.
    let dialling: NIOSSLContext?
    let leaf: NIOSSLCertificate
    /// What an operator should know, but what stops nothing.
    let warnings: [String]

    /// TLS says that it can't be used any more when it can't.
    static let expiryWarningSeconds = 7 * 86_400

    var serial: String { Self.hexadecimal(leaf.serialNumber) }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
    }

    /// - Parameter now: seconds since 1970.
    init(_ files: TLSFiles, for purpose: TLSPurpose, now: Int) throws(NodeError) {
        let chain = try Self.certificates(
            files.certificate, "the certificate of \(purpose.ports)", option: purpose.certificateOption)
        guard let leaf = chain.first else { throw NodeError("there is no certificate in \(files.certificate)") }
        let key = try Self.key(files, purpose)
        let authority = try files.authority.map { path throws(NodeError) in
            try Self.certificates(path, "the authority of \(purpose.ports)", option: "--link-authority")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = purpose == .clients ? ["http/1.1"] : []
        if let authority {
            // Producers need no certificate; of whom one is needed is decided when it is known who is there.
            configuration.certificateVerification = .optionalVerification
            configuration.trustRoots = .certificates(authority)
        }
        accepting = try Self.context(configuration, files)
        if let authority {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.minimumTLSVersion = .tlsv12
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(key)
            configuration.trustRoots = .certificates(authority)
            // Names are node ids, not host names: compared where it is known who should be there.
            configuration.certificateVerification = .noHostnameVerification
            dialling = try Self.context(configuration, files)
        } else {
            dialling = nil
        }
        self.leaf = leaf
        warnings = Self.warnings(files, leaf, now: now)
    }

    private static func certificates(_ path: String, _ what: String, option: String) throws(NodeError) -> [NIOSSLCertificate] {
        let bytes = try CredentialFile.read(path, what, option: option)
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(bytes), !certificates.isEmpty else {
            throw NodeError(
                "\(what) can't be understood: \(path) holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE----- "
                    + "(\(option))")
        }
        return certificates
    }

    private static func key(_ files: TLSFiles, _ purpose: TLSPurpose) throws(NodeError) -> NIOSSLPrivateKey {
        let bytes = try CredentialFile.read(files.key, "the private key of \(purpose.ports)", option: purpose.keyOption)
        // Asked for a passphrase, the library would ask on the terminal.
        guard let key = try? NIOSSLPrivateKey(bytes: bytes, format: .pem, passphraseCallback: { $0([UInt8]()) }) else {
            throw NodeError(
                "the private key of \(purpose.ports) can't be understood: \(files.key) holds no key in PEM, "
                    + "or one with a passphrase, which nodes can't ask for (\(purpose.keyOption))")
        }
        return key
    }

    private static func context(_ configuration: TLSConfiguration, _ files: TLSFiles) throws(NodeError) -> NIOSSLContext {
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            // The certificates and the key could be read each by itself, so they don't belong together.
            throw NodeError(
                "the key in \(files.key) does not fit the first certificate in \(files.certificate): give the key that it was made with")
        }
    }

    private static func warnings(_ files: TLSFiles, _ leaf: NIOSSLCertificate, now: Int) -> [String] {
        var warnings: [String] = []
        let left = leaf.notValidAfter - now
        if left < 0 {
            warnings.append("the certificate in \(files.certificate) has expired: nobody will accept it; put a new one in its place")
        } else if left < expiryWarningSeconds {
            warnings.append("the certificate in \(files.certificate) expires in \(left / 3_600) hours; put a new one in its place")
        }
        if leaf.notValidBefore > now {
            warnings.append("the certificate in \(files.certificate) is not valid yet: is this machine's clock right?")
        }
        if let sentence = FileExposure(path: files.key).warning(about: files.key, "the private key") { warnings.append(sentence) }
        return warnings
    }
}
