// What can be asked of a parsed head: headers in all ways of access, and whether it opens a WebSocket.

import NIOCore
import RingpostWire
import Testing

@Suite struct HTTPRequestHeadTests {
    private let upgrade = """
        GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, WebSocket\r\nConnection: keep-alive\r\nConnection: Upgrade\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
        """

    @Test func headersAreFoundByName() throws {
        let head = try #require(
            httpHead(
                "POST / HTTP/1.1\r\nhost: a\r\nX-Forwarded-For: 1\r\nIDEMPOTENCY-KEY: \t k 1 \t\r\nx-forwarded-for: 2\r\nContent-Length: 0\r\nAccept:\r\n\r\n"
            ))
        #expect(head[.host] == "a")
        #expect(head[.idempotencyKey] == "k 1")
        #expect(head[.forwardedFor] == "1, 2")
        #expect(head[.accept] == "")
        #expect(head[.origin] == nil)
        #expect(head.has(.accept))
        #expect(!head.has(.origin))
        #expect(head.equalsIgnoringCase(.idempotencyKey, "k 1"))
        #expect(!head.equalsIgnoringCase(.forwardedFor, "1"))
        #expect(head.containsToken(.forwardedFor, "2"))
        #expect(!head.containsToken(.forwardedFor, "1, 2"))
        #expect(head.withBytes(of: .forwardedFor) { $0?.count } == 4)
        #expect(head.withBytes(of: .origin) { $0 == nil })
        #expect(head.method == .post)
        #expect(Array(head.path) == [0x2F])
    }

    @Test func everyKnownHeaderIsRecognisedInAnyCase() throws {
        for header in KnownHeader.allCases where ![.host, .contentLength, .transferEncoding, .expect].contains(header) {
            for name in ["\(header.name)", "\(header.name)".uppercased()] {
                let head = try #require(httpHead("GET / HTTP/1.1\r\nHost: a\r\n\(name): it\r\n\(name)x: no\r\n\r\n"))
                #expect(head[header] == "it")
            }
        }
    }

    @Test func allHeadersCanBeWalked() throws {
        let head = try #require(httpHead("\r\nGET / HTTP/1.1\r\nHost: a\r\nX:\r\nY:b:c\r\nX: \u{e9}\r\n\r\n"))
        var lines: [String] = []
        head.forEachHeader { lines.append("\($0)=\($1)") }
        #expect(lines == ["Host=a", "X=", "Y=b:c", "X=\u{e9}"])
    }

    @Test func anOpeningHandshake() throws {
        let head = try #require(httpHead(upgrade))
        #expect(head.webSocketUpgrade == .valid)
        #expect(head.isWebSocketUpgrade)
        #expect(head[.secWebSocketKey] == "dGhlIHNhbXBsZSBub25jZQ==")
    }

    @Test(arguments: [
        ("GET", "POST", "malformed"), ("HTTP/1.1", "HTTP/1.0", "malformed"), ("WebSocket", "WebSockets", "notRequested"),
        ("Connection: Upgrade", "Connection: x", "malformed"), ("Version: 13", "Version: 8", "versionMismatch"),
        ("Version: 13", "Versions: 13", "malformed"), ("ZQ==", "ZQ=", "malformed"), ("ZQ==", "ZQQ=", "malformed"),
        ("dGhl", "d-hl", "malformed"), ("Key:", "Keys:", "malformed"), ("Host: a", "Host: a\r\nContent-Length: 1", "malformed"),
    ])
    func handshakesThatAreNone(_ find: String, _ replace: String, _ outcome: String) throws {
        var text = upgrade
        let range = try #require(text.firstRange(of: find))
        text.replaceSubrange(range, with: replace)
        if replace == "POST" { text.replaceSubrange(try #require(text.firstRange(of: "Host: a")), with: "Host: a\r\nContent-Length: 0") }
        let head = try #require(httpHead(text))
        #expect("\(head.webSocketUpgrade)".hasPrefix(outcome))
        #expect(!head.isWebSocketUpgrade)
    }
}
