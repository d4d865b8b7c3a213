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
            written { HTTPResponseWriter.write(status: 200, headers: [("A", "b")], body: Array("hi".utf8), keepAlive: true, into: &$0) }
                == "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nhi")
        #expect(
            written { HTTPResponseWriter.write(status: 503, body: ByteBuffer(string: "no"), keepAlive: false, into: &$0) }
                == "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        #expect(
            written { HTTPResponseWriter.write(status: 299, keepAlive: true, into: &$0) }
                == "HTTP/1.1 299 Unknown\r\nContent-Length: 0\r\n\r\n")
        #expect(
            written { HTTPResponseWriter.write(status: 200, body: [0x61], keepAlive: true, isResponseToHead: true, into: &$0) }
                == "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
        #expect(
            written { HTTPResponseWriter.write(status: 204, body: [0x61], keepAlive: true, into: &$0) } == "HTTP/1.1 204 No Content\r\n\r\n"
        )
        #expect(
            written {
                HTTPResponseWriter.write(status: 304, body: ByteBuffer(string: "x"), keepAlive: true, into: &$0)
            } == "HTTP/1.1 304 Not Modified\r\n\r\n")
    }

    @Test func headsAsTheyAreGiven() {
        #expect(
            written {
                HTTPResponseWriter.writeHead(status: 101, headers: [("Upgrade", "websocket"), ("Connection", "Upgrade")], into: &$0)
            }
                == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        #expect(written { HTTPResponseWriter.writeContinue(into: &$0) } == "HTTP/1.1 100 Continue\r\n\r\n")
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
            written { HTTPResponseWriter.write(status: 200, headers: headers, keepAlive: true, into: &$0) }
                == "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\n\r\n")
    }
}
