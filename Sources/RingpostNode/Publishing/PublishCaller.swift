// Who publishes, by what it is allowed with; and what follows from that for its messages.
import HashRing
import RingpostCore

/// A publisher, as a node knows it.
enum PublishCaller {
    /// A producer over HTTP or a link, with an API key or, where none is asked for, without one.
    case apiKey(APIGrant)
    /// A client on a WebSocket, where it comes from, and what its messages say of their sender.
    case client(ClientGrant, SourceAddress?, from: [UInt8])

    /// What messages say of their sender; see ``SenderText``.
    var from: [UInt8] {
        switch self {
        case .apiKey(let grant): grant.from
        case .client(_, _, let from): from
        }
    }

    /// With whose the owner counts what the publisher takes there.
    func principal(hasher: KeyHasher) -> Principal {
        switch self {
        case .apiKey(let grant): grant.id.map { Principal(key: $0, hasher: hasher) } ?? .unnamed
        case .client(let grant, let source, _):
            if let user = grant.user {
                Principal(user: user, hasher: hasher)
            } else if let source {
                Principal(source: source, hasher: hasher)
            } else {
                // From this machine, which limits do not count.
                .unnamed
            }
        }
    }

    /// Whose idempotency keys its keys are: nobody else's message is taken for a repeat of one of its own. A client that nobody asked who it
    /// is may come from another address with its second try.
    func scope(of principal: Principal, hasher: KeyHasher) -> Principal {
        if case .client(let grant, _, _) = self, grant.user == nil { .anybody(hasher: hasher) } else { principal }
    }
}

extension MessageID {
    /// An idempotency key's hash under the cluster's secret: the same on every node, and one user's keys never meet another's, nor one
    /// publisher's another's. `nil` for no key.
    init?(repeatableBy idempotencyKey: UnsafeRawBufferPointer, of scope: Principal, to key: Key, hasher: KeyHasher) {
        if idempotencyKey.isEmpty { return nil }
        // In front of the kind, which is no 1: what belongs to somebody has another form.
        let scopeCount = scope.isUnnamed ? 0 : 1 + MemoryLayout<UInt64>.size
        let count = scopeCount + 1 + key.name.count + 1 + idempotencyKey.count
        self = withUnsafeTemporaryAllocation(byteCount: count, alignment: 1) { bytes in
            if scopeCount > 0 {
                bytes[0] = 1
                bytes.storeBytes(of: scope.rawValue.littleEndian, toByteOffset: 1, as: UInt64.self)
            }
            bytes[scopeCount] = key.kind.rawValue
            UnsafeMutableRawBufferPointer(rebasing: bytes[(scopeCount + 1)...]).copyBytes(from: key.name)
            bytes[scopeCount + 1 + key.name.count] = 0
            UnsafeMutableRawBufferPointer(rebasing: bytes[(scopeCount + 2 + key.name.count)...]).copyMemory(from: idempotencyKey)
            let bytes = UnsafeRawBufferPointer(bytes)
            return MessageID(high: hasher.hash(.user, utf8: bytes).rawValue, low: hasher.hash(.channel, utf8: bytes).rawValue)
        }
    }
}
