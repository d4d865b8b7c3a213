// A channel's last branch: everybody gets everything once and in order, whoever comes and goes meanwhile.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct FanOutTests {
    private final class Member {
        let name: Int
        var got: [Int] = []
        init(_ name: Int) { self.name = name }
    }

    private static func serve(_ out: inout FanOut<Member, Int>, _ count: Int = .max) {
        var left = count
        while left > 0, let (member, items) = out.next() {
            member.got += items
            left -= 1
        }
    }

    @Test func everybodyGetsARoundInOnePiece() {
        var out = FanOut<Member, Int>()
        let members = (0..<3).map(Member.init)
        for member in members { out.add(member) }
        out.add(members[0])
        #expect(out.count == 3)
        _ = out.push(1)
        Self.serve(&out, 1)
        // While a round is under way, what comes waits for the next one.
        for item in 2...3 { _ = out.push(item) }
        Self.serve(&out)
        for member in members { #expect(member.got == [1, 2, 3]) }
        Self.serve(&out)
        #expect(members.allSatisfy { $0.got == [1, 2, 3] })
    }

    @Test func nobodyIsServedTwiceOrForgottenWhenOthersGo() {
        var random = SplitMix64(seed: 7)
        for _ in 0..<500 {
            var out = FanOut<Member, Int>()
            var members = (0..<(2 + Int(random.next() % 9))).map(Member.init)
            for member in members { out.add(member) }
            var sent: [Int] = []
            for item in 0..<30 {
                sent.append(item)
                _ = out.push(item)
                Self.serve(&out, Int(random.next() % 5))
                if random.next() % 4 == 0, !members.isEmpty {
                    out.remove(members.remove(at: Int(random.next() % UInt64(members.count))))
                }
            }
            Self.serve(&out)
            for member in members { #expect(member.got == sent) }
        }
    }

    @Test func oneThatGoesInItsTurnTakesNobodysTurn() {
        var out = FanOut<Member, Int>()
        let members = (0..<4).map(Member.init)
        for member in members { out.add(member) }
        _ = out.push(1)
        while let (member, items) = out.next() {
            member.got += items
            if member.name % 2 == 0 { out.remove(member) }
        }
        #expect(members.allSatisfy { $0.got == [1] })
        #expect(out.count == 2 && Set(out.all.map(\.name)) == [1, 3])
    }

    @Test func theOldestGivesWay() {
        var out = FanOut<Member, Int>()
        let member = Member(0)
        out.add(member)
        let gaveWay = (Array(0..<FanOut<Member, Int>.itemsMax) + [-1]).map { out.push($0) }
        #expect(gaveWay.firstIndex(of: true) == FanOut<Member, Int>.itemsMax)
        Self.serve(&out)
        #expect(member.got.count == FanOut<Member, Int>.itemsMax && member.got.first == 1 && member.got.last == -1)
    }

    @Test func withoutMembersNothingIsKept() {
        var out = FanOut<Member, Int>()
        _ = out.push(1)
        Self.serve(&out)
        let member = Member(0)
        out.add(member)
        Self.serve(&out)
        #expect(member.got.isEmpty)
    }
}
