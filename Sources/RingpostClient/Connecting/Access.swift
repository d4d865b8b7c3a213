// How a node is approached: where it is, whom to believe that it is one, and what to show it. A credential travels as
// `Authorization: Bearer …` (RFC 6750), be it a token or an API key.

/// One node's port, as somebody with these rights sees it.
struct Access: Sendable {
    let url: Endpoint
    let trust: TrustRoots
    /// A token or an API key; `nil` where none is asked for.
    var credential: String?

    init(_ url: Endpoint, trust: TrustRoots = .system, credential: String? = nil) {
        self.url = url
        self.trust = trust
        self.credential = credential
    }

    /// What requests have besides what they are about.
    var headers: [(String, String)] { credential.map { [("Authorization", "Bearer \($0)")] } ?? [] }
}

enum Credential {
    /// A node's head of a request has no more room.
    static let bytesMax = 8_192

    /// Whether it can stand in a header at all: a line's end in it would begin another header.
    static func isFit(_ text: String) -> Bool {
        (1...bytesMax).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
}
