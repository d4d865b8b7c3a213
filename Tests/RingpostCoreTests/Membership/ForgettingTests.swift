// The order that a member is gone for good, against the machine that registers: each writes only over what it has read.

import HashRing
import Testing

@testable import RingpostCore

private typealias Script = MembershipScript

@Suite struct ForgettingTests {
    private static let znode = Script.paths.roster("a")

    // MARK: What becomes of an entry

    private func entry(lineage: UInt64 = 7, boot: UInt64 = 99, isGivenUp: Bool = false, link: String? = nil) -> RosterEntry {
        var member = Script.member("a", boot: boot, weight: 0)
        member.lineage = lineage
        member.link = link ?? member.link
        return RosterEntry(member, Life(since: 5, shortLives: 2), isGivenUp: isGivenUp)
    }

    @Test func itsFormIsStable() throws {
        let text = String(decoding: entry(isGivenUp: true).json(), as: UTF8.self)
        #expect(text.contains(#""givenUp":true"#) && text.contains(#""shortLives":2"#) && text.contains(#""lineage":"0000000000000007""#))
        #expect(try RosterEntry(json: Array(text.utf8), znode: Self.znode) == entry(isGivenUp: true))
        #expect(!String(decoding: entry().json(), as: UTF8.self).contains("givenUp"), "as it was before")
        #expect(try RosterEntry(json: entry().json(), znode: Self.znode) == entry())
        #expect(try Member(json: entry(isGivenUp: true).json(), znode: Self.znode) == entry().member)
    }

    private func refusal(entry: [UInt8]?, member: [UInt8]? = nil) -> ForgetRefusal? {
        do throws(ForgetRefusal) {
            _ = try Forgetting.mark("a", entry: entry, member: member, paths: Script.paths)
            return nil
        } catch { return error }
    }

    @Test func onlyAnEntryOfWhoIsNoMemberIsMarked() throws {
        let member = entry().member
        #expect(try Forgetting.mark("a", entry: entry().json(), member: nil, paths: Script.paths) == entry(isGivenUp: true))
        #expect(try Forgetting.mark("a", entry: entry(isGivenUp: true).json(), member: nil, paths: Script.paths) == nil, "done already")
        #expect(refusal(entry: entry().json(), member: member.json()) == .isMember("a", member.identity))
        #expect(refusal(entry: entry(isGivenUp: true).json(), member: member.json()) == .isMember("a", member.identity))
        #expect(refusal(entry: nil, member: member.json()) == .isMember("a", member.identity))
        #expect(refusal(entry: entry().json(), member: [1]) == .isMember("a", nil), "somebody's, whatever it says")
        #expect(refusal(entry: nil) == .unknown("a"))
        #expect(refusal(entry: [1]) == .unreadable(znode: Self.znode))
    }

