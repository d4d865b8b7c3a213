// Requests that the parser accepts, as transcripts; each is fed whole, byte by byte and in random pieces.

import NIOCore
import RingpostWire
import Testing

@Suite struct HTTPRequestParserTests {
    @Test func plainRequests() {
        #expect(httpTranscript("GET / HTTP/1.1\r\nHost: a\r\n\r\n") == ["GET / 1.1 none keep", "end"])
        #expect(httpTranscript("GET /a/b?x=1&y=?2 HTTP/1.1\r\nhOsT:a\r\n\r\n") == ["GET /a/b?x=1&y=?2 1.1 none keep", "end"])
        #expect(httpTranscript("GET /? HTTP/1.1\r\nHost: a\r\n\r\n") == ["GET /? 1.1 none keep", "end"])
        #expect(httpTranscript("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n") == ["BREW /pot 1.1 none keep", "end"])
        #expect(httpTranscript("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") == ["OPTIONS * 1.1 none keep", "end"])
        #expect(httpTranscript("GET / HTTP/1.0\r\n\r\n") == ["GET / 1.0 none close", "end"])
        #expect(httpTranscript("GET / HTTP/1.1\r\nHost: a\r\n") == [])
        for host in ["a:", "a:80", "a.b-c_d~", "1.2.3.4:5", "a%C3%A9", "[::1]", "[::1]:8080", "[v1.a:b]:", "!$&'()*+,;="] {
            #expect(httpTranscript("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n") == ["GET / 1.1 none keep", "end"], "\(host)")
        }
    }

    @Test func connectionDecidesAboutKeepingAlive() {
        #expect(httpTranscript("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n") == ["GET / 1.1 none close", "end"])
        #expect(httpTranscript("GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n") == ["GET / 1.0 none keep", "end"])
        let twoLines = "GET / HTTP/1.1\r\nConnection: upgrade\r\nHost: a\r\nConnection:\t x ,close\r\n\r\n"
        #expect(httpTranscript(twoLines) == ["GET / 1.1 none close", "end"])
    }

    @Test func bodiesWithALength() {
        let post = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
        #expect(httpTranscript(post) == ["POST /p 1.1 length(5) keep", "hello end"])
        #expect(httpTranscript(String(post.dropLast())) == ["POST /p 1.1 length(5) keep", "hell"])
        let empty = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n"
        #expect(httpTranscript(empty) == ["POST /p 1.1 length(0) keep", "end"])
        let patient = "PUT /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n!"
        #expect(httpTranscript(patient) == ["PUT /p 1.1 length(1) keep,continue", "! end"])
        let old = "POST /p HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nok"
        #expect(httpTranscript(old) == ["POST /p 1.0 length(2) close", "ok end"])
    }

    @Test func chunkedBodies() {
        let head = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
        let said = "POST /p 1.1 chunked keep"
        #expect(httpTranscript(head + "0\r\n\r\n") == [said, "end"])
        #expect(
            httpTranscript(head + "5\r\nhello\r\n00B ; a=\"b\"\r\n to\r\n\r\nyou!\r\n000\r\n\r\n") == [said, "hello to\r\n\r\nyou! end"])
        #expect(httpTranscript(head + "1;x\r\na\r\n0\r\nHost: b\r\nX-Sum: 1\r\n\r\n") == [said, "a end"])
        for extensions in [";a;b", " ; a = b", ";a=\"\"", ";a=\";\"", ";a=\"\\\"\u{e9}\" ;b", ";a=\"\\\\\""] {
            #expect(httpTranscript(head + "1\(extensions)\r\na\r\n0\(extensions)\r\n\r\n") == [said, "a end"], "\(extensions)")
        }
        #expect(httpTranscript(head + "a\r\n0123456789") == [said, "0123456789"])
    }

    @Test func requestsInAPipeline() {
        let stream =
            "\r\nPOST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
            + "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET /4"
        #expect(
            httpTranscript(stream) == [
                "POST /1 1.1 length(2) keep", "hi end", "GET /2 1.1 none keep", "end", "POST /3 1.1 chunked keep", "x end",
            ])
    }

    @Test func absoluteTargets() {
        #expect(httpTranscript("GET HTTP://b:8080/x?y HTTP/1.1\r\nHost: a\r\n\r\n") == ["GET /x?y 1.1 none keep", "end"])
        #expect(httpTranscript("GET https://b?y HTTP/1.1\r\nHost: a\r\n\r\n") == ["GET /?y 1.1 none keep", "end"])
        #expect(httpHead("GET http://b:8080/x HTTP/1.1\r\nHost: a\r\n\r\n")?.authority == "b:8080")
        #expect(httpHead("GET /x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n")?.authority == "[::1]:80")
    }

    @Test func everythingAtItsLimit() {
        let fill = "GET / HTTP/1.1\r\nHost: a\r\nX: "
        let longHead = fill + String(repeating: "x", count: HTTPLimits.headBytesMax - fill.utf8.count - 4) + "\r\n\r\n"
        #expect(httpTranscript(longHead) == ["GET / 1.1 none keep", "end"])
        let path = "/" + String(repeating: "x", count: HTTPLimits.targetBytesMax - 1)
        let method = String(repeating: "M", count: HTTPLimits.methodBytesMax)
        #expect(httpTranscript("\(method) \(path) HTTP/1.1\r\nHost: a\r\n\r\n") == ["\(method) \(path) 1.1 none keep", "end"])
        let headers = String(repeating: "a:b\r\n", count: HTTPLimits.headerCountMax - 1)
        #expect(httpTranscript("GET / HTTP/1.1\r\nHost: a\r\n\(headers)\r\n") == ["GET / 1.1 none keep", "end"])
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0000000000000000003\r\n\r\nabc"
        #expect(httpTranscript(post, limits: HTTPLimits(bodyBytesMax: 3)) == ["POST / 1.1 length(3) keep", "abc end"])
        let chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
        #expect(httpTranscript(chunks, limits: HTTPLimits(bodyBytesMax: 3)) == ["POST / 1.1 chunked keep", "abc end"])
    }

    @Test func onlyWhatIsParsedIsConsumed() throws {
        var parser = HTTPRequestParser()
        var buffer = ByteBuffer(string: "GET / HTTP/1.1\r\nHost")
        let early = try parser.next(&buffer)
        #expect(early == nil)
        #expect(buffer.readableBytes == 20)
        buffer.writeString(": a\r\n\r\nGET ")
        let part = try parser.next(&buffer)
        guard case .head = part else {
            Issue.record("no head")
            return
        }
        #expect(String(buffer: buffer) == "GET ")
    }

    @Test func aRefusedConnectionStaysRefused() throws {
        var parser = HTTPRequestParser()
        var buffer = ByteBuffer(string: "GET\r\n")
        let first = #expect(throws: HTTPRequestError.self) { try parser.next(&buffer) }
        buffer = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let second = #expect(throws: HTTPRequestError.self) { try parser.next(&buffer) }
        #expect(first?.status == 400)
        #expect(first == second)
    }
}
