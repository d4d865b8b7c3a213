// ZooKeeper comes back without its data, or with older data; and a node that finds no ring.

import HashRing
import Testing

@testable import RingpostCore

private typealias Script = MembershipScript

@Suite struct MembershipLossTests {
    private let a = Script.member("a", boot: 7)
    private let light = Script.member("a", boot: 7, weight: 0)

    /// A member of epoch 14 whose connection broke at 100; ZooKeeper is asked over a fresh session at 1,100.
    private func away() throws -> MembershipMachine {
        var machine = try Script.joined()
        _ = machine.handle(.disconnected(session: 1), now: 100)
        #expect(machine.nextWake == 1_100)
        #expect(
            machine.handle(.tick, now: 1_100)
                == [.askAfresh(session: 1, Script.member("a", boot: 1), limitMilliseconds: 5_000)])
        return machine
    }

    /// ZooKeeper doesn't know its session: connected with session 2 and boot 7, and about to read the ring (ticket 13).
    private func forgotten() throws -> MembershipMachine {
        var machine = try away()
        let actions = machine.handle(.askedAfresh(session: 1, .unknown), now: 1_200)
        #expect(actions.first == .unregistered)
        #expect(actions.suffix(2) == [.closeSession, .openSession(session: 2, timeoutMilliseconds: 6_000)])
        _ = machine.handle(.sessionOpened(session: 2, boot: 7), now: 1_200)
        #expect(
            machine.handle(.connected(session: 2, negotiatedTimeoutMilliseconds: 6_000), now: 1_300)
                == [.request(ticket: 11, .createPaths)])
        #expect(machine.handle(.answered(ticket: 11, .done), now: 1_301) == [.request(ticket: 12, .sync)])
        #expect(machine.handle(.answered(ticket: 12, .done), now: 1_302) == [.request(ticket: 13, .readRing)])
        return machine
    }

    private func rebased() throws -> ClusterDocument { try Script.document().rebased(above: 14) }

    // MARK: - Asking over a fresh session

    @Test func anOutageIsAskedAboutAgainAndAgain() throws {
        var machine = try away()
        #expect(machine.handle(.tick, now: 1_150) == [], "one question at a time")
        #expect(machine.handle(.askedAfresh(session: 0, .unknown), now: 1_160) == [], "of an earlier session")
        #expect(machine.handle(.askedAfresh(session: 1, .nobody), now: 1_200) == [])
        #expect(machine.handle(.tick, now: 2_200).count == 1)
        // Its session lives: the library will be let in.
        #expect(machine.handle(.askedAfresh(session: 1, .known), now: 2_300) == [])
        #expect(machine.handle(.tick, now: 3_300).count == 1)
        #expect(
            machine.handle(.connected(session: 1, negotiatedTimeoutMilliseconds: 6_000), now: 3_400)
                == [.say("ZooKeeper is back after 3300 ms"), .request(ticket: 11, .sync)])
        #expect(machine.handle(.askedAfresh(session: 1, .unknown), now: 3_500) == [], "it is connected")
    }

    @Test func aSessionThatNeverWasIsNotAskedAbout() throws {
        var machine = try Script.machine()
        _ = machine.handle(.start, now: 0)
        _ = machine.handle(.sessionOpened(session: 1, boot: 1), now: 0)
        #expect(machine.nextWake == 10_000)
        #expect(machine.handle(.tick, now: 10_000) == [.say("ZooKeeper has been away for 10 s; still trying")])
    }

    @Test func theReminderComesBetweenTheQuestions() throws {
        var machine = try away()
        _ = machine.handle(.askedAfresh(session: 1, .nobody), now: 10_050)
        #expect(machine.handle(.tick, now: 10_100) == [.say("ZooKeeper has been away for 10 s; still trying")])
        #expect(machine.nextWake == 11_050)
    }

    // MARK: - Putting back

    @Test func anEmptyZooKeeperGetsTheRingAsItWasWithEpochsAboveAllThatWere() throws {
        var machine = try forgotten()
        let document = try rebased()
        #expect(document.epochBase == 1 << 40)
        let remains = RingRemains(document: document, replaced: nil, members: try #require(machine.view?.members))
        #expect(remains.members.map(\.id).sorted() == ["a", "b"])
        #expect(machine.handle(.answered(ticket: 13, .missing), now: 1_303) == [.request(ticket: 14, .putBack(remains))])
        let actions = machine.handle(.answered(ticket: 14, .done), now: 1_304)
        #expect(Script.alarm(in: actions)?.hasPrefix("ZooKeeper has come back without its data: /ringpost/test/ring was missing") == true)
        #expect(machine.loss == Script.alarm(in: actions))
        #expect(actions.last == .request(ticket: 15, .sync))
        _ = machine.handle(.answered(ticket: 15, .done), now: 1_305)
        #expect(
            machine.handle(.answered(ticket: 16, .ring(document.json())), now: 1_306) == [.request(ticket: 17, .list(unlessEpoch: nil))])
        // ZooKeeper counts from below again.
        let epoch = 1 << 40 + UInt64(5)
        #expect(machine.handle(.answered(ticket: 17, Script.list(5)), now: 1_307).last == .request(ticket: 18, .makeRosterEntry(light)))
        #expect(machine.view?.epoch == epoch)
        #expect(machine.view?.generation == 0xAB)
        _ = machine.handle(.answered(ticket: 18, .rosterEntry(Script.member("a", boot: 1).json())), now: 1_308)
        #expect(machine.handle(.answered(ticket: 19, .done), now: 1_309) == [.request(ticket: 20, .list(unlessEpoch: 5))])
        let joined = machine.handle(.answered(ticket: 20, Script.list(8, (light, 8))), now: 1_310)
        #expect(joined.first == .registered(light, hadPredecessor: false))
        #expect(machine.view?.epoch == epoch + 3)
    }

    @Test func whoComesSecondTakesTheRingAsTheFirstHasPutItBack() throws {
        var machine = try forgotten()
        #expect(machine.handle(.answered(ticket: 13, .missing), now: 1_303).count == 1)
        #expect(machine.handle(.answered(ticket: 14, .exists), now: 1_304) == [.request(ticket: 15, .sync)])
        _ = machine.handle(.answered(ticket: 15, .done), now: 1_305)
        let actions = machine.handle(.answered(ticket: 16, .ring(try rebased().json())), now: 1_306)
        #expect(Script.alarm(in: actions)?.hasPrefix("ZooKeeper has lost data; another node has put the ring back") == true)
        #expect(actions.last == .request(ticket: 17, .list(unlessEpoch: nil)))
        _ = machine.handle(.answered(ticket: 17, Script.list(5)), now: 1_307)
        #expect(machine.view?.epoch == 1 << 40 + 5)
    }

    @Test func anOlderStateIsBroughtAboveWhatWas() throws {
        var machine = try forgotten()
        _ = machine.handle(.answered(ticket: 13, .ring(try Script.document().json())), now: 1_303)
        let view = try #require(machine.view)
        let remains = RingRemains(document: try rebased(), replaced: try Script.document(), members: view.members)
        #expect(
            machine.handle(.answered(ticket: 14, Script.list(9, (Script.b, 9))), now: 1_304) == [.request(ticket: 15, .putBack(remains))])
        let actions = machine.handle(.answered(ticket: 15, .done), now: 1_305)
        #expect(Script.alarm(in: actions)?.hasPrefix("ZooKeeper has come back with older data") == true)
        _ = machine.handle(.answered(ticket: 16, .done), now: 1_306)
        _ = machine.handle(.answered(ticket: 17, .ring(try rebased().json())), now: 1_307)
        _ = machine.handle(.answered(ticket: 18, Script.list(9, (Script.b, 9))), now: 1_308)
        #expect(machine.view?.epoch == 1 << 40 + 9)
    }

    // MARK: - Lineages

    /// A node of lineage 70 after somebody has put the ring back, and what it does about its entry.
    private func registers(over entry: Member?) throws -> (actions: [MembershipAction], member: Member?, hadPredecessor: Bool) {
        var machine = try forgotten()
        machine.me.lineage = 70
        _ = machine.handle(.answered(ticket: 13, .ring(try rebased().json())), now: 1_303)
        #expect(
            machine.handle(.answered(ticket: 14, Script.list(5)), now: 1_304).last
                == .request(ticket: 15, .makeRosterEntry(machine.me.with(weight: 0))))
        let actions = machine.handle(.answered(ticket: 15, entry.map { .rosterEntry($0.json()) } ?? .done), now: 1_305)
        guard case .request(16, .register(let member, _, _)) = actions.last else { return (actions, nil, false) }
        _ = machine.handle(.answered(ticket: 16, .done), now: 1_306)
        let joined = machine.handle(.answered(ticket: 17, Script.list(8, (member, 8))), now: 1_307)
        return (Array(actions.dropLast()), member, joined.first == .registered(member, hadPredecessor: true))
    }

    /// What the last epoch said of this node.
    private var entry: Member {
        var entry = Script.member("a", boot: 1)
        entry.lineage = 70
        return entry
    }

    @Test func aLineageOutlivesTheDataOfZooKeeper() throws {
        let kept = try registers(over: entry)
        #expect(kept.actions == [] && kept.member?.lineage == 70 && !kept.hadPredecessor)
    }

    @Test func aLineageThatNobodyPutBackIsGivenUp() throws {
        // Lost with the data, or taken away before: the last epoch did not have it, so others may have gone on without it.
        let lost = try registers(over: nil)
        #expect(lost.actions.first == .lineage(7) && lost.member?.lineage == 7)
        var other = entry
        other.lineage = 71
        #expect(try registers(over: other).actions.first == .lineage(7))
    }

    @Test func whoWasFoundInAnEntryThatWasPutBackStaysNamed() throws {
        var entry = entry
        let stranger = Member.Former(boot: 99, link: "other.test:1")
        entry.former = [stranger]
        let registered = try registers(over: entry)
        #expect(registered.actions == [] && registered.member?.lineage == 70)
        #expect(registered.member?.former == [stranger])
        #expect(registered.hadPredecessor, "it may believe that it may act")
        // This process itself, as another node remembered it.
        entry.former = [Member.Former(boot: 1, link: "other.test:1"), Member.Former(boot: 5, link: entry.link)]
        let alone = try registers(over: entry)
        #expect(alone.member?.former == [] && !alone.hadPredecessor)
    }

    @Test func whoeverStoodInAnEntryStaysNamedWhenItIsPutBack() {
        var older = Script.member("a", boot: 9)
        older.link = "other.test:1"
        older.former = [Member.Former(boot: 8, link: "third.test:1")]
        let restored = entry.replacing(older)
        #expect(restored.identity == entry.identity && restored.lineage == 70)
        #expect(restored.former == older.former + [Member.Former(boot: 9, link: "other.test:1")])
        #expect(restored.replacing(entry).former == restored.former, "itself is no stranger")
        older.former = (1...4).map { Member.Former(boot: $0 + 20, link: "third.test:1") }
        #expect(entry.replacing(older).former.count == Member.formerMax)
    }

    @Test func epochsGoOnAboveAnEarlierLoss() throws {
        let once = try rebased()
        #expect(once.rebased(above: once.epochBase + 3).epochBase == 2 << 40)
        #expect(once.rebased(above: once.epochBase - 1).epochBase == once.epochBase)
    }

    @Test func theBaseStandsInTheDocumentOnlyWhereThereIsOne() throws {
        let document = try Script.document()
        #expect(!String(decoding: document.json(), as: UTF8.self).contains("epochBase"))
        let json = try rebased().json()
        #expect(String(decoding: json, as: UTF8.self).contains("\"epochBase\":\"0000010000000000\""))
        #expect(try ClusterDocument(json: json, znode: "/r") == rebased())
        #expect(document.with(epochBase: .max).fault?.contains("epochBase") == true)
    }

    // MARK: - Founding

    @Test func aNodeThatFindsNoRingWaitsForThoseThatRunOne() throws {
        var machine = try Script.machine()
        _ = machine.handle(.start, now: 0)
        _ = machine.handle(.sessionOpened(session: 1, boot: 1), now: 0)
        _ = machine.handle(.connected(session: 1, negotiatedTimeoutMilliseconds: 6_000), now: 5)
        _ = machine.handle(.answered(ticket: 1, .done), now: 6)
        _ = machine.handle(.answered(ticket: 2, .done), now: 7)
        let waits = machine.handle(.answered(ticket: 3, .missing), now: 8)
        #expect(
            waits == [
                .say(
                    "there is no /ringpost/test/ring; founding a new ring in 3000 ms, unless nodes of a ring that runs put theirs back. None is "
                        + "founded while /ringpost/test/roster names members: if none of them runs, delete /ringpost/test")
            ])
        #expect(machine.handle(.setWeight(2), now: 9) == [], "there is no list to be read")
        #expect(machine.nextWake == 3_008)
        #expect(machine.handle(.tick, now: 3_008) == [.request(ticket: 4, .sync)])
        _ = machine.handle(.answered(ticket: 4, .done), now: 3_009)
        let document = try Script.document()
        #expect(machine.handle(.answered(ticket: 5, .missing), now: 3_010) == [.request(ticket: 6, .found(document))])
        // Somebody else was first, or the roster says that somebody has been there.
        #expect(machine.handle(.answered(ticket: 6, .exists), now: 3_011) == [.request(ticket: 7, .sync)])
        _ = machine.handle(.answered(ticket: 7, .done), now: 3_012)
        #expect(machine.handle(.answered(ticket: 8, .missing), now: 3_013).count == 1)
        #expect(machine.nextWake == 6_013, "it waits again")
    }
}
