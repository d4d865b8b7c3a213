// Which addresses a port without protection may listen on.

import Testing

@testable import RingpostNode

@Suite struct LoopbackPolicyTests {
    @Test(arguments: ["127.0.0.1", "127.0.0.53", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost", "LocalHost"])
    func reachedFromHereOnly(host: String) {
        #expect(LoopbackPolicy.isLoopback(host))
    }

    @Test(arguments: [
        "0.0.0.0", "::", "126.255.255.255", "128.0.0.1", "10.0.0.1", "::2", "::ffff:10.0.0.1", "fe80::1", "1::1", "node-1",
        "localhost.example",
        "127.1", "127.0.0.1.example", "",
    ])
    func reachedByOthers(host: String) {
        #expect(!LoopbackPolicy.isLoopback(host))
    }

    @Test func theSentenceSaysWhatToDo() {
        func objection(_ host: String, isProtected: Bool) -> String? {
            LoopbackPolicy.objection(
                to: ListenAddress(host: host, port: 8_082), port: "link", isProtected: isProtected, remedy: "give it a secret")
        }
        #expect(objection("127.0.0.1", isProtected: false) == nil)
        #expect(objection("0.0.0.0", isProtected: true) == nil)
        #expect(objection("0.0.0.0", isProtected: false)?.contains("the link port") == true)
        #expect(objection("::", isProtected: false)?.contains("[::]:8082") == true)
        #expect(objection("::", isProtected: false)?.contains("give it a secret, or listen on 127.0.0.1") == true)
    }
}
