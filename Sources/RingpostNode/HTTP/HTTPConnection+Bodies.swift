// What of a request's body is kept: nothing before its head has been found good, nothing that nobody reads, and no more on all connections
// than the shard's budget has for whoever sends it. A body that comes whole with its head is not counted.
import NIOCore
import RingpostCore
import RingpostWire

extension HTTPConnection {
    /// Of the body of a request that is refused so much is skipped, so that the connection can go on; in front of a longer one it ends.
    static let skippedBytesMax = 65_536

    /// A request whose head is here.
    struct Arriving {
        enum Permit {
            /// What the request's API key may do, on a port that asks for keys.
            case granted(APIGrant?)
            case refused(ProblemReport)
        }

        let head: HTTPRequestHead
        let match: RouteMatch
        let permit: Permit
        let bodyBytesMax: Int
        let keepsBody: Bool
        /// That have been announced, and for which there is room; 0 for a body that comes whole with its head, or says no length.
        var announcedBytes = 0
        private(set) var body = ByteBuffer()
        /// That have come.
        private(set) var bodyBytes = 0

        init(head: HTTPRequestHead, match: RouteMatch, permit: Permit, bodyBytesMax: Int, keepsBody: Bool) {
            (self.head, self.match, self.permit) = (head, match, permit)
            switch permit {
            case .granted: (self.bodyBytesMax, self.keepsBody) = (bodyBytesMax, keepsBody)
            case .refused: (self.bodyBytesMax, self.keepsBody) = (HTTPConnection.skippedBytesMax, false)
            }
        }

        var refusal: ProblemReport? { if case .refused(let report) = permit { report } else { nil } }

        /// Memory that the body takes.
        var heldBytes: Int { body.readableBytes == 0 ? 0 : body.storageCapacity }

        /// - Returns: false where the body is larger than it may be.
        mutating func take(_ bytes: inout ByteBuffer) -> Bool {
            bodyBytes += bytes.readableBytes
            if bodyBytes > bodyBytesMax { return false }
            if !keepsBody { return true }
            if bodyBytes < announcedBytes, body.readableBytes == 0 { body.reserveCapacity(announcedBytes) }
            if body.capacity == 0 { body = bytes } else { body.writeBuffer(&bytes) }
            return true
        }
    }

    /// Of this connection, as the shard has counted it.
    struct BodyCharge {
        let owner: ByteOwner
        var bytes: Int
    }

    /// The head of the request is here; its body is taken, or refused before it comes.
    func onBodyAnnounced(_ head: HTTPRequestHead) {
        guard let arriving else { return }
        if case .length(let length) = head.body {
            if length > arriving.bodyBytesMax { return refuseTooLarge() }
            if arriving.keepsBody, length > input.readableBytes {
                guard reserve(bytes: Self.heldBytes(ofBody: length), for: bodyOwner(arriving)) else { return refuseBodies() }
                self.arriving?.announcedBytes = length
            }
        }
        guard head.expectsContinue else { return }
        // Who waits for leave to send the body may send it or not: what comes next could be either.
        if let refusal = arriving.refusal { return refuse(refusal, head, arriving.match) }
        if machine.answerCount == 0 { write { HTTPResponseWriter.writeContinue(into: &$0) } }
    }

    func onBody(_ bytes: inout ByteBuffer) {
        if arriving?.take(&bytes) == false { refuseTooLarge() }
    }

    private func refuseTooLarge() {
        guard let arriving else { return }
        if let refusal = arriving.refusal { return refuse(refusal, arriving.head, arriving.match) }
        runtime.counters.count(arriving.bodyBytesMax == limits.batchBytesMax ? .batchBytes : .payloadBytes)
        refuse(.problem(.tooLarge, "the body is larger than the \(arriving.bodyBytesMax) bytes that this path takes"))
    }

    /// Who sends them has as many bytes of bodies here as it may.
    func refuseBodies() {
        runtime.counters.count(.bodyBytes)
        refuse(.problem(.overloaded, "too many large bodies of yours are on their way in at once; send this one later, or smaller ones"))
    }

    // MARK: The budget

    /// The node's memory runs short, and much of it is this connection's. Where nothing else waits it is told so.
    func shedBodies() {
        guard arriving != nil, machine.answerCount == 0, !isClosing else { return closeNow() }
        refuse(.problem(.overloaded, "this node's memory is full; try another one, or again later"))
    }

    private func bodyOwner(_ arriving: Arriving) -> ByteOwner {
        let grant: APIGrant? = if case .granted(let grant) = arriving.permit { grant } else { nil }
        return ByteOwner(key: grant?.id, address: peer.proxied ?? peerAddress)
    }

    /// What a buffer takes that has room for a body of so many bytes: a power of two.
    private static func heldBytes(ofBody length: Int) -> Int { 1 << (Int.bitWidth - max(0, length - 1).leadingZeroBitCount) }

    /// A body that takes so many bytes is on its way in. Counted at once, and not as it comes: in a crowd each would find room, and be refused when
    /// much of its body has been read.
    ///
    /// - Returns: false where that is more than its owner may have here.
    private func reserve(bytes: Int, for owner: ByteOwner) -> Bool {
        guard runtime.bodies.takes(bytes, for: owner) else { return false }
        bodyCharge = BodyCharge(owner: owner, bytes: 0)
        charge(bytes: bytes)
        return true
    }

    /// The parser has stopped: what it has left of a body is kept until more comes.
    ///
    /// - Returns: false where that is more than its owner may have here.
    func chargeBody() -> Bool {
        guard let arriving, arriving.heldBytes > bodyCharge?.bytes ?? 0 else { return true }
        let owner = bodyCharge?.owner ?? bodyOwner(arriving)
        let bytes = arriving.heldBytes
        if !runtime.bodies.takes(bytes - (bodyCharge?.bytes ?? 0), for: owner) { return false }
        if bodyCharge == nil { bodyCharge = BodyCharge(owner: owner, bytes: 0) }
        charge(bytes: bytes)
        return true
    }

    /// The request has been handed on. A batch that is worked off in several turns keeps its body until then.
    func onBodyHandled(_ arriving: Arriving) {
        if machine.isWorking, bodyCharge == nil { bodyCharge = BodyCharge(owner: bodyOwner(arriving), bytes: 0) }
        charge(bytes: machine.isWorking ? arriving.heldBytes : 0)
    }

    /// So many bytes are held now.
    func charge(bytes: Int) {
        guard let bodyCharge else { return }
        runtime.bodies.charge(bytes - bodyCharge.bytes, to: bodyCharge.owner)
        self.bodyCharge = bytes == 0 ? nil : BodyCharge(owner: bodyCharge.owner, bytes: bytes)
    }
}
