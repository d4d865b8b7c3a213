// Several loop machines in one thread, wired by connections whose two ways are queues that a test can hold, cut and empty one
// by one. Every machine has the same slots, mostly one. Nodes are known by one letter; `a>b` is what a says on the connection
// that it has dialled to b, `a<b` what b answers there. Links, views and leases are the test's to give: here is no ZooKeeper.
import Testing

@testable import HashRing
@testable import RingpostCore

final class InMemoryCluster {
    static let document = ClusterDocument(seed: SipKey(ascii: "ringpost-testing"), generation: 5, outageMaxMilliseconds: 60_000)

    /// S and H of ``document``.
    static let quietMilliseconds: Int64 = 9_000

    let shardCount: Int
    let index: Int
    let limits: ShardLimits
    /// The slot that most tests are about.
    let slot: Int
    var time: Int64 = 1_000
    private(set) var nodes: [String: Node] = [:]
    private(set) var connections: [String: Connection] = [:]
    /// What the roster is said to say; `nil`: the question stays open.
    var ruling: Int64? = 0
    /// By the number of the publish.
    private(set) var results: [UInt64: [PublishResult]] = [:]
    /// By the number of the attachment.
    private(set) var heard: [UInt64: [Heard]] = [:]
    /// Every step that was taken, in words; empty if they are not wanted.
    var trace: [String] = []
    var isTraced = true
    /// Whether the trace holds also what the test itself does.
    var isTold = false
    /// Of the connections, in a fixed order.
    private var names: [String] = []
    private var namesByNumber: [UInt32: String] = [:]
    private var held: Set<String> = []
    /// Nodes whose next lot of moves is due when nothing else happens.
    private var moving: Set<String> = []
    /// Nodes that have slots to look at then.
    private var looking: Set<String> = []
    private var identities: [String: MemberIdentity] = [:]
    /// Of each node's process; empty where copies end with a boot.
    private var lineages: [String: UInt64] = [:]
    private let keepsCopies: Bool
    private var attachedOver: [UInt64: UInt32] = [:]
    private var connectionCount: UInt32 = 0
    private var turn = 0
    /// What the document says, and what single nodes have read instead.
    private let copies: Int
    private var copiesRead: [String: Int] = [:]
    /// What members say of their disks.
    var disks: [String: StoreDurability] = [:]

    /// - Parameters:
    ///   - order: of the slot that the test is about: its owner while all are members, its mirror, and so on.
    ///   - slots: how many slots each machine has.
    ///   - keepsCopies: beyond a session.
    ///   - copies: of each slot.
    init(_ order: String = "abcd", slots: Int = 1, limits: ShardLimits = ShardLimits(), keepsCopies: Bool = false, copies: Int = 2) {
        slot = Rings.slot(order)
        shardCount = HashRing.slotCount / slots
        index = slot % shardCount
        self.limits = limits
        self.keepsCopies = keepsCopies
        self.copies = copies
        for id in order.map(String.init).sorted() { start(id) }
        for from in nodes.keys.sorted() { for to in nodes.keys.sorted() where from != to { dial(from, to) } }
        trace = []
    }

    func now(_ id: String) -> Moment {
        Moment(monotonic: time + (nodes[id]?.skew ?? 0), wall: 1_700_000_000_000 + time)
    }

    func identity(_ id: String) -> MemberIdentity { identities[id] ?? MemberIdentity(id: id, boot: 0) }

    /// The slot as a node sees it.
    subscript(id: String) -> Slot { state(id, of: slot) }

    func state(_ id: String, of slot: Int) -> Slot { nodes[id]?.machine.log.slot(at: slot / shardCount) ?? Slot() }

    /// Feeds an event to a node, and does what it asks for; packets stay in their queues.
    func tell(_ id: String, _ event: (inout ShardMachine, Moment, inout [ShardAction]) -> Void) {
        let now = now(id)
        // Taken out and put back, so that the machine is changed in its place and not copied.
        guard var node = nodes.removeValue(forKey: id) else { return }
        var actions: [ShardAction] = []
        event(&node.machine, now, &actions)
        nodes[id] = node
        for action in actions { perform(action, at: id) }
    }

    // MARK: Members

    private func start(_ id: String) {
        let identity = MemberIdentity(id: id, boot: (identities[id]?.boot ?? 0) + 1)
        identities[id] = identity
        let letter = UInt64(id.utf8.first ?? 0)
        if keepsCopies { lineages[id] = letter * 100 + identity.boot }
        let machine = ShardMachine(me: identity, lineage: lineages[id], index: index, shardCount: shardCount, limits: limits)
        nodes[id] = Node(machine: machine, identity: identity, skew: Int64(letter) * 1_000_000)
        lease(id)
    }

