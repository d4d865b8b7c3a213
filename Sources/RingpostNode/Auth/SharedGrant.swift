// What a client may do.
import RingpostCore

/// Rights that many connections may have in common.
final class SharedGrant: Sendable {
    let grant: ClientGrant
    init(_ grant: ClientGrant) { self.grant = grant }
}
