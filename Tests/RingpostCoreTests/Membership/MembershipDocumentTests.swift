// What stands in ZooKeeper: the JSON forms are stable, and every fault names its znode.

import HashRing
import RingpostCore
import Testing

@Suite struct MembershipDocumentTests {
    @Test(arguments: ["a", "node-1", "A.b_c", String(repeating: "x", count: 64)]) func goodIDs(id: String) throws {
        try NodeID.check(id)
    }

    @Test(arguments: [
        ("", NodeIDError.empty), (String(repeating: "x", count: 65), .tooLong(bytes: 65)), ("..", .onlyDots),
        ("a/b", .badByte(0x2F)), ("é", .badByte(0xC3)), ("a b", .badByte(0x20)),
    ]) func badIDs(id: String, expected: NodeIDError) {
        #expect(throws: expected) { try NodeID.check(id) }
    }

    @Test func aMembersFormIsStable() throws {
        let text =
            #"{"api":"h:2","boot":"00000000000000ff","client":"h:1","id":"n","link":"[::1]:3","protocol":1,"weight":100,"zone":"z"}"#
        let member = Member(
            id: "n", boot: 255, weight: 100, zone: "z", protocolVersion: 1, client: "h:1", api: "h:2", link: "[::1]:3")
        #expect(String(decoding: member.json(), as: UTF8.self) == text)
        #expect(try Member(json: Array(text.utf8), znode: "/m/n") == member)
    }

    @Test func aLineageStandsBesideTheBoot() throws {
        let text =
            #"{"api":"h:2","boot":"00000000000000ff","client":"h:1","id":"n","lineage":"00000000000000fe","link":"h:3","#
            + #""protocol":1,"weight":0}"#
        let member = Member(
            id: "n", boot: 255, lineage: 254, weight: 0, protocolVersion: 1, client: "h:1", api: "h:2", link: "h:3")
        #expect(String(decoding: member.json(), as: UTF8.self) == text)
        #expect(try Member(json: Array(text.utf8), znode: "/m/n") == member)
        var second = member
        second.former = [Member.Former(boot: 253, link: "h:4")]
        #expect(String(decoding: second.json(), as: UTF8.self).contains(#""former":[{"boot":"00000000000000fd","link":"h:4"}]"#))
        #expect(try Member(json: second.json()) == second)
        second.former = Array(repeating: second.former[0], count: Member.formerMax + 1)
        #expect(throws: DocumentError.self) { try Member(json: second.json()) }
        #expect(member.keeper == 254 && Rings.member(member.identity, weight: 0).keeper == 255)
    }

