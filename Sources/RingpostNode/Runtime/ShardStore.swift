// One shard's side of the node's store: hands over what a turn has changed, and holds what follows from it until it is there.
import DequeModule
import HashRing
import NIOCore
import RingpostCore

/// Used on its shard's event loop only.
final class ShardStore: @unchecked Sendable {
    /// Where the store has no room, it is asked again so much later.
    static let retry = TimeAmount.milliseconds(5)

    /// So many questions wait at a time for what they show to be in the store; who asks beyond it is not shown what may not be there.
    static let questionsMax = 1_024
    /// Nor is who has waited for so long: operators are answered within two seconds.
    static let questionMillisecondsMax: Int64 = 1_000

    /// What the node has to hear of.
    enum Event {
        /// The store has not written for too long, and has given no error. Comes once.
        case stuck(StoreFailure)
        /// The disk has become slow, or well again.
        case pace(DiskPace.Change)
        /// A slot can't be read.
        case damage(StoreDamage)
    }

    /// Whoever wants to show something that must be in the store first.
    private struct Question {
        let tick: UInt64
        let since: Int64
        let answer: (_ isStored: Bool) -> Void
    }

    private let store: any CopyStore
    private let eventLoop: any EventLoop
    private let loops: LoopGate
    private unowned let shell: MachineShell
    private let onEvent: (Event) -> Void
    private var gate = StoreGate()
    private var pace = DiskPace()
    /// In the order of their ticks.
    private var questions: Deque<Question> = []
    /// Ticks for which the store has had no room. They count as what waits for it, which is bounded.
    private var waiting: Deque<StoreTick> = []
    private var isScheduled = false
    private var hasFailed = false
    /// Nobody is answered any more.
    private var isEnded = false

    init(
        _ store: any CopyStore, eventLoop: any EventLoop, loops: LoopGate, shell: MachineShell, onEvent: @escaping (Event) -> Void
    ) {
        self.store = store
        self.eventLoop = eventLoop
        self.loops = loops
        self.shell = shell
        self.onEvent = onEvent
    }

    /// - Returns: whether the action is performed now.
    func admit(_ action: ShardAction) -> Bool { gate.admit(action, hasChanges: shell.hasChanges) }

    /// The machine has decided: what has changed goes to the store when all that has come with it was looked at.
    func onDecided() {
        if isScheduled || !shell.hasChanges { return }
        isScheduled = true
        eventLoop.assumeIsolated().execute { self.onScheduled() }
    }

    private func onScheduled() {
        isScheduled = false
        handOver()
    }

    /// Hands over all that has changed.
    func handOver() {
        let tick = shell.takeTick()
        // The process ends: what was decided since is nobody's.
        if hasFailed { return }
        if let tick {
            gate.handOver(bytes: tick.bytes, now: tick.now)
            waiting.append(tick)
        }
        while let tick = waiting.first, write(tick) { waiting.removeFirst() }
        if !waiting.isEmpty, !isScheduled {
            isScheduled = true
            eventLoop.assumeIsolated().scheduleTask(in: Self.retry) { self.onScheduled() }
        }
        shell.setStoreIsBehind(gate.isFull)
    }

    private func write(_ tick: StoreTick) -> Bool {
        store.write(tick) { [loops, eventLoop] failure in
            loops.execute(on: eventLoop) { self.onStored(failure) }
        }
    }

    private func onStored(_ failure: StoreFailure?) {
        if failure != nil { return fail() }
        if hasFailed { return }
        gate.onStored()
        shell.perform { self.nextAction() }
        answerQuestions(now: nil)
        shell.setStoreIsBehind(gate.isFull)
    }

    private func nextAction() -> ShardAction? {
        while let action = gate.next() {
            if case .send(_, let frame) = action, !shell.mayLeave(frame) { continue }
            return action
        }
        return nil
    }

    /// What was to be said on a link goes with it.
    func linkIsDown(_ handle: UInt32) { gate.linkIsDown(handle) }

    func onTick(now: Int64) {
        if hasFailed { return }
        gate.onTick(now: now)
        if let change = pace.onTick(waited: gate.waitMilliseconds(now: now), now: now) { onEvent(.pace(change)) }
        answerQuestions(now: now)
        guard gate.isStuck(now: now) else { return }
        fail()
        onEvent(
            .stuck(
                StoreFailure(
                    "The store has not written anything for more than \(StoreGate.waitMillisecondsMax / 1_000) s, and gives no error. "
                        + "Nothing is acknowledged that is not there. Look what is wrong with the disk, and start the node again.")))
    }

    /// What can't be written is said to nobody, and no publish is taken; the node ends.
    private func fail() {
        hasFailed = true
        gate.fail()
        waiting = []
        endQuestions()
        shell.setStoreIsBehind(true)
    }

    // MARK: Questions

    /// Answers once all that has changed up to now is in the store: at once, when nothing waits. Otherwise says that it may not be.
    func whenStored(now: Int64, _ answer: @escaping (_ isStored: Bool) -> Void) {
        let tick = gate.tick(hasChanges: shell.hasChanges)
        if hasFailed || isEnded { return answer(false) }
        if gate.hasStored(tick) { return answer(true) }
        if questions.count == Self.questionsMax { return answer(false) }
        questions.append(Question(tick: tick, since: now, answer: answer))
    }

    /// - Parameter now: `nil` where no time has passed that has to be looked at.
    private func answerQuestions(now: Int64?) {
        while let first = questions.first {
            let isStored = gate.hasStored(first.tick)
            guard isStored || now.map({ $0 - first.since > Self.questionMillisecondsMax }) ?? false else { return }
            questions.removeFirst()
            first.answer(isStored)
        }
    }

    /// Nothing comes from the store any more.
    func endQuestions() {
        isEnded = true
        let ended = questions
        questions = []
        for question in ended { question.answer(false) }
    }

    // MARK: Reading

    func load(_ slot: Int, _ head: SlotHead) {
        let asked = Moment.now().monotonic
        let request = shell.slotLoad(slot, head, now: asked)
        let isTaken = request.map { request in
            store.load(request) { [loops, eventLoop] result in
                loops.execute(on: eventLoop) { self.onLoaded(slot, result, asked: asked) }
            }
        }
        if isTaken != true { eventLoop.assumeIsolated().scheduleTask(in: Self.retry) { self.load(slot, head) } }
    }

    private func onLoaded(_ slot: Int, _ result: Result<StoredSlot, StoreDamage>, asked: Int64) {
        if case .failure(let damage) = result { onEvent(.damage(damage)) }
        shell.decide { $0.onLoaded(slot, result, asked: asked, now: $1, actions: &$2) }
    }

    /// Whoever waits for it is told to ask again where the store has no room.
    func read(_ number: UInt64, _ load: HistoryLoad) {
        let isTaken = store.read(load) { [loops, eventLoop] result in
            loops.execute(on: eventLoop) {
                switch result {
                case .failure(let damage): self.onEvent(.damage(damage))
                case .success(let part) where part.isDamaged:
                    self.onEvent(.damage(StoreDamage(slot: load.key.slot, reason: "messages of a history can't be read")))
                case .success: break
                }
                self.shell.decide { $0.onRead(number, result, now: $1, actions: &$2) }
            }
        }
        if isTaken { return }
        eventLoop.assumeIsolated().execute { self.shell.decide { $0.onRead(number, nil, now: $1, actions: &$2) } }
    }
}
