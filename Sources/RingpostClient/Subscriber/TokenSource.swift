// Where a subscriber's tokens come from: one that is fixed, or somebody who makes a fresh one whenever that is needed.

/// Gives tokens (JWT) that say who a subscriber is.
public struct TokenSource: Sendable {
    /// Whoever is asked for a token answers within so long; while it is awaited, nothing is read.
    public static let answerSecondsMax: Int64 = 10

    private let fresh: @Sendable () async throws -> String

    /// - Parameter fresh: called before the first connection, when a node says that the token is about to expire, and after a node
    ///   has not taken it. The token that it gives then has to be another one; the same again ends the subscription.
    public init(_ fresh: @escaping @Sendable () async throws -> String) { self.fresh = fresh }

    /// Always the same one: the subscription ends when it expires.
    public static func fixed(_ token: String) -> TokenSource { TokenSource { token } }

    nonisolated(nonsending) func next() async throws(Disconnect) -> String {
        let fresh = fresh
        let token: String
        do {
            token = try await withThrowingTaskGroup(of: String.self) { group in
                group.addTask { try await fresh() }
                group.addTask {
                    try await Task.sleep(for: .seconds(Self.answerSecondsMax))
                    throw Disconnect("it has not answered for \(Self.answerSecondsMax) s")
                }
                defer { group.cancelAll() }
                guard let first = try await group.next() else { throw Disconnect("it has not answered") }
                return first
            }
        } catch {
            throw Disconnect("no token: \((error as? Disconnect)?.reason ?? "\(error)")")
        }
        guard Credential.isFit(token) else {
            let reason = "no token: what its source gives can't be one (1 to \(Credential.bytesMax) printable ASCII characters)"
            throw Disconnect(reason, final: .noToken(reason))
        }
        return token
    }
}
