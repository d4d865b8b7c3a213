// Which addresses only this machine reaches. What has no other protection may listen on these alone.
import NIOCore

enum LoopbackPolicy {
    /// 127.0.0.0/8, ::1 and "localhost". Any other name may mean anything, and counts as reachable by others.
    static func isLoopback(_ host: String) -> Bool {
        if host.lowercased() == "localhost" { return true }
        guard let address = try? SocketAddress(ipAddress: host, port: 0) else { return false }
        switch address {
        case .v4(let address): return UInt32(bigEndian: address.address.sin_addr.s_addr) >> 24 == 127
        case .v6(let address):
            let bytes = withUnsafeBytes(of: address.address.sin6_addr) { Array($0) }
            // An IPv4 address may come as ::ffff:127.0.0.1.
            if bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF { return bytes[12] == 127 }
            return bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
        case .unixDomainSocket: return false
        }
    }

    /// A sentence, unless the port is protected or only this machine reaches it.
    ///
    /// - Parameters:
    ///   - port: "link".
    ///   - isProtected: strangers are kept out by other means.
    ///   - remedy: "give it a secret with --link-secret-file".
    static func objection(to address: ListenAddress, port: String, isProtected: Bool, remedy: String) -> String? {
        if isProtected || isLoopback(address.host) { return nil }
        return "the \(port) port would take anybody in on \(address), where others than this machine reach it: "
            + "\(remedy), or listen on 127.0.0.1"
    }
}