    /// A new epoch, in which these have weight and those have none, told to some nodes only or to all.
    func view(_ epoch: UInt64, _ members: String, without weight: String = "", at receivers: String? = nil) {
        let list = list(members, without: weight)
        for id in receivers.map({ $0.map(String.init) }) ?? nodes.keys.sorted() { view(epoch, list, at: id) }
    }

    /// Members of weight 1 and of weight 0, as who they are now.
    func list(_ members: String, without weight: String) -> [Member] {
        members.map { member(String($0), weight: 1) } + weight.map { member(String($0), weight: 0) }
    }

    private func member(_ id: String, weight: UInt16) -> Member {
        var member = Rings.member(identity(id), weight: weight)
        member.lineage = lineages[id] ?? 0
        member.disk = disks[id]
        return member
    }

    func view(_ epoch: UInt64, _ list: [Member], at id: String) {
        if isTold { note("\(id): epoch \(epoch) with \(list.filter { $0.weight > 0 }.map(\.id).joined())") }
        let document = Self.document.with(copies: copiesRead[id] ?? copies)
        let view = MembershipView(epoch: epoch, members: list, document: document, own: identity(id), buildRing: Rings.ring)
        tell(id) { $0.apply(view, now: $1, actions: &$2) }
    }

    /// A node has read that there are to be so many copies.
    func setCopies(_ copies: Int, at id: String) {
        copiesRead[id] = copies
        if let view = nodes[id]?.machine.view { self.view(view.epoch, view.members, at: id) }
    }

    /// The process dies; its links with it.
    func kill(_ id: String) {
        nodes[id] = nil
        for name in connections.keys.sorted() where name.contains(id) { cut(name) }
    }

    /// A new process of the same id, with a new boot and nothing in it, linked with all.
    func restart(_ id: String) {
        kill(id)
        start(id)
        for other in nodes.keys.sorted() where other != id { mend(id + other) }
    }

    /// The same process loses its session and gets another, and with it a new boot: it links anew with others, and they with it.
    func newSession(_ id: String, hadPredecessor: Bool = true, othersDial: Bool = true) {
        let identity = MemberIdentity(id: id, boot: identity(id).boot + 1)
        identities[id] = identity
        nodes[id]?.identity = identity
        for name in connections.keys.sorted() where name.contains(id) { cut(name) }
        let lineage = lineages[id]
        tell(id) { $0.begin(as: identity, lineage: lineage, now: $1, actions: &$2) }
        if hadPredecessor { tell(id) { machine, now, _ in machine.succeed(now: now) } }
        for other in nodes.keys.sorted() where other != id {
            dial(id, other)
            if othersDial { dial(other, id) }
        }
    }

    /// Until when a node may act.
    func lease(_ id: String, until end: Int64 = .max) {
        let skew = nodes[id]?.skew ?? 0
        if isTold { note("\(id): lease \(end == .max ? "for ever" : "until \(end)")") }
        tell(id) { $0.setLease(until: end == .max ? .max : end + skew, now: $1, actions: &$2) }
    }

    // MARK: Links

    /// Opens `from`'s connection to `to`.
    func dial(_ from: String, _ to: String) {
        let name = "\(from)>\(to)"
        guard nodes[from] != nil, nodes[to] != nil, connections[name] == nil else { return }
        connectionCount += 1
        let number = connectionCount
        connections[name] = Connection(number: number, from: from, to: to, backWay: "\(from)<\(to)")
        names = connections.keys.sorted()
        namesByNumber[number] = name
        let member = identity(to)
        tell(from) { $0.linkIsUp(number, to: member, now: $1, actions: &$2) }
    }

    /// Ends a connection (`a>b`), or both between two nodes (`ab`), and what is on it is lost, unless `outArrives`: then what
    /// the dialling one has said is still heard, but not answered any more.
    func cut(_ name: String, outArrives: Bool = false) {
        if name.count == 2 {
            cut("\(name.prefix(1))>\(name.suffix(1))", outArrives: outArrives)
            cut("\(name.suffix(1))>\(name.prefix(1))", outArrives: outArrives)
            return
        }
        while outArrives, step(name) {}
        guard let connection = connections.removeValue(forKey: name) else { return }
        names = connections.keys.sorted()
        namesByNumber[connection.number] = nil
        note("\(name) cut")
        tell(connection.from) { $0.linkIsDown(connection.number, now: $1, actions: &$2) }
        tell(connection.to) { machine, now, _ in
            machine.connectionEnded(connection.number, now: now)
            machine.streamEnded(connection.stream)
        }
        for (attachment, number) in attachedOver.sorted(by: { $0.key < $1.key }) where number == connection.number {
            attachedOver[attachment] = nil
            heard[attachment, default: []].append(.detached)
        }
    }

