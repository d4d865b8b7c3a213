// Reading the names out of a certificate as it comes from TLS.
import RingpostWire
import X509

extension CertificateNames {
    /// - Parameter der: the certificate as it comes from TLS; one that can't be read is nobody's.
    init(der: [UInt8]) {
        guard let certificate = try? Certificate(derEncoded: der) else {
            self.init(dnsNames: [])
            return
        }
        var commonName: String?
        for attribute in certificate.subject.flatMap({ $0 }) where attribute.type == .RDNAttributeType.commonName {
            commonName = "\(attribute.value)"
        }
        // Alternatives that can't be read are alternatives all the same.
        guard let alternatives = try? certificate.extensions.subjectAlternativeNames else {
            let isThere = certificate.extensions[oid: .X509ExtensionID.subjectAlternativeName] != nil
            self.init(dnsNames: [], commonName: commonName, hasAlternatives: isThere)
            return
        }
        self.init(
            dnsNames: alternatives.compactMap { if case .dnsName(let name) = $0 { name } else { nil } }, commonName: commonName,
            hasAlternatives: true)
    }
}
