// Slots of a node that have had nobody for too long, and alarms that stand.

import Testing

@testable import RingpostCore

@Suite struct SlotWatchTests {
    private static let c = MemberIdentity(id: "c", boot: 3)
    private static let d = MemberIdentity(id: "d", boot: 4)

    private func waits(_ slots: Int, silent: Set<MemberIdentity> = [], vacant: Int = 0, until: Int64? = nil) -> SlotWaits {
        var waits = SlotWaits()
        (waits.slots, waits.silent, waits.vacant, waits.vacantUntil) = (slots, silent, vacant, until)
        return waits
    }

    private func stranger(_ member: MemberIdentity, disk: StoreDurability? = nil) -> Member {
        var stranger = MembershipScript.member(member.id, boot: member.boot)
        stranger.disk = disk
        return stranger
    }

    @Test func shardsAddUp() {
        var sum = waits(2, silent: [Self.c], vacant: 1, until: 500)
        sum += waits(3, silent: [Self.d], vacant: 0)
        sum += waits(1, vacant: 1, until: 700)
        #expect(sum == waits(6, silent: [Self.c, Self.d], vacant: 2, until: 700))
    }

    @Test func itIsSaidForWhomAndUntilWhen() {
        var watch = SlotWatch()
        #expect(watch.report(6_000, now: 0) == nil && watch.nextWake(6_000, now: 0) == nil)
        watch.onWaits(waits(9, vacant: 9), now: 1_000)
        watch.onRoster(strangers: [stranger(Self.c)])
        #expect(watch.nextWake(6_000, now: 1_000) == 13_000)
        #expect(watch.sentence(6_000, now: 12_999) == nil)
        #expect(
            watch.sentence(6_000, now: 13_000)
                == "slots of this node have had nobody for more than 12 s; no member has a copy of some that is certainly "
                + "the newest, and c (boot 0000000000000003), which the roster names, might still act or come back with one")
        watch.onWaits(waits(9, vacant: 9, until: 610_000), now: 14_000)
        let report = SlotWatch.Report(slots: 9, since: 1_000, names: ["c"], until: 610_000, isLong: true)
        #expect(watch.report(6_000, now: 14_000) == report)
        // For whom can't be reached nobody knows how long.
        watch.onWaits(waits(12, silent: [Self.d], vacant: 9, until: 610_000), now: 15_000)
        #expect(watch.report(6_000, now: 15_000)?.names == ["c", "d"])
        #expect(watch.report(6_000, now: 15_000)?.until == nil)
        watch.onWaits(waits(0), now: 16_000)
        #expect(watch.report(6_000, now: 16_000) == nil)
        // It begins anew.
        watch.onWaits(waits(1, silent: [Self.d]), now: 20_000)
        #expect(watch.sentence(6_000, now: 31_999) == nil)
        #expect(
            watch.sentence(6_000, now: 32_000)
                == "slots of this node have had nobody for more than 12 s; d (boot 0000000000000004) can't be reached, and may have copies")
    }

    @Test func slotsThatWaitForALaterEpochAreSaid() {
        var watch = SlotWatch()
        var fenced = waits(3, vacant: 1, until: 50_000)
        fenced.fenced = 2
        var sum = SlotWaits()
        sum += fenced
        #expect(sum == fenced)
        watch.onWaits(fenced, now: 0)
        #expect(watch.report(6_000, now: 12_000)?.until == nil, "nobody knows when that epoch comes")
        let sentence = watch.sentence(6_000, now: 12_000)
        #expect(sentence?.contains("2 wait for a later epoch, of which another member has heard") == true, "\(sentence ?? "")")
    }

    @Test func whoHasItsCopiesOnADiskIsNamed() {
        var watch = SlotWatch()
        watch.onWaits(waits(9, vacant: 9, until: 30_000), now: 0)
        watch.onRoster(strangers: [stranger(Self.c), stranger(Self.d, disk: .written)])
        #expect(watch.report(6_000, now: 0)?.names == ["c", "d"] && watch.report(6_000, now: 0)?.disks == ["d"])
        #expect(watch.sentence(6_000, now: 12_000)?.hasSuffix("; d has its copies on a disk: start it again") == true)
        watch.onRoster(strangers: [stranger(Self.c, disk: .fsync), stranger(Self.d, disk: .fsync)])
        #expect(watch.sentence(6_000, now: 12_000)?.hasSuffix("; c, d have their copies on disks: start them again") == true)
        // It has come back, and the roster was asked again.
        watch.onRoster(strangers: [stranger(Self.c)])
        #expect(watch.report(6_000, now: 12_000)?.disks == [] && SlotWatch.advice(disks: []) == nil)
        // No slot waits for what only they have.
        watch.onRoster(strangers: [stranger(Self.d, disk: .fsync)])
        watch.onWaits(waits(9, silent: [Self.c]), now: 12_000)
        #expect(watch.report(6_000, now: 12_000)?.names == ["c"] && watch.report(6_000, now: 12_000)?.disks == [])
    }

    @Test func anAlarmStandsUntilItPasses() throws {
        var machine = try NodeScript.leased()
        let waiting = SlotWatch.Report(slots: 5, since: 100, names: ["c"], until: nil, isLong: false)
        #expect(machine.handle(.slotsWait(waits(5, silent: [Self.c])), now: 100) == [.slotsWait(waiting)])
        #expect(machine.nextWake(now: 100) ?? .max <= 12_100)
        let actions = machine.handle(.tick, now: 12_100)
        let sentence =
            "slots of this node have had nobody for more than 12 s; c (boot 0000000000000003) can't be reached, and may have copies"
        #expect(actions.contains(.log(.alarm, sentence)))
        #expect(actions.contains(.standing([StandingAlarm(.slotsWait, sentence)])))
        #expect(
            actions.contains(.slotsWait(SlotWatch.Report(slots: 5, since: 100, names: ["c"], until: nil, isLong: true))))
        // Others are waited for: that is told, but is no other alarm.
        let more = machine.handle(.slotsWait(waits(6, silent: [Self.d])), now: 12_200)
        #expect(!more.contains { if case .log = $0 { true } else { false } })
        #expect(more.contains { if case .standing(let alarms) = $0 { alarms.map(\.kind) == [.slotsWait] } else { false } })
        #expect(machine.handle(.slotsWait(SlotWaits()), now: 12_300) == [.standing([]), .slotsWait(nil)])
    }

    @Test func garbageStandsUntilItIsDeleted() throws {
        var machine = try NodeScript.leased()
        func list(_ epoch: UInt64, _ garbage: [String]) -> MembershipAnswer {
            let members = [NodeScript.b, NodeScript.light].map { MemberList.Entry(name: $0.id, content: .data($0.json(), createdBy: 10)) }
            let others = garbage.map { MemberList.Entry(name: $0, content: .data([], createdBy: 10)) }
            return .list(MemberList(epoch: epoch, entries: members + others))
        }
        _ = machine.handle(.membership(.membersChanged(session: 1)), now: 100)
        let found = machine.handle(.membership(.answered(ticket: 8, list(20, ["junk"]))), now: 101)
        let alarm = StandingAlarm(.badMembers, "left out of the ring, delete what is no member: junk")
        #expect(found.contains(.standing([alarm])))
        _ = machine.handle(.membership(.membersChanged(session: 1)), now: 200)
        #expect(machine.handle(.membership(.answered(ticket: 9, list(21, []))), now: 201).contains(.standing([])))
    }
}
