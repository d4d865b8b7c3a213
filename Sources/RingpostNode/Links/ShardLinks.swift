// The links of one shard: those that it has dialled, one to each other member, and those that it has accepted. They come and go with the
// epochs; a shard's machine is told when one comes up or goes down.
import NIOCore
import RingpostCore
import RingpostWire

/// A shard, as its links know it.
package protocol LinkDelegate: AnyObject {
    /// A member has forwarded a publish.
    func onForward(_ publish: Publish, _ context: PublishContext)
    /// A member has answered a publish that was forwarded to it.
    func onForwardAnswer(_ request: UInt64, _ result: PublishResult)
    /// A member asks; a question that makes no sense is not answered.
    func onQuestion(_ question: LinkQuestion, _ argument: [UInt8], _ answer: @escaping @Sendable ([UInt8]) -> Void)
    /// A link has come up, or gone down: the machine knows already.
    func onLinkChange(isUp: Bool)
}

/// Used on its shard's event loop only.
package final class ShardLinks {
    /// Accepted connections that have not introduced themselves; one more is closed at once.
    static let strangersMax = 1_024
    /// Of them those of one source address, so that one can't keep all others out; an IPv6 site has twice as many. This machine itself is not
    /// counted.
    static let strangersPerAddressMax = 128
    /// One refusal is logged in so long.
    private static let refusalLogMilliseconds: Int64 = 1_000

    let runtime: ShardRuntime
    let shell: MachineShell
    let publisher: Publisher
    let context: NodeContext
    let registry: LinkRegistry
    /// Set before the first link.
    private(set) unowned var delegate: (any LinkDelegate)!

    /// By handle; handles are not used again.
    private var dialled: [LinkClient?] = []
    private var accepted: [Int: LinkServer] = [:]
    private var lastAccepted = 0
    private(set) var strangers = 0
    private var strangersByAddress = AddressCounts(
        perAddress: ShardLinks.strangersPerAddressMax, perSite: 2 * ShardLinks.strangersPerAddressMax)
    private var refusalLoggedAt: Int64 = -ShardLinks.refusalLogMilliseconds
    private var dials: UInt64 = 0

    init(runtime: ShardRuntime, shell: MachineShell, publisher: Publisher, context: NodeContext, registry: LinkRegistry) {
        self.runtime = runtime
        self.shell = shell
        self.publisher = publisher
        self.context = context
        self.registry = registry
    }

    package func serve(_ delegate: any LinkDelegate) { self.delegate = delegate }

    // MARK: Dialled

    package subscript(handle: UInt32) -> LinkClient? { Int(handle) < dialled.count ? dialled[Int(handle)] : nil }

    var allDialled: some Sequence<LinkClient> { dialled.lazy.compactMap(\.self) }
    var hasOneUp: Bool { dialled.contains { $0?.isUp == true } }

    func link(to member: MemberIdentity) -> LinkClient? { allDialled.first { $0.member == member } }

    /// Dials members that are new in the ring, and closes the links to those that have left it.
    func apply(_ view: MembershipView) {
        let others = Set(view.members.indices.filter { $0 != view.selfIndex }.map { view.members[$0] })
        let identities = Set(others.map(\.identity))
        for link in allDialled where !identities.contains(link.member) {
            link.stop()
            onDown(link)
            dialled[Int(link.handle)] = nil
        }
        let linked = Set(allDialled.map(\.member))
        for member in others where !linked.contains(member.identity) {
            let link = LinkClient(handle: UInt32(dialled.count), member: member, links: self)
            dialled.append(link)
            link.start()
        }
    }

    func onUp(_ link: LinkClient) {
        shell.decide { $0.linkIsUp(link.handle, to: link.member, now: $1, actions: &$2) }
        delegate.onLinkChange(isUp: true)
    }

    func onDown(_ link: LinkClient) {
        shell.store?.linkIsDown(link.handle)
        shell.decide { $0.linkIsDown(link.handle, now: $1, actions: &$2) }
        delegate.onLinkChange(isUp: false)
    }

    func onTick(now: Int64) { for link in allDialled { link.onTick(now: now) } }

    /// Tells every other member at once how this node stands.
    func pingAll(query: UInt64 = 0) {
        let now = MonotonicClock.nowMilliseconds()
        for link in allDialled { link.ping(query: query, now: now) }
    }

    /// A number for the next dial: later ones are greater.
    func nextDial() -> UInt64 {
        dials += 1
        return dials
    }

    /// An attachment has ended: links that still remember it are told.
    func detach(_ address: ReturnAddress, _ key: Key) { for link in allDialled { link.detach(address, key) } }

    // MARK: Accepted

    var allAccepted: some Collection<LinkServer> { accepted.values }

    func accepted(_ number: Int) -> LinkServer? { accepted[number] }
    func accepted(_ connectionID: UInt32) -> LinkServer? { accepted[ConnectionAddress(connectionID: connectionID).connection] }

    /// - Returns: the number under which the link is found.
    func accept(_ server: LinkServer) -> Int {
        lastAccepted = lastAccepted % ConnectionAddress.connectionsMax + 1
        accepted[lastAccepted] = server
        return lastAccepted
    }

    func removeAccepted(_ number: Int) { accepted[number] = nil }

    // MARK: Strangers

    /// - Returns: false when there is no room for one more.
    func addStranger(from source: SourceAddress?) -> Bool {
        if strangers >= Self.strangersMax { return false }
        if let source, !strangersByAddress.open(source) { return false }
        strangers += 1
        return true
    }

    func removeStranger(from source: SourceAddress?) {
        strangers -= 1
        if let source { strangersByAddress.close(source) }
    }

    /// Strangers can come as often as they like: one refusal a second is logged as a warning, all are counted.
    func warnsOfRefusal(now: Int64) -> Bool {
        if now - refusalLoggedAt < Self.refusalLogMilliseconds { return false }
        refusalLoggedAt = now
        return true
    }

    // MARK: All

    /// This node has a new boot: nothing that was said under the old one holds, on any link.
    func breakOff() {
        for link in allDialled { link.breakOff() }
        for server in Array(accepted.values) { server.breakOff() }
    }

    /// A member that computed another ring from the same epoch: no link with this boot of it.
    func refuse(_ peer: MemberIdentity) {
        if let link = link(to: peer) {
            link.stop()
            onDown(link)
        }
        for server in Array(accepted.values) { server.closeIf(from: peer) }
    }

    func stop() { for link in allDialled { link.stop() } }
}
