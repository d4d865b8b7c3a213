// Responses, byte for byte.

import NIOCore
import RingpostWire
import Testing

@Suite struct HTTPResponseWriterTests {
    private func written(_ write: (inout ByteBuffer) -> Void) -> String {
        var buffer = ByteBuffer()
        write(&buffer)
        return String(buffer: buffer)
    }

    @Test func wholeResponses() {
        #expect(
            written {
                HTTPResponseWriter.write(status: 200, headers: [("A", "b")], body: Array("hi".utf8), persistence: .implied, into: &$0)
            }
                == "HTTP/1.1 200 OK\r\nA: b\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 2\r\n\r\nhi")
        #expect(
            written { HTTPResponseWriter.write(status: 503, body: ByteBuffer(string: "no"), persistence: .close, into: &$0) }
                == "HTTP/1.1 503 Service Unavailable\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
        )
        #expect(
            written { HTTPResponseWriter.write(status: 299, persistence: .implied, into: &$0) }
                == "HTTP/1.1 299 Unknown\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 0\r\n\r\n")
        #expect(
            written { HTTPResponseWriter.write(status: 200, body: [0x61], persistence: .implied, isResponseToHead: true, into: &$0) }
                == "HTTP/1.1 200 OK\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 1\r\n\r\n")
        #expect(
            written { HTTPResponseWriter.writeHeadOfStream(status: 200, headers: [("A", "b")], persistence: .close, into: &$0) }
                == "HTTP/1.1 200 OK\r\nA: b\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n")
        #expect(
            written { HTTPResponseWriter.write(status: 204, body: [0x61], persistence: .implied, into: &$0) }
                == "HTTP/1.1 204 No Content\r\nX-Content-Type-Options: nosniff\r\n\r\n"
        )
        #expect(
            written {
                HTTPResponseWriter.write(status: 304, body: ByteBuffer(string: "x"), persistence: .implied, into: &$0)
            } == "HTTP/1.1 304 Not Modified\r\nX-Content-Type-Options: nosniff\r\n\r\n")
    }

    @Test func datesAndPersistence() {
        let date = HTTPDate(seconds: 784_111_777)
        let line = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        #expect(
            written { HTTPResponseWriter.write(status: 200, body: [0x61], persistence: .keepAlive, date: date, into: &$0) }
                == "HTTP/1.1 200 OK\r\n\(line)X-Content-Type-Options: nosniff\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\na")
        #expect(
            written { HTTPResponseWriter.writeJSON([0x31], date: date, into: &$0) }
                == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n\(line)Content-Length: 1\r\n\r\n1"
        )
        #expect(
            written { HTTPResponseWriter.writeHead(status: 200, headers: [], date: date, into: &$0) } == "HTTP/1.1 200 OK\r\n\(line)\r\n")
    }

    @Test func headsAsTheyAreGiven() {
        #expect(
            written {
                HTTPResponseWriter.writeHead(status: 101, headers: [("Upgrade", "websocket"), ("Connection", "Upgrade")], into: &$0)
            }
                == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        #expect(written { HTTPResponseWriter.writeContinue(into: &$0) } == "HTTP/1.1 100 Continue\r\n\r\n")
    }

    /// The answer that RFC 6455, 1.3 gives as an example; and base64 of other lengths, RFC 4648, 10.
    @Test func openingsOfWebSockets() {
        let hash: [UInt8] = [
            0xB3, 0x7A, 0x4F, 0x2C, 0xC0, 0x62, 0x4F, 0x16, 0x90, 0xF6, 0x46, 0x06, 0xCF, 0x38, 0x59, 0x45, 0xB2, 0xBE, 0xC4, 0xEA,
        ]
        func opening(_ hash: [UInt8], _ headers: [HTTPResponseWriter.Header] = []) -> String {
            written { output in hash.withUnsafeBytes { HTTPResponseWriter.writeUpgrade(accepting: $0, headers: headers, into: &output) } }
        }
        let begin = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        #expect(opening(hash) == begin + "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
        #expect(opening(hash, [("Vary", "Origin")]) == begin + "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nVary: Origin\r\n\r\n")
        #expect(opening(Array("foobar".utf8)) == begin + "Zm9vYmFy\r\n\r\n")
        #expect(opening(Array("fooba".utf8)) == begin + "Zm9vYmE=\r\n\r\n")
        #expect(opening(Array("foob".utf8)) == begin + "Zm9vYg==\r\n\r\n")
    }

    @Test func nothingEndsAHeaderEarly() {
        let bad: [HTTPResponseWriter.Header] = [("X", "a\r\nSet: b\u{0}\tc\u{e9}"), ("Y: z\r\n", "1")]
        #expect(
            written { HTTPResponseWriter.writeHead(status: 200, headers: bad, into: &$0) }
                == "HTTP/1.1 200 OK\r\nX: a  Set: b \tc\u{e9}\r\nY--z--: 1\r\n\r\n")
    }

    @Test func framingIsTheWritersAlone() {
        let headers: [HTTPResponseWriter.Header] = [
            ("content-length", "9"), ("Transfer-Encoding", "chunked"), ("CONNECTION", "x"), ("A", "b"),
        ]
        #expect(
            written { HTTPResponseWriter.write(status: 200, headers: headers, persistence: .implied, into: &$0) }
                == "HTTP/1.1 200 OK\r\nA: b\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 0\r\n\r\n")
    }
}
