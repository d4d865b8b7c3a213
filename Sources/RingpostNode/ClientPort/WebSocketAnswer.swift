// The answer to a request that opens a WebSocket (RFC 6455, 4.2.2), put together where it leaves from.
import Crypto
import NIOCore
import RingpostWire

struct WebSocketAnswer {
    /// What the key is hashed with.
    private static let constant: StaticString = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    private let hash: Insecure.SHA1Digest
    private let namesSubprotocol: Bool

    /// - Parameter head: of a request in the right form.
    init(to head: HTTPRequestHead) {
        var hash = Insecure.SHA1()
        head.withBytes(of: .secWebSocketKey) { if let key = $0 { hash.update(bufferPointer: key) } }
        hash.update(bufferPointer: UnsafeRawBufferPointer(start: Self.constant.utf8Start, count: Self.constant.utf8CodeUnitCount))
        self.hash = hash.finalize()
        // Of what the client offers the one that carries no token.
        namesSubprotocol = head.subprotocols.contains { $0 == ClientCredential.subprotocol }
    }

    /// Writes the whole head.
    ///
    /// - Parameter headers: what else stands in it.
    func write(_ headers: [HTTPResponseWriter.Header], into output: inout ByteBuffer) {
        let others = namesSubprotocol ? [("Sec-WebSocket-Protocol", ClientCredential.subprotocol)] + headers : headers
        hash.withUnsafeBytes { HTTPResponseWriter.writeUpgrade(accepting: $0, headers: others, into: &output) }
    }
}