    /// What is said this way (`a>b` or `a<b`) waits; `a<b ack`: from the next acknowledgement on.
    func hold(_ ways: String...) { held.formUnion(ways) }

    /// Lets go of what was held, all of it unless named.
    func letGo(_ ways: String...) { if ways.isEmpty { held = [] } else { held.subtract(ways) } }

    /// The ways on which something can be delivered, in a fixed order.
    var ways: [String] {
        var open: [String] = []
        for name in names {
            guard let connection = connections[name] else { continue }
            if let packet = connection.out.first, !isHeld(name, packet) { open.append(name) }
            if let packet = connection.back.first, !isHeld(connection.backWay, packet) { open.append(connection.backWay) }
        }
        return open
    }

    private func isHeld(_ way: String, _ first: Packet) -> Bool {
        if held.isEmpty { return false }
        return held.contains(way) || held.contains("\(way) \(first.words.prefix { $0 != " " })")
    }

    /// A way on which something can be delivered, each in its turn.
    func nextWay() -> String? {
        if ways.isEmpty { moveOn() }
        let open = ways
        turn += 1
        return open.isEmpty ? nil : open[turn % open.count]
    }

    /// Delivers the first packet of one way; false when there is none.
    @discardableResult func step(_ way: String) -> Bool {
        let name = "\(way.prefix(1))>\(way.suffix(1))"
        guard let connection = connections[name] else { return false }
        if way.contains(">") {
            guard !connection.out.isEmpty, let packet = connections[name]?.out.removeFirst() else { return false }
            note("\(way) \(packet.words)")
            arrive(packet, over: connection)
        } else {
            guard !connection.back.isEmpty, let packet = connections[name]?.back.removeFirst() else { return false }
            note("\(way) \(packet.words)")
            comeBack(packet, over: connection)
        }
        return true
    }

    /// Delivers until nothing moves any more.
    func run(stepsMax: Int = 1_000_000) {
        var steps = 0
        while case let open = ways, !open.isEmpty || !moving.isEmpty || !looking.isEmpty {
            if open.isEmpty { moveOn() }
            for way in open {
                step(way)
                steps += 1
            }
            guard steps < stepsMax else {
                Issue.record("no end after \(steps) steps: \(trace.suffix(20))")
                return
            }
        }
    }

    private func moveOn() {
        let due = moving.sorted()
        moving = []
        for id in due { tell(id) { $0.onMoves(now: $1, actions: &$2) } }
        let looks = looking.sorted()
        looking = []
        for id in looks { tell(id) { $0.onEpochWork(now: $1, actions: &$2) } }
    }

    /// The first answer to a publish, once.
    func takeResult(_ number: UInt64) -> PublishResult? {
        guard let results = results.removeValue(forKey: number) else { return nil }
        if results.count > 1 { Issue.record("\(number) was answered \(results)") }
        return results.first
    }

    /// All that an attachment has heard since it was asked last.
    func takeHeard(_ number: UInt64) -> [Heard] { heard.removeValue(forKey: number) ?? [] }

    /// Hands a frame to a node as if it had just come on a connection of its own; what is said back is not carried on.
    func ask(_ id: String, _ frame: SlotFrame, from member: MemberIdentity, answer: (SlotFrame) -> Void) {
        guard var node = nodes.removeValue(forKey: id) else { return }
        var actions: [ShardAction] = []
        let channel = UInt32.max
        node.machine.onRequest(
            frame, from: member, connectionID: channel, now: Moment(monotonic: time + node.skew, wall: 0), actions: &actions)
        nodes[id] = node
        for case .reply(channel, let frame) in actions { answer(frame) }
    }

    func note(_ words: @autoclosure () -> String) { if isTraced { trace.append(words()) } }

    // MARK: What the machines ask for

