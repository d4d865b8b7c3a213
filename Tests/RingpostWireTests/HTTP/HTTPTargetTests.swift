// Percent-encoding, segments and parameters.

import NIOCore
import RingpostWire
import Testing

@Suite struct HTTPTargetTests {
    private func text(_ bytes: [UInt8]?) -> String? {
        bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func decoding() {
        #expect(text(HTTPTarget.decode("a%20b%2Fc%c3%A9+".utf8)) == "a b/c\u{e9}+")
        #expect(text(HTTPTarget.decode("a+b%2B".utf8, plusIsSpace: true)) == "a b+")
        #expect(HTTPTarget.decode("%00%ff".utf8) == [0x00, 0xFF])
        for broken in ["%", "%1", "a%", "%g0", "%0g", "%%20", "% 1"] {
            #expect(HTTPTarget.decode(broken.utf8) == nil, "\(broken)")
        }
    }

    @Test func pathsAreSplitBeforeTheyAreDecoded() {
        let segments = { (path: String) in HTTPTarget.segments(path.utf8)?.map { String(decoding: $0, as: UTF8.self) } }
        #expect(segments("/") == [])
        #expect(segments("/a") == ["a"])
        #expect(segments("/a%2Fb/c+d") == ["a/b", "c+d"])
        #expect(segments("//a/") == ["", "a", ""])
        #expect(segments("/a/../b") == ["a", "..", "b"])
        #expect(segments("a/b") == nil)
        #expect(segments("") == nil)
        #expect(segments("*") == nil)
        #expect(segments("/a/%zz") == nil)
        #expect(segments(String(repeating: "/a", count: HTTPTarget.segmentCountMax))?.count == HTTPTarget.segmentCountMax)
        #expect(segments(String(repeating: "/a", count: HTTPTarget.segmentCountMax + 1)) == nil)
    }

    @Test func parameters() throws {
        let query = try #require(HTTPQuery("a=1&b=x+y%3D&a=2&&c&=d&%61=3&e=%ff&f==".utf8))
        #expect(query["a"] == "1")
        #expect(query.count(of: "a") == 3)
        #expect(query["b"] == "x y=")
        #expect(query["c"] == "")
        #expect(query[""] == "d")
        #expect(query["f"] == "=")
        #expect(query["x"] == nil)
        #expect(query.count(of: "x") == 0)
        #expect(query["e"] == nil)
        #expect(query.bytes("e") == [0xFF])
        #expect(query.bytes("x") == nil)
        #expect(query.count == 8)
        #expect(HTTPQuery("".utf8)?.count == 0)
    }

    @Test func queriesThatAreRefused() {
        for broken in ["a=%", "%=a", "a=1&b=%4"] { #expect(HTTPQuery(broken.utf8) == nil, "\(broken)") }
        let most = Array(repeating: "a", count: HTTPQuery.parameterCountMax).joined(separator: "&")
        #expect(HTTPQuery(most.utf8)?.count == HTTPQuery.parameterCountMax)
        #expect(HTTPQuery((most + "&a").utf8) == nil)
    }
}
