// "From now on" is when the edge first asked, however late an owner answers: what was published meanwhile is shown, or told as a gap.
import Testing

@testable import RingpostCore

@Suite struct AttachSinceTests {
    private static let address = ReturnAddress(connectionID: 1, id: 1)

    /// A shard with messages that were appended at these times.
    private func shard(messagesAt times: [Int64], historyMessagesMax: Int = 1_000) -> LoneShard {
        var limits = MailboxLimits()
        limits.historyMessagesMax = historyMessagesMax
        var loop = LoneShard(limits: limits)
        for (id, time) in times.enumerated() {
            let publish = Publish(
                key: LoneShard.key(), id: MessageID(high: 0, low: UInt64(id)), isRepeatable: false, data: [0x31], timeToLiveSeconds: nil,
                deadline: .max)
            _ = loop.publish(publish, answerTo: Self.address, at: Moment(monotonic: time, wall: 0))
        }
        return loop
    }

    private func reply(
        _ loop: LoneShard, askedAt: Int64, at now: Int64, _ start: AttachStart = .now, key: Key = LoneShard.key()
    ) throws -> String {
        var loop = loop
        let request = AttachRequest(key: key, address: Self.address, start: start, stay: .always, askedAt: askedAt)
        let reply = try loop.attach(request, at: now).get()
        return "\(reply.gap ? "gap " : "")\(reply.from)…\(reply.through): \(reply.messages.map(\.sequence))\(reply.isLive ? " live" : "")"
    }

    @Test func beginsWithTheFirstMessageSinceItWasAsked() throws {
        let loop = shard(messagesAt: [10, 20, 20, 30])
        #expect(try reply(loop, askedAt: 11, at: 40) == "1…4: [2, 3, 4] live")
        #expect(try reply(loop, askedAt: 20, at: 40) == "1…4: [2, 3, 4] live", "of the same millisecond it can't be told which was first")
        #expect(try reply(loop, askedAt: 21, at: 40) == "3…4: [4] live")
        #expect(try reply(loop, askedAt: 31, at: 40) == "4…4: [] live")
        #expect(try reply(loop, askedAt: 0, at: 40) == "0…4: [1, 2, 3, 4] live")
        #expect(try reply(loop, askedAt: .max, at: 40) == "4…4: [] live")
        #expect(try reply(loop, askedAt: 0, at: 40, .earliest) == "0…4: [1, 2, 3, 4] live")
        #expect(try reply(loop, askedAt: 0, at: 40, key: LoneShard.key(2)) == "0…0: [] live", "a name that nobody has written to")
    }

    @Test func oneThatIsAnsweredAtOnceBeginsWhereTheLogStands() throws {
        let loop = shard(messagesAt: [10, 20])
        #expect(try reply(loop, askedAt: 20, at: 20) == "2…2: [] live")
        #expect(try reply(loop, askedAt: 20, at: 21) == "2…2: [] live", "so exactly no clock here tells it")
        #expect(try reply(loop, askedAt: 20, at: 22) == "1…2: [2] live")
    }

    @Test func whatIsLostOfThatTimeIsAGap() throws {
        let loop = shard(messagesAt: [10, 20, 30, 40], historyMessagesMax: 2)
        #expect(try reply(loop, askedAt: 15, at: 50) == "gap 2…4: [3, 4] live")
        #expect(try reply(loop, askedAt: 20, at: 50) == "gap 2…4: [3, 4] live")
        #expect(try reply(loop, askedAt: 21, at: 50) == "2…4: [3, 4] live", "all that came since is there")
        #expect(try reply(loop, askedAt: 31, at: 50) == "3…4: [4] live")
    }

    @Test func agesAreOnlyOfThoseThatBeginNow() {
        func age(_ start: AttachStart, _ askedAt: Int64, _ now: Int64) -> UInt32 {
            AttachRequest(key: LoneShard.key(), address: Self.address, start: start, stay: .always, askedAt: askedAt).age(now: now)
        }
        #expect(age(.now, 1_000, 4_000) == 3_000)
        #expect(age(.now, 1_000, 1_001) == 0 && age(.now, 1_000, 900) == 0 && age(.now, .max, 1_000) == 0)
        #expect(age(.earliest, 1_000, 4_000) == 0)
        #expect(age(.now, 0, 1 << 40) == .max)
    }

    // MARK: A slot that is not ready

    /// The slot moves to a, and its content is held back.
    private func moving() -> InMemoryCluster {
        let net = InMemoryCluster.settled("abcd", "bcd", messages: 1)
        net.pass(1_000)
        net.hold("a<b")
        net.view(2, "abcd")
        net.run()
        return net
    }

    /// Named attach-sleeps-while-slot-becomes-ready.
    @Test func whatIsPublishedWhileTheSlotBecomesReadyIsShown() {
        let net = moving()
        net.attach(8, at: "a", from: .now)
        net.attach(9, at: "d", from: .now)
        net.pass(100)
        net.publish(1, at: "c")
        net.pass(100)
        #expect(net.heard(8) == [] && net.heard(9) == [] && net.result(1) == "")
        net.letGo()
        net.pass(100)
        #expect(net.result(1) == "#2")
        for number: UInt64 in [8, 9] { #expect(net.heard(number) == ["1…1: live", "#2"]) }
        net.attach(10, at: "d", from: .now)
        net.pass(100)
        #expect(net.heard(10) == ["2…2: live"], "asked later")
    }

    /// Every three seconds, and after refusals.
    @Test func whoAsksAgainBeginsWhenItFirstAsked() {
        let net = moving()
        net.pass(1_000)
        net.publish(1, at: "c")
        net.pass(2_000)
        net.letGo()
        net.pass(100)
        #expect(net.result(1) == "#2", "appended when the slot was ready, and served before who asks again comes")
        net.attach(9, at: "d", from: .now, askedAgo: 3_100)
        net.attach(10, at: "a", from: .now, askedAgo: 3_100)
        net.attach(11, at: "d", from: .now, askedAgo: 50)
        net.pass(100)
        #expect(net.heard(9) == ["1…2: #2 live"] && net.heard(10) == ["1…2: #2 live"] && net.heard(11) == ["2…2: live"])
    }

    /// A copy carries when its messages came, by the clock of whoever has it.
    @Test func aSuccessorKnowsWhenMessagesCame() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        net.pass(5_000)
        net.publish(1, at: "d")
        net.pass(1_000)
        net.kill("a")
        net.view(2, "bcd")
        net.run()
        net.attach(9, at: "d", from: .now, askedAgo: 1_500)
        net.run()
        #expect(net.heard(9) == ["1…2: #2 live"])
    }
}
