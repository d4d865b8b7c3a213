// The stories that versions of the rules were broken by, each a test of its own.

import Testing

@testable import Simulation

@Suite struct CopyScheduleTests {
    @Test func completeSentThenPairIsolated() throws { try play("complete-sent-then-pair-isolated", seeds: 1...6) }
    @Test func creatorInheritsAfterPairIsolation() throws { try play("creator-inherits-after-pair-isolation") }
    @Test func answerLostWithNoNewEpoch() throws { try play("answer-lost-with-no-new-epoch") }
    @Test func secondDeathWhileMirrorHalfCopied() throws { try play("second-death-while-mirror-half-copied") }
    @Test func ownerAndMirrorSuspended() throws { try play("owner-and-mirror-suspended") }
}

@Suite struct FenceScheduleTests {
    @Test func skippedEpochsABAWithFencedMirror() throws { try play("skipped-epochs-A-B-A-with-fenced-mirror") }
    @Test func newBootMeetsStaleOwner() throws { try play("new-boot-meets-stale-owner") }
    @Test func lateAcknowledgementOrReleaseAfterFence() throws { try play("late-acknowledgement-or-release-after-fence", seeds: 1...4) }
    @Test func cursorAheadAtStaleOwner() throws { try play("cursor-ahead-at-stale-owner") }
    @Test func syncStarved() throws { try play("sync-starved") }
    @Test func oneWrongDigest() throws { try play("one-wrong-digest") }
}

@Suite struct LinkScheduleTests {
    @Test func oneLinkCutForever() throws { try play("one-link-cut-forever") }
    @Test func oneNodeCutFromAll() throws { try play("one-node-cut-from-all") }
    @Test func twoRacks() throws { try play("two-racks", seeds: 1...4) }
}

@Suite struct OutageScheduleTests {
    @Test func outagePlusNewcomer() throws { try play("outage-plus-newcomer") }
    @Test func agreedThenPromoted() throws { try play("agreed-then-promoted", seeds: 1...12) }
    @Test func outagePlusWeightRaise() throws { try play("outage-plus-weight-raise") }
    @Test func zooKeeperLosesItsData() throws { try play("zookeeper-loses-its-data", seeds: 1...6) }
}

@Suite struct ChannelScheduleTests {
    @Test func channelOwnerKilled() throws { try play("channel-owner-killed", seeds: 1...4) }
    @Test func channelOwnerLeaves() throws { try play("channel-owner-leaves") }
    @Test func subscribersCutOff() throws { try play("subscribers-cut-off") }
}

@Suite struct LifeScheduleTests {
    @Test func allStartAtOnce() throws { try play("all-start-at-once") }
    @Test func allRestartAtOnce() throws { try play("all-restart-at-once") }
    @Test func lastMemberDrains() throws { try play("last-member-drains") }

    @Test func everyScheduleHasATestAndAName() {
        #expect(Schedule.named.count == 62)
        #expect(Set(Schedule.named.map(\.name)).count == 62)
    }
}

@Suite struct LineageScheduleTests {
    @Test func allSessionsEndAllReturn() throws { try play("all-sessions-end-all-return", seeds: 1...6) }
    @Test func allSuspended() throws { try play("all-suspended", seeds: 1...4) }
    @Test func sessionsEndInTurn() throws { try play("sessions-end-in-turn", seeds: 1...4) }
    @Test func returnsWhileAsked() throws { try play("returns-while-asked", seeds: 1...4) }
    @Test func loneOwnersSessionEnds() throws { try play("lone-owners-session-ends") }
    @Test func heirOutsideSetLosesSource() throws { try play("heir-outside-set-loses-source", seeds: 1...4) }
    @Test func heirOutsideSetDies() throws { try play("heir-outside-set-dies", seeds: 1...4) }
    @Test func releaseConfirmationLostThenNewBoot() throws { try play("release-confirmation-lost-then-new-boot", seeds: 1...4) }
    @Test func forcedThenPairReturns() throws { try play("forced-then-pair-returns") }
    @Test func staleMirrorReturns() throws { try play("stale-mirror-returns") }
    @Test func waiterReturnsFirst() throws { try play("waiter-returns-first", seeds: 1...4) }
    @Test func uncertainOwnerChangesEveryEpoch() throws { try play("uncertain-owner-changes-every-epoch", seeds: 1...4) }
}

@Suite struct ThreeCopiesScheduleTests {
    @Test func twoOfFourKilled() throws { try play("two-of-four-killed", seeds: 1...6) }
    @Test func twoKilledWhileTheThirdIsFilled() throws { try play("owner-killed-while-third-is-filled", seeds: 1...4) }
    @Test func twoKilledInAHandover() throws { try play("two-killed-in-a-handover", seeds: 1...4) }
    @Test func copiesChangeUnderLoad() throws { try play("copies-2-3-2-under-load", seeds: 1...4) }
    @Test func oneCopyMovesInOrder() throws { try play("one-copy-moves-in-order") }
}

@Suite struct DiskScheduleTests {
    @Test func allKilledAllReturn() throws { try play("all-killed-all-return", seeds: 1...4) }
    @Test func twoOfFourKilledAndStarted() throws { try play("two-of-four-killed-and-started", seeds: 1...4) }
    @Test func lastToGoHoldsAll() throws { try play("last-to-go-holds-all", seeds: 1...4) }
    @Test func returnsWithItsDiskWhileAsked() throws { try play("returns-with-its-disk-while-asked", seeds: 1...4) }
    @Test func ownerUnsyncedMirrorSynced() throws { try play("owner-unsynced-mirror-synced", seeds: 1...4) }
    @Test func fdatasyncFailsOnce() throws { try play("fdatasync-fails-once") }
    @Test func damageInContent() throws { try play("damage-in-content", seeds: 1...4) }
    @Test func longDowntimeReceipts() throws { try play("long-downtime-receipts") }
    @Test func releaseNotYetOnDiskThenCrash() throws { try play("release-not-yet-on-disk-then-crash", seeds: 1...4) }
    @Test func loneOwnerKilled() throws { try play("lone-owner-killed") }
    @Test func waiterReturnsFirstAfterZooKeeper() throws { try play("waiter-returns-first-after-zookeeper", seeds: 1...4) }
    @Test func toldToStopBeforeItHasRead() throws { try play("told-to-stop-before-it-has-read") }
    @Test func historyBehindMemory() throws { try play("history-behind-memory", seeds: 1...6) }
}

@Suite struct DiskLossScheduleTests {
    @Test func writtenMachineDownStalePeer() throws { try play("written-machine-down-stale-peer", seeds: 1...4) }
    @Test func mixedStorePowerCut() throws { try play("mixed-store-power-cut", seeds: 1...4) }
    @Test func emptySuccessorsAndStaleDisk() throws { try play("empty-successors-and-stale-disk", seeds: 1...4) }
    @Test func oldDirectoryAfterNewerBoot() throws { try play("old-directory-after-newer-boot") }
    @Test func pairComesBackTooLate() throws { try play("pair-comes-back-too-late") }
    @Test func loneOwnerLosesItsEnd() throws { try play("lone-owner-loses-its-end") }
    @Test func epochsStartAgainLow() throws { try play("epochs-start-again-low", seeds: 1...6) }
    @Test func staleDiskReturns() throws { try play("stale-disk-returns", seeds: 1...4) }
}
