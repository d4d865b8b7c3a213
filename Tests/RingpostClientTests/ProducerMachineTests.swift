// The producer's decisions, as transcripts: what is written, what the callers hear, and that one user's messages never
// change their order.
import NIOCore
import RingpostCore
import RingpostWire
import Testing

@testable import RingpostClient

/// A machine whose tickets are texts, and what it did, as texts: "write 1 a:x" or "complete x …".
private struct Script {
    var machine = ProducerMachine<String>()
    /// Their numbers, in the order of the frames: the first that is written counts as 1.
    private var requests: [UInt64] = []

    mutating func perform(_ body: (inout ProducerMachine<String>, inout [ProducerMachine<String>.Action]) -> Void) -> [String] {
        var actions: [ProducerMachine<String>.Action] = []
        body(&machine, &actions)
        return actions.map { action in
            switch action {
            case .write(let request, let message, let restarts, let mayBeRepeat): write(request, message, restarts, mayBeRepeat)
            case .complete(let ticket, .success(let receipt)): "\(ticket) seq \(receipt.sequence)"
            case .complete(let ticket, .failure(let error)):
                switch error {
                case .refused(let problem, _): "\(ticket) refused \(problem.code)"
                case .outcomeUnknown: "\(ticket) unknown"
                case .notSent: "\(ticket) not sent"
                default: "\(ticket) \(error)"
                }
            case .leave: "leave"
            }
        }
    }

    /// What a node reads of it.
    private mutating func write(_ request: UInt64, _ message: OutgoingMessage, _ restarts: Bool, _ mayBeRepeat: Bool) -> String {
        requests.append(request)
        var bytes = ByteBuffer()
        message.frame.write(request: request, restarts: restarts, mayBeRepeat: mayBeRepeat, budgetMilliseconds: 1, into: &bytes)
        guard case .produce(let produce)? = try? LinkDecoder().next(&bytes), produce.request == request else { return "unreadable" }
        let signs = (produce.restarts ? " restarts" : "") + (produce.mayBeRepeat ? " again" : "")
        let text = produce.name + [UInt8(ascii: ":")] + Array(produce.data.readableBytesView)
        return "write \(requests.count) \(String(decoding: text, as: UTF8.self))\(signs)"
    }

    private func request(_ number: UInt64) -> UInt64 { requests.indices.contains(Int(number) - 1) ? requests[Int(number) - 1] : 0 }

    mutating func up() -> [String] { perform { $0.onUp(payloadBytesMax: 100, actions: &$1) } }
    mutating func down() -> [String] { perform { $0.onDown(actions: &$1) } }
    mutating func tick(_ now: Int64) -> [String] { perform { $0.onTick(now: now, actions: &$1) } }

    mutating func submit(
        _ text: String, to user: String, repeatable: Bool = true, ownKey: Bool = false, deadline: Int64 = 10_000
    ) -> [String] {
        let frame = Array(user.utf8).withUnsafeBytes { name in
            Array(text.utf8).withUnsafeBytes { text in
                ProduceFrame(
                    isChannel: false, name: name, idempotencyKey: repeatable ? text : UnsafeRawBufferPointer(start: nil, count: 0),
                    isForgettable: ownKey, timeToLiveSeconds: nil, isJSON: false, data: text)
            }
        }
        let message = OutgoingMessage(
            destination: .user(user), frame: frame, isRepeatable: repeatable, isOwnKey: ownKey, deadline: deadline)
        return perform { $0.submit(message, text, actions: &$1) }
    }

    mutating func receipt(_ request: UInt64, sequence: UInt64, now: Int64 = 0) -> [String] {
        let receipt = Receipt(
            sequence: sequence, epoch: 1, owner: "n1", outcome: .delivered, mirrored: true, id: MessageID(high: 0, low: 0))
        let request = self.request(request)
        return perform { $0.onAnswer(request: request, .success(receipt), message: nil, now: now, actions: &$1) }
    }

    mutating func refusal(_ request: UInt64, _ problem: Problem, now: Int64 = 0) -> [String] {
        let request = self.request(request)
        return perform { $0.onAnswer(request: request, .failure(problem), message: nil, now: now, actions: &$1) }
    }
}

