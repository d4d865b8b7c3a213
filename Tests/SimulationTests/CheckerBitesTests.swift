// The checker is worth something only if it notices when a rule is broken. Each test switches one guard off and demands that a run
// fails in the way that this guard prevents, judged only by what producers were told and what clients saw; with the guard on, the same
// runs are good.

import Testing

@testable import Simulation

@Suite struct CheckerBitesTests {
    /// One that never fails within so many runs counts as not noticed.
    private static let seedsMax: UInt64 = 24

    /// - Parameters:
    ///   - guardName: what is switched off.
    ///   - kind: words that only the violations have that this guard prevents.
    private func demandBite(without guardName: String, shows kind: String, sourceLocation: SourceLocation = #_sourceLocation) {
        var others: Set<String> = []
        for seed in 1...Self.seedsMax {
            var settings = SimulationSettings(seed: seed, nodes: nil, schedule: .trap(for: guardName))
            settings.looksInside = false
            let isKnown = settings.switchOff(guardName)
            #expect(isKnown, "no guard is called \(guardName)", sourceLocation: sourceLocation)
            let texts = Simulation(settings).run().violations.map(\.text)
            guard texts.contains(where: { $0.contains(kind) }) else {
                others.formUnion(texts)
                continue
            }
            var whole = settings
            whole.faults = []
            whole.shellFaults = []
            whole.looksInside = true
            judge(whole, sourceLocation)
            return
        }
        let noticed = others.sorted().joined(separator: "\n")
        Issue.record(
            "no \"\(kind)\" was noticed in \(Self.seedsMax) runs without \(guardName), only:\n\(noticed)",
            sourceLocation: sourceLocation)
    }

    @Test func deliverBeforeCommit() { demandBite(without: "deliverBeforeCommit", shows: "for one client and") }
    @Test func acknowledgeWithoutLookingAtTheTerm() { demandBite(without: "ignoreTerm", shows: "for one client and") }
    @Test func noLease() { demandBite(without: "noLease", shows: "comes back to incarnation") }
    @Test func promoteWithoutAskingEveryMember() { demandBite(without: "promoteWithoutAsking", shows: "to another incarnation") }
    @Test func treatAnotherBootAsTheSameMember() { demandBite(without: "sameMemberAnyBoot", shows: "is sent back") }
    @Test func releaseTheOldMirrorBeforeTheNewOneIsComplete() { demandBite(without: "releaseEarly", shows: "to another incarnation") }
    @Test func forgetTheIdempotencyWindow() { demandBite(without: "forgetWindow", shows: "and again at") }
    @Test func releaseACopyWithoutATrace() { demandBite(without: "releaseWithoutTrace", shows: "is sent back") }
    @Test func letANewcomerGoOnAlone() { demandBite(without: "newcomerAlone", shows: "is sent back") }
    @Test func goOnFromWhateverIsThere() { demandBite(without: "bestIsCertain", shows: "is sent back") }
    @Test func sayWhatIsNotInTheStore() { demandBite(without: "sayBeforeStored", shows: "is sent back") }
    @Test func forgetOnDiskWhatWasReleased() { demandBite(without: "forgetStoredEvidence", shows: "is sent back") }
    @Test func goOnFromAStoreWithoutItsEnd() { demandBite(without: "keepLostLineage", shows: "is sent back") }
    @Test func goOnFromAnOlderDirectory() { demandBite(without: "keepGivenUpLineage", shows: "is sent back") }
    @Test func keepWhatIsAboveTheListsEpoch() { demandBite(without: "ignoreOlderList", shows: "no publish to") }
    @Test func letAnEdgeWriteFramesOfAnOldAttachment() { demandBite(without: "writeOldAttachment", shows: "is sent back") }
}
