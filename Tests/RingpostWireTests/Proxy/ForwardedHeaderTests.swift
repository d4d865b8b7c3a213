// `Forwarded` as RFC 7239 has it, and what is no such header.

import RingpostWire
import Testing

@Suite struct ForwardedHeaderTests {
    @Test(
        arguments: [
            ("for=192.0.2.60", ["192.0.2.60"]), ("For=\"[2001:db8:cafe::17]:4711\"", ["[2001:db8:cafe::17]:4711"]),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", ["192.0.2.60"]), ("proto=http; for=192.0.2.60", ["192.0.2.60"]),
            ("for=192.0.2.43, for=198.51.100.17", ["192.0.2.43", "198.51.100.17"]), ("for=unknown,for=_hidden", ["unknown", "_hidden"]),
            ("proto=https", [nil]), ("for=a,proto=https", ["a", nil]), ("host=\"a,b;for=c\";for=d", ["d"]),
            ("for=\"a\\\"b\"", ["a\"b"]), (" for=a ; proto=b , for=c ", ["a", "c"]),
        ] as [(String, [String?])])
    func theForm(text: String, chain: [String?]) { #expect(ForwardedHeader.chain(forwarded: text) == chain) }

    /// One that is not understood names nobody, not whom a part of it names.
    @Test(arguments: [
        "", ",", "for=a,", ",for=a", "for", "for=", "=a", "for=a b", "for=\"a", "for=\"a\\", "for=a;for=b", "for=a;", "for =a",
        "for=2001:db8::1",
        "for=a, ,for=b",
    ])
    func anotherForm(text: String) { #expect(ForwardedHeader.chain(forwarded: text) == [nil]) }

    @Test func theOlderHeaderIsAList() {
        #expect(ForwardedHeader.chain(forwardedFor: "203.0.113.7, 10.0.0.2") == ["203.0.113.7", " 10.0.0.2"])
        #expect(ForwardedHeader.chain(forwardedFor: "") == [""])
    }
}
