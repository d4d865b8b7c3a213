// Every reason for which a hello is refused, and the hellos that are not.

import RingpostCore
import RingpostWire
import Testing

@testable import RingpostNode

@Suite struct LinkGreetingTests {
    private static func objection(
        version: UInt16 = LinkProtocol.version, role: LinkHello.Role = .node, cluster: String = "ours", generation: UInt64 = 9,
        from: String = "n2", to: String = "n1", toBoot: UInt64 = 1, ownGeneration: UInt64? = 9
    ) -> String? {
        LinkGreeting.objection(
            to: LinkHello(
                version: version, role: role, cluster: cluster, generation: generation, from: from, boot: 2, to: to, toBoot: toBoot),
            cluster: "ours", generation: ownGeneration, me: MemberIdentity(id: "n1", boot: 1))
    }

    @Test func membersAreWelcome() {
        #expect(Self.objection() == nil)
        #expect(Self.objection(role: .producer, cluster: "", generation: 0, to: "", toBoot: 0) == nil)
        #expect(Self.objection(role: .producer, generation: 0, to: "", toBoot: 0, ownGeneration: nil) == nil)
        #expect(Self.objection(role: .probe, cluster: "", generation: 0, to: "", toBoot: 0, ownGeneration: nil) == nil)
    }

    @Test func strangersAreToldWhatDiffers() {
        #expect(Self.objection(version: 99)?.contains("version \(LinkProtocol.version), not 99") == true)
        #expect(Self.objection(version: 0, role: .probe)?.contains("version") == true)
        let other = Self.objection(cluster: "theirs")
        #expect(other?.contains(#"another cluster, not to "theirs""#) == true && other?.contains("ours") == false, "not which")
        #expect(Self.objection(cluster: "") != nil, "a node has to know its cluster")
        #expect(Self.objection(role: .producer, cluster: "theirs") != nil)
        #expect(Self.objection(generation: 8)?.contains("generation") == true)
        #expect(Self.objection(ownGeneration: nil)?.contains("not in a ring yet") == true)
        #expect(Self.objection(from: "n1")?.contains("itself") == true)
        #expect(Self.objection(to: "n3")?.contains(#""n1", not "n3""#) == true)
        #expect(Self.objection(toBoot: 7)?.contains("boot") == true)
    }

    @Test func foreignTextIsHarmlessInALog() {
        #expect(LogText.escaped("a\n\u{1B}[31mb\u{9B}") == "a\\u{a}\\u{1b}[31mb\\u{9b}")
        #expect(LogText.escaped(String(repeating: "x", count: 1_000)).count == LogText.charactersMax)
        #expect(Self.objection(cluster: "a\nb")?.contains("\n") == false)
    }
}