    @Test func refusalsSayWhatToDo() {
        let refusals: [ForgetRefusal] = [
            .isMember("a", nil), .unknown("a"), .unreadable(znode: "/r/a"), .isAlive(entry().member), .changed("a"), .unavailable("away"),
            .alone,
        ]
        #expect(Set(refusals.map(\.code)).count == refusals.count)
        for refusal in refusals { #expect(refusal.message.count > 20 && !refusal.message.hasSuffix(".")) }
    }

    // MARK: Against registrations

    /// What stands in ZooKeeper for the id a.
    private struct Znodes {
        var entry: (json: [UInt8], version: Int32)?
        var member: [UInt8]?
        var epoch: UInt64 = 30

        mutating func answer(_ request: MembershipRequest) throws -> MembershipAnswer {
            switch request {
            case .readRing: return .ring(try Script.document().json())
            case .list(let unlessEpoch):
                if unlessEpoch == epoch { return .unchanged }
                let own = try member.map { try Member(json: $0) }
                return own.map { Script.list(epoch, (Script.b, 10), ($0, epoch)) } ?? Script.list(epoch, (Script.b, 10))
            case .makeRosterEntry(let member, let life):
                if let entry { return .rosterEntry(entry.json, version: entry.version) }
                entry = (RosterEntry(member, life).json(), 0)
                return .done
            case .register(let member, let life, let version):
                guard let found = entry else { return .missing }
                if found.version != version { return .changed }
                if self.member != nil { return .exists }
                entry = (RosterEntry(member, life).json(), version + 1)
                self.member = member.json()
                epoch += 2
                return .done
            default: return .done
            }
        }

        /// The first half of the order: what it would write, and over which version.
        func read() throws -> (entry: RosterEntry, version: Int32)? {
            let mark = try Forgetting.mark("a", entry: entry?.json, member: member, paths: Script.paths)
            return mark.map { ($0, entry?.version ?? 0) }
        }

        /// The second one. False: somebody else has written there.
        mutating func write(_ mark: (entry: RosterEntry, version: Int32)) -> Bool {
            guard entry?.version == mark.version else { return false }
            entry = (mark.entry.json(), mark.version + 1)
            return true
        }

        func written() throws -> RosterEntry? { try entry.map { try RosterEntry(json: $0.json, znode: ForgettingTests.znode) } }
    }

    /// Answers what the machine asks for, until it asks for something that is to wait, or has become a member.
    private func run(
        _ machine: inout MembershipMachine, _ first: [MembershipAction], _ znodes: inout Znodes,
        until stops: (MembershipRequest) -> Bool = { _ in false }
    ) throws -> (said: [MembershipAction], last: [MembershipAction]) {
        var (actions, said) = (first, first)
        for _ in 0..<20 {
            guard case .request(let ticket, let request) = actions.last, !stops(request) else { break }
            actions = machine.handle(.answered(ticket: ticket, try znodes.answer(request)), now: 103)
            said += actions
        }
        return (said, actions)
    }

    private func forget(_ znodes: inout Znodes) throws {
        let mark = try #require(try znodes.read())
        let isWritten = znodes.write(mark)
        #expect(isWritten)
    }

    private func lineages(_ said: [MembershipAction]) -> [MembershipAction] {
        said.filter { if case .lineage = $0 { true } else { false } }
    }

    private func isRegistration(_ request: MembershipRequest) -> Bool { if case .register = request { true } else { false } }

    /// A process with the lineage 7 whose first session, of boot 1, has ended; its second one is connected.
    private func betweenSessions() throws -> (MembershipMachine, [MembershipAction], Znodes) {
        var machine = try Script.joined()
        machine.me.lineage = 7
        _ = machine.handle(.expired(session: 1), now: 100)
        _ = machine.handle(.sessionOpened(session: 2, boot: 5), now: 101)
        let actions = machine.handle(.connected(session: 2, negotiatedTimeoutMilliseconds: 6_000), now: 102)
        return (machine, actions, Znodes(entry: (entry(boot: 1).json(), 4)))
    }

    /// Named forgotten-comes-back.
    @Test func whoIsForgottenComesBackWithoutWhatItHeld() throws {
        var (machine, actions, znodes) = try betweenSessions()
        try forget(&znodes)
        let (said, _) = try run(&machine, actions, &znodes)
        #expect(lineages(said) == [.lineage(5)])
        let written = try #require(try znodes.written())
        #expect(written.member.lineage == 5 && written.member.former.isEmpty && !written.isGivenUp)
        #expect(said.contains(.registered(written.member, hadPredecessor: false)))
        // In its next session it is as anybody else.
        _ = machine.handle(.expired(session: 2), now: 200)
        znodes.member = nil
        _ = machine.handle(.sessionOpened(session: 3, boot: 6), now: 201)
        actions = machine.handle(.connected(session: 3, negotiatedTimeoutMilliseconds: 6_000), now: 202)
        #expect(lineages(try run(&machine, actions, &znodes).said) == [])
        #expect(machine.me.lineage == 5)
    }

    /// A process that begins: with the lineage of its disk, with another one than the entry's, and where the entry's process was elsewhere.
    @Test(arguments: [(UInt64(7), true), (8, false)]) func alsoAfterAStart(lineage: UInt64, losesIt: Bool) throws {
        for isGivenUp in [true, false] {
            var machine = try Script.listing(storedBoots: losesIt ? [99] : nil)
            machine.me.lineage = lineage
            var znodes = Znodes(entry: (entry(isGivenUp: isGivenUp, link: "elsewhere:1").json(), 2))
            let first = machine.handle(.answered(ticket: 4, Script.list(30, (Script.b, 10))), now: 9)
            let (said, _) = try run(&machine, first, &znodes)
            #expect(lineages(said) == (isGivenUp && losesIt ? [.lineage(1)] : []))
            let written = try #require(try znodes.written())
            #expect(written.member.lineage == (isGivenUp && losesIt ? 1 : lineage) && !written.isGivenUp)
            #expect(written.member.former.count == (isGivenUp ? 0 : 1), "who is given up is waited for by nobody")
            #expect(said.contains(.registered(written.member, hadPredecessor: !isGivenUp)))
        }
    }

    /// Named give-up-meets-registration.
    @Test func aRegistrationFindsThatItWasGivenUpMeanwhile() throws {
        var (machine, actions, znodes) = try betweenSessions()
        let read = try run(&machine, actions, &znodes, until: isRegistration)
        guard case .request(_, .register(let member, _, over: 4)) = read.last.last else { throw Unexpected(["\(read.last)"]) }
        #expect(member.lineage == 7)
        try forget(&znodes)
        let (said, _) = try run(&machine, read.last, &znodes)
        #expect(lineages(said) == [.lineage(5)])
        #expect(try znodes.written()?.member.lineage == 5)
        #expect(machine.view?.own?.lineage == 5)
    }

    /// The other order.
    @Test func theOrderFindsThatItHasRegisteredMeanwhile() throws {
        var (machine, actions, znodes) = try betweenSessions()
        let mark = try #require(try znodes.read())
        let (said, _) = try run(&machine, actions, &znodes)
        #expect(lineages(said) == [] && machine.view?.own?.lineage == 7)
        let isWritten = znodes.write(mark)
        #expect(!isWritten)
        #expect(throws: ForgetRefusal.isMember("a", MemberIdentity(id: "a", boot: 5))) { try znodes.read() }
        #expect(try znodes.written()?.isGivenUp == false)
    }

    /// Of a first start the entry is made before the registration.
    @Test func anOrderBetweenTheEntryAndTheFirstRegistration() throws {
        var machine = try Script.listing()
        machine.me.lineage = 7
        var znodes = Znodes()
        let first = machine.handle(.answered(ticket: 4, Script.list(30, (Script.b, 10))), now: 9)
        let read = try run(&machine, first, &znodes, until: isRegistration)
        try forget(&znodes)
        let (said, _) = try run(&machine, read.last, &znodes)
        #expect(lineages(said) == [.lineage(1)] && machine.view?.own?.lineage == 1)
    }
}
