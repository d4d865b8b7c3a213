// Makes a session expire on demand. The classical way, a second connection that resumes the session and closes it, needs the session's
// password; but the server computes that from the session's number with Java's generator and a constant, so a test can as well.

import Foundation

extension ZooKeeperServer {
    /// Ends a session on the server, as if it had timed out. Its client loses the connection, connects again and then learns of it.
    ///
    /// Speaks the wire protocol itself, so that it is of use to tests without the C library.
    /// - Throws: `DeadlineExceeded` if the server is not reached or still knows the session after 10 s.
    public func expireSession(_ sessionID: Int64) async throws {
        // Resuming cuts the client off, whose reconnection may in turn cut us off before our second message is read. Then: again.
        try await eventually(within: 10, "the end of session 0x\(String(sessionID, radix: 16)) on port \(port)") {
            let messages = Self.framed(Self.connectRequest(sessionID)) + Self.framed(Self.closeRequest)
            guard let answer = LoopbackSocket.ask(namespace.host, port: port, messages), answer.count >= 20 else { return false }
            // The answer: length, protocol version, time-out, session; the last is 0 once the server knows of no such session.
            return answer[12..<20].allSatisfy { $0 == 0 }
        }
    }

    private static func connectRequest(_ sessionID: Int64) -> [UInt8] {
        let version = bytes(Int32(0))
        let lastSeen = bytes(Int64(0))
        let timeout = bytes(Int32(4_000))
        let password = password(sessionID)
        return version + lastSeen + timeout + bytes(sessionID) + bytes(Int32(password.count)) + password
    }

    /// The request header of `closeSession`: a number of our own, and the operation -11.
    private static let closeRequest: [UInt8] = bytes(Int32(1)) + bytes(Int32(-11))

    private static func framed(_ message: [UInt8]) -> [UInt8] {
        bytes(Int32(message.count)) + message
    }

    private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    /// `ZooKeeperServer.generatePasswd` of ZooKeeper 3.8: 16 bytes of `new java.util.Random(id ^ 0xB3415C00L)`.
    private static func password(_ sessionID: Int64) -> [UInt8] {
        let multiplier: UInt64 = 0x5_DEEC_E66D
        let mask: UInt64 = (1 << 48) - 1
        var seed = (UInt64(bitPattern: sessionID) ^ 0xB341_5C00 ^ multiplier) & mask
        return (0..<4).flatMap { _ -> [UInt8] in
            seed = (seed &* multiplier &+ 0xB) & mask
            return withUnsafeBytes(of: UInt32(truncatingIfNeeded: seed >> 16).littleEndian) { Array($0) }
        }
    }
}
