// What frames about the ring refuse, besides what the codec's tests refuse of every frame.
import NIOCore
import RingpostCore
import Testing

@testable import RingpostWire

@Suite struct RingFrameTests {
    private func read(_ buffer: ByteBuffer) throws(LinkError) -> LinkFrame? {
        var (buffer, decoder) = (buffer, LinkDecoder())
        decoder.frameBytesMax = LinkProtocol.frameBytesMax
        return try decoder.next(&buffer)
    }

    private func bytes(_ frame: LinkFrame) -> ByteBuffer {
        var buffer = ByteBuffer()
        LinkEncoder.write(frame, into: &buffer)
        return buffer
    }

    private func member(_ id: String, client: String = "a:1") -> Member {
        Member(id: id, boot: 1, weight: 1, protocolVersion: 1, client: client, api: "a:2", link: "a:3")
    }

    @Test func aLongListOfUnreachableMembersIsCut() throws {
        let ids = (0..<100).map { "n\($0)" }
        let standing = LinkStanding(epoch: 1, digest: 2, reachesZooKeeper: true, isLeaving: false, unreachable: ids)
        #expect(standing.unreachable == Array(ids.prefix(64)))
    }

    @Test func aHeartbeatThatNamesTooManyIsRefused() throws {
        let standing = LinkStanding(epoch: 1, digest: 2, reachesZooKeeper: true, isLeaving: false)
        var buffer = bytes(.ping(query: 0, sentAt: 0, standing))
        // The count is the last byte; 65 empty names follow.
        buffer.setInteger(UInt8(65), at: buffer.writerIndex - 1)
        buffer.writeRepeatingByte(0, count: 65 * 2)
        buffer.setInteger(UInt32(buffer.readableBytes - 4), at: 0, endianness: .little)
        #expect(throws: LinkError("a broken ping frame")) { try read(buffer) }
    }

    @Test(arguments: ["", "a b", "..", String(repeating: "x", count: 65)]) func aMemberWithABadIdIsRefused(id: String) throws {
        #expect(throws: LinkError("a broken members frame")) { try read(bytes(.members(epoch: 1, generation: 2, [member(id)]))) }
    }

    @Test func aMemberWithABadAddressIsRefused() throws {
        let frame = LinkFrame.members(epoch: 1, generation: 2, [member("a", client: "nowhere")])
        #expect(throws: LinkError("a broken members frame")) { try read(bytes(frame)) }
    }

    @Test func aThousandMembersAreTheMost() throws {
        let thousand = (0..<MembershipView.membersMax).map { member("node-\($0)") }
        let frame = LinkFrame.members(epoch: 1, generation: 2, thousand)
        #expect(try read(bytes(frame)) == frame)
        let more = LinkFrame.members(epoch: 1, generation: 2, thousand + [member("one-more")])
        #expect(throws: LinkError("a broken members frame")) { try read(bytes(more)) }
    }

    @Test func aListThatNoFrameHoldsIsNotSent() {
        // Every character of such an address takes six bytes of JSON.
        let absurd = String(repeating: "\u{1}", count: 250) + ":1"
        let members = (0..<MembershipView.membersMax).map { id in
            Member(id: "n\(id)", boot: 1, weight: 1, protocolVersion: 1, client: absurd, api: absurd, link: "a:3")
        }
        #expect(bytes(.members(epoch: 1, generation: 2, members)).readableBytes == 0)
    }
}
