// The client's side of a WebSocket, frame by frame and as wrong as a test wants it; what the node sends is taken apart without the
// project's own codec.

import Foundation

struct RawFrame: Equatable {
    let opcode: UInt8
    let payload: [UInt8]

    var text: String { String(decoding: payload, as: UTF8.self) }
    /// Of a close frame: `1002 stop: …`.
    var close: String? {
        guard opcode == 8, payload.count >= 2 else { return nil }
        return "\(Int(payload[0]) << 8 | Int(payload[1])) \(String(decoding: payload.dropFirst(2), as: UTF8.self))"
    }
}

final class RawWebSocket {
    static let upgrade = [
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ]
    /// RFC 6455, 1.3: the answer to that key.
    static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    let connection: RawConnection

    /// Over a connection on which the upgrade has been asked for and answered.
    init(connection: RawConnection) { self.connection = connection }

    /// Opens one and reads the upgrade's answer.
    init(_ node: NodeProcess, user: String, receiveBufferBytes: Int32? = nil) async throws {
        connection = try RawConnection(port: node.client, receiveBufferBytes: receiveBufferBytes)
        try await connection.send(RawConnection.request("GET", "/v1/ws?user=\(user.percentEncoded)", headers: Self.upgrade))
        let answer = try await connection.answer()
        guard answer.status == 101, answer.headers["sec-websocket-accept"] == Self.accept else {
            throw HarnessError("no WebSocket: \(answer)")
        }
    }

    /// The next frame; throws if the connection ends first.
    func frame(seconds: Double = 20) async throws -> RawFrame {
        try await connection.receive("a whole frame", seconds: seconds) { Self.length(of: $0) != nil }
        guard let (header, payload) = Self.length(of: connection.received) else { throw HarnessError("no frame") }
        let bytes = connection.take(header + payload)
        guard bytes[0] & 0x70 == 0, bytes[0] & 0x80 != 0, bytes[1] & 0x80 == 0 else {
            throw HarnessError("a frame of a server begins with \(bytes.prefix(2))")
        }
        return RawFrame(opcode: bytes[0] & 0x0F, payload: Array(bytes[header...]))
    }

    /// Reads up to the close frame and returns it; throws if the connection ends without one.
    func close(seconds: Double = 20) async throws -> String {
        while true {
            if let close = try await frame(seconds: seconds).close { return close }
        }
    }

    private static func length(of bytes: [UInt8]) -> (header: Int, payload: Int)? {
        guard bytes.count >= 2 else { return nil }
        let short = Int(bytes[1] & 0x7F)
        let extra = short == 126 ? 2 : short == 127 ? 8 : 0
        guard bytes.count >= 2 + extra else { return nil }
        let payload = extra == 0 ? short : bytes[2..<(2 + extra)].reduce(0) { $0 << 8 | Int($1) }
        return bytes.count >= 2 + extra + payload ? (2 + extra, payload) : nil
    }

    /// A frame as clients send it, masked with zeros; the first byte is FIN, reserved bits and opcode.
    static func masked(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let length = payload.count
        let head = length <= 125 ? [0x80 | UInt8(length)] : [0xFE, UInt8(length >> 8), UInt8(length & 0xFF)]
        return [first] + head + [0, 0, 0, 0] + payload
    }
}
