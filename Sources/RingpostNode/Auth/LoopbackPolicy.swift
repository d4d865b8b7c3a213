// Which addresses only this machine reaches. What has no other protection may listen on these alone.

enum LoopbackPolicy {
    static func isLoopback(_ host: String) -> Bool { HostName.isLoopback(host) }

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
