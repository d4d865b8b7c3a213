// Certificates as cluster/certs makes them, in a folder that goes with its owner.

import Foundation
import TestSupport

struct Certificates: Sendable {
    private let folder: TemporaryFolder

    var authority: String { folder.file("ca.pem") }
    /// Of a node whose client and API ports speak TLS.
    var ports: [String] { ["--tls-certificate", folder.file("server.pem"), "--tls-key", folder.file("server.key")] }

    /// Of a node whose links speak TLS.
    func links(_ id: String) -> [String] {
        [
            "--link-certificate", folder.file("link-\(id).pem"), "--link-key", folder.file("link-\(id).key"), "--link-authority", authority,
        ]
    }

    static func make(nodes: [String] = ["n1", "n2", "n3"]) async throws -> Certificates {
        let certificates = Certificates(folder: try TemporaryFolder("certs"))
        try await certificates.make(nodes)
        return certificates
    }

    private func make(_ nodes: [String]) async throws {
        let script = NSString.path(withComponents: URL(fileURLWithPath: #filePath).pathComponents.dropLast(4) + ["cluster", "certs"])
        let made = try ChildProcess("/bin/bash", arguments: [script, folder.path, "--nodes", nodes.joined(separator: ",")])
        guard try await made.waitForExit(deadlineSeconds: 120) == 0 else { throw HarnessError(made.output) }
    }

    /// Another certificate for the client and API ports in the old one's place.
    func renewPorts() async throws {
        try FileManager.default.removeItem(atPath: folder.file("server.names"))
        try await make(["n1"])
    }

    func breakPorts() throws { try folder.write("-----BEGIN CERTIFICATE-----\nno\n", to: "server.pem") }
}

/// `openssl s_client`: TLS that is not ours.
enum OpenSSL {
    /// Shakes hands and ends; returns everything that it says.
    static func shakeHands(port: Int, _ options: [String]) async throws -> String {
        let arguments = ["s_client", "-connect", "127.0.0.1:\(port)"] + options
        // Its standard input is at its end, so it closes once hands are shaken.
        let client = try ChildProcess("openssl", arguments: arguments)
        _ = try await client.waitForExit(deadlineSeconds: 60)
        return client.output
    }

    /// The serial number of the certificate that a port shows.
    static func serial(port: Int) async throws -> String {
        let output = try await shakeHands(port: port, [])
        guard let begin = output.range(of: "-----BEGIN CERTIFICATE-----"), let end = output.range(of: "-----END CERTIFICATE-----") else {
            throw HarnessError("no certificate: \(output)")
        }
        let folder = try TemporaryFolder("serial")
        let file = try folder.write(String(output[begin.lowerBound..<end.upperBound]) + "\n", to: "pem")
        let reader = try ChildProcess("openssl", arguments: ["x509", "-in", file, "-noout", "-serial"])
        _ = try await reader.waitForExit(deadlineSeconds: 60)
        return reader.output
    }
}