@Suite struct ProducerMachineTests {
    @Test func waitsForALinkAndKeepsTheOrder() {
        var script = Script()
        #expect(script.submit("x", to: "a") == [])
        #expect(script.submit("y", to: "a") == [])
        #expect(script.up() == ["write 1 a:x", "write 2 a:y"])
        #expect(script.submit("z", to: "b") == ["write 3 b:z"])
        #expect(script.receipt(3, sequence: 1) == ["z seq 1"])
        #expect(script.receipt(1, sequence: 5) == ["x seq 5"])
        #expect(script.receipt(2, sequence: 6) == ["y seq 6"])
        #expect(script.receipt(2, sequence: 6) == [])
        #expect(script.machine.isIdle)
    }

    @Test func aRefusedUserBeginsAgainInOrderOnceAllIsAnswered() {
        var script = Script()
        _ = script.up()
        _ = script.submit("x", to: "a")
        _ = script.submit("y", to: "a")
        _ = script.submit("z", to: "a")
        #expect(script.refusal(1, .retry, now: 100) == [])
        // New messages of this user wait behind, those of others don't.
        #expect(script.submit("v", to: "a") == [])
        #expect(script.submit("w", to: "b") == ["write 4 b:w"])
        // Answered out of turn: the order of sending decides.
        #expect(script.refusal(3, .retry, now: 101) == [])
        #expect(script.tick(1_000) == [])
        #expect(script.refusal(2, .retry, now: 1_000) == ["write 5 a:x restarts", "write 6 a:y", "write 7 a:z", "write 8 a:v"])
        #expect(script.submit("u", to: "a") == ["write 9 a:u"])
    }

    @Test func anotherRefusalWaitsLonger() {
        var script = Script()
        _ = script.up()
        _ = script.submit("x", to: "a")
        #expect(script.refusal(1, .ownerUnreachable, now: 0) == [])
        #expect(script.tick(24) == [])
        #expect(script.tick(25) == ["write 2 a:x restarts"])
        #expect(script.refusal(2, .retry, now: 30) == [])
        #expect(script.tick(79) == [])
        #expect(script.tick(80) == ["write 3 a:x restarts"])
        #expect(script.receipt(3, sequence: 1, now: 90) == ["x seq 1"])
        #expect(script.machine.isIdle)
    }

    @Test func theBudgetEndsTheAttempts() {
        var script = Script()
        _ = script.up()
        _ = script.submit("x", to: "a", deadline: 50)
        _ = script.submit("y", to: "a", deadline: 500)
        #expect(script.refusal(1, .retry, now: 40) == [])
        #expect(script.refusal(2, .retry, now: 40) == [])
        #expect(script.tick(60) == ["x refused retry"])
        // The next in order takes the lead.
        #expect(script.tick(70) == ["write 3 a:y restarts"])
        #expect(script.tick(999) == [])
        #expect(script.tick(1_000) == ["y unknown"])
        #expect(script.machine.isIdle)
    }

    @Test func aNodeThatHasTooMuchIsSparedAsLongAsItAsks() {
        var script = Script()
        _ = script.up()
        _ = script.submit("x", to: "a", deadline: 10_000)
        #expect(script.refusal(1, .overloaded, now: 0) == [])
        #expect(script.submit("y", to: "a", deadline: 10_000) == [], "it keeps its place behind")
        #expect(script.submit("z", to: "b", deadline: 1_999) == ["write 2 b:z"])
        #expect(script.refusal(2, .overloaded, now: 0) == ["z refused overloaded"], "its time is over before it may come back")
        #expect(script.tick(1_999) == [])
        #expect(script.tick(2_000 + Int64(ProducerMachine<String>.spreadMilliseconds)) == ["write 3 a:x restarts", "write 4 a:y"])
        // One that waits for another reason is put off as well.
        #expect(script.refusal(3, .retry, now: 3_000) == [])
        #expect(script.refusal(4, .overloaded, now: 3_000) == [])
        #expect(script.tick(4_999) == [])
        #expect(script.tick(5_500) == ["write 5 a:x restarts", "write 6 a:y"])
    }

