// Each guard that can be switched off makes a difference that a test like the others notices.
import Testing

@testable import RingpostCore

@Suite struct GuardFaultTests {
    private func settled(_ fault: GuardFault?, _ members: String, messages: UInt64 = 2) -> InMemoryCluster {
        var limits = ShardLimits()
        limits.faults = fault.map { [$0] } ?? []
        return InMemoryCluster.settled("abcd", members, messages: messages, limits: limits)
    }

    /// What a test would see with this guard, or without it.
    private func seen(_ fault: GuardFault, isOff: Bool) -> String {
        let off = isOff ? fault : nil
        switch fault {
        case .deliverBeforeCommit:
            let net = settled(off, "abcd")
            net.hold("a<b")
            net.publish(1, at: "a")
            net.run()
            return net.result(1)
        case .ignoreTerm:
            let net = settled(off, "bcd")
            net.view(2, "abcd", at: "acd")
            net.run()
            net.publish(1, at: "b")
            net.run()
            return net.result(1)
        case .noLease:
            let net = settled(off, "abcd")
            net.lease("a", until: net.time)
            net.publish(1, at: "a")
            net.run()
            return net.result(1)
        case .promoteWithoutAsking:
            let net = settled(off, "bcd")
            net.view(2, "abcd")
            net.publish(1, at: "a")
            net.pass(50)
            return net.result(1)
        case .sameMemberAnyBoot:
            let net = settled(off, "abcd")
            net.restart("b")
            net.view(2, "abcd")
            net.run()
            return net.copies().joined(separator: ", ")
        case .releaseEarly:
            let net = settled(off, "acd")
            net.hold("a>b")
            net.view(2, "abcd")
            net.publish(1, at: "a")
            net.run()
            return net.copies().joined(separator: ", ")
        case .forgetWindow:
            let net = settled(off, "abcd")
            for number: UInt64 in 1...2 { net.publish(number, at: "a", idempotency: 7) }
            net.run()
            return net.result(2)
        case .releaseWithoutTrace:
            let net = LineageTests.staleCopyAndAReleasedOne(off)
            return net.copies().joined(separator: ", ")
        case .newcomerAlone:
            let net = LineageTests.newcomerWithoutItsSource(off)
            return net.copies().joined(separator: ", ")
        case .bestIsCertain:
            let net = LineageTests.ownerWithoutItsMirror(off)
            return net.copies().joined(separator: ", ")
        }
    }

    @Test(
        arguments: zip(
            GuardFault.allCases,
            [
                ("", "#3"), ("", "#3"), ("frozen", "#3"), ("#3", "#1"), ("a t1@2 serves, b t1@2", "a t1@2 serves"),
                ("a t1@3 serves, c t1@3", "a t1@3 serves"), ("#3 again", "#4"),
                ("b t1@2", "a t7@2 serves, b t7@2"),
                ("b t1@2, c t1@2", "a t2@2 serves, b t1@2, c t1@2, d t2@2"), ("a t1@2, b t1@2", "a t2@2 serves, b t1@2, c t2@2"),
            ]))
    func theGuardMakesADifference(fault: GuardFault, expected: (with: String, without: String)) {
        #expect(seen(fault, isOff: false) == expected.with)
        #expect(seen(fault, isOff: true) == expected.without)
    }
}
