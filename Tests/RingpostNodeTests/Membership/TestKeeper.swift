// What a store of copies answers to a membership, without a disk.
import Synchronization

@testable import RingpostNode

final class TestKeeper: LineageKeeper {
    let lineage: UInt64
    let epoch: UInt64 = 0
    let kept = Mutex<[UInt64]>([])
    var boots: Set<UInt64> { kept.withLock { Set($0) } }
    let refusal: String?

    init(lineage: UInt64 = 7, boots: [UInt64] = [], refusal: String? = nil) {
        self.lineage = lineage
        self.refusal = refusal
        kept.withLock { $0 = boots }
    }

    func willFound(generation: UInt64) async throws(MembershipFailure) {}

    func willRegister(boot: UInt64, generation: UInt64) async throws(MembershipFailure) {
        if let refusal { throw MembershipFailure(message: refusal) }
        kept.withLock { $0.append(boot) }
    }
}
