// The checker is worth something only if it notices when a rule is broken. Each test switches one guard off and demands that a run
// fails, judged only by what producers were told and what clients saw; with the guard on, the same runs are good.

import Testing

@testable import Simulation

@Suite struct CheckerBitesTests {
    /// One that never fails within so many runs counts as not noticed.
    private static let seedsMax: UInt64 = 12

    private func demandBite(without guardName: String, sourceLocation: SourceLocation = #_sourceLocation) {
        for seed in 1...Self.seedsMax {
            var settings = SimulationSettings(seed: seed, nodes: nil, schedule: .trap(for: guardName))
            settings.looksInside = false
            let isKnown = settings.switchOff(guardName)
            #expect(isKnown, "no guard is called \(guardName)", sourceLocation: sourceLocation)
            if Simulation(settings).run().violations.isEmpty { continue }
            var whole = settings
            whole.faults = []
            whole.writesOldAttachments = false
            whole.looksInside = true
            judge(whole, sourceLocation)
            return
        }
        Issue.record("nothing was noticed in \(Self.seedsMax) runs without \(guardName)", sourceLocation: sourceLocation)
    }

    @Test func deliverBeforeCommit() { demandBite(without: "deliverBeforeCommit") }
    @Test func acknowledgeWithoutLookingAtTheTerm() { demandBite(without: "ignoreTerm") }
    @Test func noLease() { demandBite(without: "noLease") }
    @Test func promoteWithoutAskingEveryMember() { demandBite(without: "promoteWithoutAsking") }
    @Test func treatAnotherBootAsTheSameMember() { demandBite(without: "sameMemberAnyBoot") }
    @Test func releaseTheOldMirrorBeforeTheNewOneIsComplete() { demandBite(without: "releaseEarly") }
    @Test func forgetTheIdempotencyWindow() { demandBite(without: "forgetWindow") }
    @Test func letAnEdgeWriteFramesOfAnOldAttachment() { demandBite(without: "writeOldAttachment") }
}