    @Test func aDiskStandsBesideTheLineage() throws {
        func text(_ disk: String) -> String {
            #"{"api":"h:2","boot":"00000000000000ff","client":"h:1",\#(disk)"id":"n","lineage":"00000000000000fe","link":"h:3","#
                + #""protocol":1,"weight":0}"#
        }
        func read(_ disk: String) throws -> StoreDurability? { try Member(json: Array(text(disk).utf8), znode: "/m/n").disk }
        for (disk, part) in [(nil, ""), (.fsync, #""disk":"fsync","#), (.written, #""disk":"written","#)] as [(StoreDurability?, String)] {
            let member = Member(
                id: "n", boot: 255, lineage: 254, disk: disk, weight: 0, protocolVersion: 1, client: "h:1", api: "h:2", link: "h:3")
            #expect(String(decoding: member.json(), as: UTF8.self) == text(part))
            #expect(try Member(json: member.json()) == member && read(part) == disk)
        }
        // Of later versions: it may come back, and nothing more is believed.
        for part in [#""disk":"replicated","#, #""disk":true,"#, #""disk":{"kind":"fsync"},"#] { #expect(try read(part) == .written) }
        #expect(try read(#""disk":null,"#) == nil)
    }

    @Test func unknownKeysAreIgnoredAndTheZoneMayBeMissing() throws {
        let text = #"{"api":"h:2","boot":"00000000000000ff","client":"h:1","id":"n","link":"h:3","protocol":1,"weight":0,"more":[1]}"#
        #expect(try Member(json: Array(text.utf8), znode: "/m/n").zone == nil)
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"id":"n"}"#,
        #"{"api":"h:2","boot":"ff","client":"h:1","id":"n","link":"h:3","protocol":1,"weight":0}"#,
        #"{"api":"h:2","boot":"00000000000000ff","client":"h:1","id":"other","link":"h:3","protocol":1,"weight":0}"#,
        #"{"api":"h:2","boot":"00000000000000ff","client":"h:1","id":"n","link":"h","protocol":1,"weight":0}"#,
        #"{"api":"h:2","boot":"00000000000000ff","client":"h:1","id":"n","link":"h:3","protocol":1,"weight":65536}"#,
        #"{"api":"h:0","boot":"00000000000000ff","client":"h:1","id":"n","link":"h:3","protocol":1,"weight":1}"#,
        String(repeating: " ", count: 4_097),
    ]) func brokenMembersNameTheirZnode(text: String) {
        do throws(DocumentError) {
            _ = try Member(json: Array(text.utf8), znode: "/ringpost/x/members/n")
            Issue.record("accepted")
        } catch { #expect(error.message.hasPrefix("/ringpost/x/members/n ")) }
    }

    @Test func theClustersFormIsStable() throws {
        let text =
            #"{"formatVersion":1,"generation":"0000000000000abc","heartbeatTimeoutMilliseconds":3000,"outageMaxMilliseconds":600000,"#
            + #""seed":"000102030405060708090a0b0c0d0e0f","sessionTimeoutMilliseconds":6000}"#
        let document = ClusterDocument(seed: try #require(SipKey(bytes: Array(0..<16))), generation: 0xABC)
        #expect(String(decoding: document.json(), as: UTF8.self) == text)
        #expect(try ClusterDocument(json: Array(text.utf8), znode: "/r") == document)
        #expect(!"\(document)".contains("0001020304"), "the seed is a secret")
    }

    @Test(arguments: [
        (#"{"formatVersion":2}"#, "has format version 2"),
        (#"{"formatVersion":1,"generation":"0000000000000abc","seed":"00"}"#, "expected 32 hexadecimal digits"),
        (#"{"formatVersion":1,"seed":"000102030405060708090a0b0c0d0e0f"}"#, "\"generation\" is missing"),
        (
            #"{"formatVersion":1,"generation":"0000000000000abc","seed":"000102030405060708090a0b0c0d0e0f","sessionTimeoutMilliseconds":1}"#,
            "has sessionTimeoutMilliseconds 1"
        ),
    ]) func brokenDocumentsSayWhatIsWrong(text: String, expected: String) {
        do throws(DocumentError) {
            _ = try ClusterDocument(json: Array(text.utf8), znode: "/ringpost/x/ring")
            Issue.record("accepted")
        } catch {
            #expect(error.message.hasPrefix("/ringpost/x/ring "))
            #expect(error.message.contains(expected))
        }
    }

    @Test func aViewKnowsPlacesAndOwners() throws {
        let document = try MembershipScript.document()
        let members = [MembershipScript.member("b", boot: 2), MembershipScript.member("a", boot: 1, weight: 0)]
        let view = MembershipView(epoch: 5, members: members, document: document, own: MemberIdentity(id: "a", boot: 1))
        #expect(view.members.map(\.id) == view.ring.members.map(\.id))
        #expect(view.own?.id == "a")
        #expect(view.owner(ofSlot: 7)?.id == "b")
        #expect(view.mirror(ofSlot: 7) == nil)
        #expect(view.othersWithWeight.map(\.id) == ["b"])
        #expect(view.memberIndex("b").map { view.member(at: $0).id } == "b")
        let reborn = MembershipView(epoch: 5, members: members, document: document, own: MemberIdentity(id: "a", boot: 9))
        #expect(reborn.own == nil, "another boot is another member")
    }
}