    @Test func otherRefusalsGoToTheCaller() {
        var script = Script()
        _ = script.up()
        _ = script.submit("x", to: "a")
        _ = script.submit("y", to: "a")
        #expect(script.refusal(1, .badName) == ["x refused bad_name"])
        #expect(script.refusal(2, .frozen) == ["y refused frozen"])
        #expect(script.machine.isIdle)
    }

    @Test func aLostLinkRepeatsWhatMayBeRepeated() {
        var script = Script()
        _ = script.up()
        _ = script.submit("x", to: "a")
        _ = script.submit("y", to: "a", repeatable: false)
        _ = script.submit("z", to: "a")
        _ = script.submit("h", to: "b")
        #expect(script.refusal(4, .retry) == [])
        #expect(script.down() == ["y unknown"])
        #expect(script.submit("w", to: "a") == [])
        // A new connection has refused nothing yet, so nothing says "restarts".
        #expect(script.up() == ["write 5 a:x", "write 6 a:z", "write 7 b:h", "write 8 a:w"])
    }

    @Test func aRepeatWithTheProducersOwnKeySaysSo() {
        var script = Script()
        _ = script.up()
        _ = script.submit("x", to: "a", ownKey: true)
        _ = script.submit("y", to: "b", ownKey: true)
        _ = script.submit("z", to: "c")
        #expect(script.refusal(2, .retry, now: 0) == [])
        #expect(script.tick(25) == ["write 4 b:y restarts"], "it has certainly not been appended")
        #expect(script.down() == [])
        #expect(script.up() == ["write 5 a:x again", "write 6 b:y again", "write 7 c:z"])
    }

    @Test func whatWasUnderWayOnceIsNeverCalledUnsent() {
        var script = Script()
        _ = script.up()
        _ = script.submit("x", to: "a", deadline: 100)
        _ = script.down()
        _ = script.submit("y", to: "a", deadline: 100)
        #expect(script.tick(100) == ["x unknown", "y not sent"])
    }

    @Test func anUnknownOutcomeIsRepeatedOnlyWithAKey() {
        var script = Script()
        _ = script.up()
        _ = script.submit("x", to: "a")
        _ = script.submit("y", to: "b", repeatable: false)
        #expect(script.refusal(1, .outcomeUnknown, now: 0) == [])
        #expect(script.refusal(2, .outcomeUnknown, now: 0) == ["y unknown"])
        #expect(script.tick(25) == ["write 3 a:x restarts"])
        // Refused now, but the first attempt may have been appended.
        #expect(script.refusal(3, .frozen, now: 30) == ["x unknown"])
    }

    @Test func aStoppingNodeIsLeft() {
        var script = Script()
        _ = script.up()
        _ = script.submit("x", to: "a")
        #expect(script.refusal(1, .stopping) == ["leave"])
        #expect(script.down() == [])
        #expect(script.up() == ["write 2 a:x"])
    }

    @Test func aNodeThatStopsIsLeftWhenAllIsAnswered() {
        var script = Script()
        _ = script.up()
        _ = script.submit("x", to: "a", repeatable: false)
        _ = script.submit("y", to: "b", repeatable: false)
        #expect(script.refusal(2, .stopping) == [], "x is under way")
        #expect(script.submit("z", to: "c") == [], "nothing more goes to a node that stops")
        #expect(script.tick(5_000) == [], "nor is anything tried again there")
        #expect(script.refusal(1, .stopping) == ["leave"])
        #expect(script.down() == [])
        #expect(script.up() == ["write 3 a:x", "write 4 b:y", "write 5 c:z"])
    }

    @Test func tooLargeForTheNode() {
        var script = Script()
        _ = script.up()
        let text = String(repeating: "x", count: 101)
        #expect(script.submit(text, to: "a") == ["\(text) too_large: the message has 101 bytes, at most 100 are taken"])
    }

    @Test func silenceOfTheNodeLeavesTheOutcomeOpen() {
        var script = Script()
        _ = script.up()
        _ = script.submit("x", to: "a", deadline: 100)
        #expect(script.tick(100) == [])
        #expect(script.tick(100 + ProducerMachine<String>.graceMilliseconds) == ["x unknown"])
        #expect(script.receipt(1, sequence: 1) == [])
    }
}
