// A TCP connection that sends and receives exactly the bytes it is told to: for what no decent client would do, and for asking nodes
// without a client library in between. Never blocks a thread.

import Foundation
import TestSupport

final class RawConnection {
    private let socket: Int32
    /// What has arrived and was not taken yet.
    private(set) var received: [UInt8] = []
    /// The other side has closed or reset the connection.
    private(set) var hasEnded = false

    /// Connects to a port on loopback.
    ///
    /// - Parameter receiveBufferBytes: a bound for what the kernel takes while nobody reads.
    init(port: Int, receiveBufferBytes: Int32? = nil) throws {
        socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw HarnessError("no socket: errno \(errno)") }
        if var bytes = receiveBufferBytes { setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size)) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        // All of it is initialized by now, so deinit closes the socket; twice would be once somebody else's.
        if result != 0 { throw RefusedConnection(port: port) }
    }

    deinit { close(socket) }

    func send(_ text: String, seconds: Double = 10) async throws { try await send(Array(text.utf8), seconds: seconds) }

    /// Sends all of it, or as much as the other side takes before it closes.
    func send(_ bytes: [UInt8], seconds: Double = 10) async throws {
        var sent = 0
        try await eventually(within: seconds, "\(bytes.count) bytes are sent", pollMilliseconds: 2) {
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Foundation.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                }
                if count < 0 { return errno != EAGAIN && errno != EINTR }
                sent += count
            }
            return true
        }
    }

    /// Waits until what has arrived satisfies the condition, which is also asked when the connection has ended.
    func receive(_ what: String, seconds: Double, until condition: ([UInt8]) throws -> Bool) async throws {
        try await eventually(within: seconds, "\(what); there came \(preview), ended: \(hasEnded)", pollMilliseconds: 2) {
            readAvailable()
            if try condition(received) { return true }
            if hasEnded { throw HarnessError("the connection has ended without \(what); there came \(preview)") }
            return false
        }
    }

    /// Everything up to the end of the connection.
    func receiveToEnd(seconds: Double) async throws -> [UInt8] {
        try await eventually(within: seconds, "the other side closes the connection", pollMilliseconds: 5) {
            readAvailable()
            return hasEnded
        }
        return take(received.count)
    }

    /// Looks once; does not wait.
    func readAvailable() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while !hasEnded {
            let count = recv(socket, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                received += chunk[..<count]
            } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
                hasEnded = true
            } else {
                return
            }
        }
    }

    /// Takes bytes off the front of what has arrived.
    func take(_ count: Int) -> [UInt8] {
        let front = Array(received.prefix(count))
        received.removeFirst(front.count)
        return front
    }

    private var preview: String { "\(received.count) bytes \(String(decoding: received.prefix(300), as: UTF8.self).debugDescription)" }
}

/// Nobody listens.
struct RefusedConnection: Error {
    let port: Int
}