    private func perform(_ action: ShardAction, at id: String) {
        switch action {
        case .forward(let peer, let request, let publish, let hops, let restarts):
            let epoch = nodes[id]?.machine.epoch ?? 0
            say(over: peer, .forward(request: request, publish, hops: hops, restarts: restarts, epoch: epoch))
        case .attach(let peer, let request, let epoch): say(over: peer, .attach(request, epoch: epoch))
        case .send(let peer, let frame): say(over: peer, .slot(frame))
        case .reply(let channel, let frame): reply(on: channel, .slot(frame))
        case .answer(let address, let result) where address.connectionID == 0:
            note("\(id): \(address.id) is \(result.words)")
            results[address.id, default: []].append(result)
        case .answer(let address, let result): reply(on: address.connectionID, .answer(request: address.id, result))
        case .attached(let address, let result) where address.connectionID == 0: hear(.attached(address.id, result), at: id)
        case .attached(let address, let result): reply(on: address.connectionID, .attached(address.id, result))
        case .deliver(let address, let incarnation, let message):
            let packet = Packet.deliver(address.id, incarnation: incarnation, message)
            if address.connectionID == 0 { hear(packet, at: id) } else { reply(on: address.connectionID, packet) }
        case .detached(let address) where address.connectionID == 0: hear(.detached(address.id), at: id)
        case .detached(let address): reply(on: address.connectionID, .detached(address.id))
        // No node of these has sockets that listen to channels, or a store.
        case .report, .presence, .load, .read: break
        case .askRoster:
            nodes[id]?.rosterQuestions += 1
            if let ruling { tell(id) { $0.onRoster(waitMilliseconds: ruling, askedAt: $0.epoch, now: $1, actions: &$2) } }
        case .moveSoon: moving.insert(id)
        case .scheduleEpochWork: looking.insert(id)
        case .closeConnection(let channel):
            if let name = namesByNumber[channel] { cut(name) }
        }
    }

    private func say(over link: UInt32, _ packet: Packet) {
        guard let name = namesByNumber[link] else { return }
        if case .attach(let request, _) = packet { attachedOver[request.address.id] = link }
        connections[name]?.out.append(packet)
    }

    private func reply(on channel: UInt32, _ packet: Packet) {
        guard let name = namesByNumber[channel] else { return }
        connections[name]?.back.append(packet)
    }

    private func arrive(_ packet: Packet, over connection: Connection) {
        let member = identity(connection.from)
        let skew = (nodes[connection.to]?.skew ?? 0) - (nodes[connection.from]?.skew ?? 0)
        switch packet {
        case .slot(let frame):
            tell(connection.to) { $0.onRequest(frame, from: member, connectionID: connection.number, now: $1, actions: &$2) }
        case .forward(let request, var publish, let hops, let restarts, let epoch):
            publish.deadline += skew
            let context = PublishContext(
                address: ReturnAddress(connectionID: connection.number, id: request), hops: hops, epoch: epoch,
                stream: connection.stream, restarts: restarts)
            tell(connection.to) { [publish] in $0.submit(publish, context, now: $1, actions: &$2) }
        case .attach(let asked, let epoch):
            let address = ReturnAddress(connectionID: connection.number, id: asked.address.id)
            let askedAt = asked.start == .now ? now(connection.to).monotonic - Int64(asked.age(now: now(connection.from).monotonic)) : .max
            let request = AttachRequest(
                key: asked.key, address: address, start: asked.start, stay: asked.stay, countMax: asked.countMax, askedAt: askedAt)
            tell(connection.to) { $0.attach(request, epoch: epoch, fromLink: true, now: $1, actions: &$2) }
        case .answer, .attached, .deliver, .detached: Issue.record("not for this way: \(packet.words)")
        }
    }

    private func comeBack(_ packet: Packet, over connection: Connection) {
        switch packet {
        case .slot(let frame): tell(connection.from) { $0.onReply(frame, from: connection.number, now: $1, actions: &$2) }
        case .answer(let request, let result):
            tell(connection.from) { $0.onAnswer(request: request, result, now: $1, actions: &$2) }
        case .attached, .deliver, .detached: hear(packet, at: connection.from)
        case .forward, .attach: Issue.record("not for this way: \(packet.words)")
        }
    }

    private func hear(_ packet: Packet, at id: String) {
        switch packet {
        case .attached(let number, .success(let reply)): hear(.attached(reply), by: number, at: id)
        case .attached(let number, .failure(let problem)): hear(.refused(problem), by: number, at: id)
        case .deliver(let number, let incarnation, let message):
            hear(.message(incarnation: incarnation, message), by: number, at: id)
        case .detached(let number): hear(.detached, by: number, at: id)
        default: break
        }
    }

    private func hear(_ heard: Heard, by number: UInt64, at id: String) {
        note("\(id): socket \(number) \(heard.words)")
        self.heard[number, default: []].append(heard)
    }
}
