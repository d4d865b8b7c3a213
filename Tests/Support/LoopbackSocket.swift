// The few blocking socket calls that the harness needs to ask a server a question: send bytes to a port, read the answer.
// It blocks its thread for at most its time-out, so it is for tests only.

import Foundation

/// Blocking TCP, on 127.0.0.1 unless told otherwise.
enum LoopbackSocket {
    /// The bytes read from one answer; the rest is not looked at.
    static let answerBytesMax = 65_536

    /// A TCP socket that child processes don't inherit, or -1.
    static func open() -> Int32 {
        socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }

    static func withAddress<R>(
        _ host: String = ProcessNamespace.loopback.host, port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
    ) -> R {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr(host)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    /// Sends a question and reads until the server closes, the limit is reached, or nothing comes for the time-out. `nil` if nobody
    /// listens; empty if nobody answers.
    static func ask(
        _ host: String = ProcessNamespace.loopback.host, port: Int, _ question: [UInt8], timeoutMilliseconds: Int = 1_000
    ) -> [UInt8]? {
        let socket = open()
        guard socket >= 0 else { return nil }
        defer { close(socket) }
        var timeout = timeval(tv_sec: timeoutMilliseconds / 1_000, tv_usec: timeoutMilliseconds % 1_000 * 1_000)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        guard withAddress(host, port: port, { connect(socket, $0, $1) }) == 0 else { return nil }
        guard send(socket, question, question.count, Int32(MSG_NOSIGNAL)) == question.count else { return [] }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while answer.count < answerBytesMax {
            let count = recv(socket, &chunk, chunk.count, 0)
            guard count > 0 else { break }
            answer += chunk[..<count]
        }
        return answer
    }
}
