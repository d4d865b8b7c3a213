// Which producers the link port takes, and what each may publish. Who has keys fills this in before any link exists.
import HashRing
import RingpostCore

/// What the link port asks about producers.
struct LinkAdmission: Sendable {
    /// What somebody with this credential may do; `nil` for a stranger. The credential is empty if the producer has none.
    var pass: @Sendable (_ credential: String) -> LinkPass? = { _ in LinkPass() }
}

/// What one producer may do.
struct LinkPass: Sendable {
    /// Asked of every publish, before its name is known to be valid; a problem answers this publish only.
    var objection: @Sendable (_ kind: KeyKind, _ name: [UInt8]) -> ProblemReport? = { _, _ in nil }
}
