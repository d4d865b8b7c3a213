// Whether a hello is one to answer. Pure, so that every refusal has its test.
import RingpostCore
import RingpostWire

enum LinkGreeting {
    static let ringsDiffer = "the two rings differ at one epoch"

    /// A sentence for a stranger; `nil` for one of ours.
    static func objection(
        to hello: LinkHello, cluster: String, generation: UInt64?, me: MemberIdentity, isRefused: Bool = false
    ) -> String? {
        if hello.version != LinkProtocol.version {
            return "this node speaks link version \(LinkProtocol.version), not \(hello.version)"
        }
        let namesNoCluster = hello.cluster.isEmpty && hello.role != .node
        if !namesNoCluster, hello.cluster != cluster {
            // Not to which: a port without a secret says this to anybody.
            return "this node belongs to another cluster, not to \"\(LogText.escaped(hello.cluster))\""
        }
        guard hello.role == .node else { return nil }
        let objection = LinkObjection.find(
            from: MemberIdentity(id: hello.from, boot: hello.boot), to: MemberIdentity(id: hello.to, boot: hello.toBoot),
            generation: hello.generation, ownGeneration: generation, me: me, isRefused: isRefused)
        switch objection {
        case nil: return nil
        case .noRing: return "this node is not in a ring yet"
        case .otherGeneration:
            return "this node's cluster has the generation \((generation ?? 0).hexadecimal), not \(hello.generation.hexadecimal)"
        case .ownID: return "this node has the id \"\(me.id)\" itself"
        case .otherNode: return "this node is \"\(me.id)\", not \"\(LogText.escaped(hello.to))\""
        case .otherBoot: return "this node has the boot \(me.boot.hexadecimal), not \(hello.toBoot.hexadecimal)"
        case .ringsDiffer: return ringsDiffer
        }
    }
}
