// Orders about who may be connected: a user's sockets closed, a user or a token refused until it would have expired.
import FoundationEssentials
import NIOHTTP1
import RingpostWire

extension OperatorClient {
    /// Closes all sockets of a user.
    ///
    /// - Parameter resume: tells them to come back, instead of to stay away.
    public func disconnect(user: String, resume: Bool = false) async throws(OperatorError) -> DisconnectReport {
        let path = Self.path(user: user) + "/disconnect"
        return try Self.decode(await ask(path, method: .POST, body: try Self.json(DisconnectOrder(resume: resume))).body)
    }

    /// Lets nobody in, from now on, with a user's tokens, and closes the sockets that were opened with them.
    ///
    /// - Parameters:
    ///   - token: only this one (its `jti`).
    ///   - expires: when the token expires by itself (its `exp`, in seconds since 1970): so long the node remembers it. `nil`: as long
    ///     as any token may be valid.
    public func revoke(user: String, token: String? = nil, expires: Int64? = nil) async throws(OperatorError) -> Revocation {
        let order = RevocationOrder(user: user, token: token, expires: expires)
        return try Self.decode(await ask("/v1/revocations", method: .POST, body: try Self.json(order)).body)
    }

    /// Lets nobody in, from now on, with tokens that a key has signed, or that were issued in a second or before, and closes the sockets that
    /// were opened with them.
    ///
    /// - Parameters:
    ///   - key: the key's id; `nil` for all keys.
    ///   - issuedBefore: in seconds since 1970; `nil`, where there is a key, if it doesn't matter.
    public func revoke(key: String?, issuedBefore: Int64?) async throws(OperatorError) -> Revocation {
        let order = RevocationOrder(key: key, issuedBefore: issuedBefore)
        return try Self.decode(await ask("/v1/revocations", method: .POST, body: try Self.json(order)).body)
    }

    /// What is revoked.
    public func revocations() async throws(OperatorError) -> [Revocation] {
        let report: RevocationsReport = try Self.decode(await get("/v1/revocations"))
        return report.revocations
    }

    private static func json(_ order: some Encodable) throws(OperatorError) -> String {
        do { return String(decoding: try JSONEncoder().encode(order), as: UTF8.self) } catch {
            throw .unreadable("the order can't be written: \(error)")
        }
    }
}
