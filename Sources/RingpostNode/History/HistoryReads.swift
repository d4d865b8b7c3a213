// Pages of histories that one shard's connections have asked for: each is asked for at the shard of its key's slot, piece by piece, and found
// again by its number when the owner answers. Who asks for too many is refused before anything is asked.
import NIOCore
import RingpostCore

/// Used on its shard's event loop only.
final class HistoryReads {
    private let runtime: ShardRuntime
    private let shell: MachineShell
    private var table = RequestTable<HistoryRead>(countMax: HistoryGate.pagesMax)
    private var gate: HistoryGate

    init(runtime: ShardRuntime, shell: MachineShell, kilobytesPerSecond: Int) {
        self.runtime = runtime
        self.shell = shell
        gate = HistoryGate(kilobytesPerSecond: kilobytesPerSecond)
    }

    /// Pages that are under way.
    var pages: Int { gate.pages }

    // MARK: Numbers

    /// Questions' numbers stand beside those of subscriptions, of which there are never so many.
    private static let mark: UInt64 = 0xFF_0000

    /// Whether an owner's answer is for a page, not for a subscription.
    static func isOne(_ number: UInt64) -> Bool { number & mark == mark }

    // MARK: Reading

    /// Begins to read a page.
    ///
    /// - Parameters:
    ///   - owner: whom it is charged to.
    ///   - answer: called once, unless the page is cancelled.
    /// - Throws: that the asker, or all together, read too much.
    func read(
        _ query: HistoryQuery, for owner: ByteOwner, answer: @escaping (Result<HistoryPage, Problem>) -> Void
    ) throws(ProblemReport) -> HistoryRead {
        let now = Moment.now().monotonic
        switch gate.open(owner, now: now) {
        case nil: break
        case .tooFast:
            runtime.counters.count(.historyRate)
            throw ProblemReport(.tooFast, "you page through more history than you may; slow down (the limit history-rate)")
        case .overloaded:
            runtime.counters.count(.historyRate)
            throw ProblemReport(.overloaded)
        }
        let read = HistoryRead(query, owner: owner, now: now, answer: answer)
        waiting[ObjectIdentifier(read)] = read
        perform(read.begin(now: now), read)
        return read
    }

    /// Whoever asked is gone.
    func cancel(_ read: HistoryRead) { end(read, bytes: 0) }

    /// The owner has answered.
    func onAttached(_ number: UInt64, _ result: Result<AttachReply, Problem>) {
        guard let read = table.take(number & ~Self.mark) else { return }
        read.number = nil
        let action = read.onAnswer(result, now: Moment.now().monotonic)
        guard case .ask(let start, let countMax) = action else { return perform(action, read) }
        // The owner may be this shard: each piece has a turn of its own.
        runtime.inNextTurn { if self.isWaiting(read) { self.ask(read, start, countMax: countMax) } }
    }

    /// The link on which the question went has broken.
    func onDetached(_ number: UInt64) { onAttached(number, .failure(.ownerUnreachable)) }

    func onTick(now: Int64) {
        for read in Array(waiting.values) where isWaiting(read) { perform(read.onTick(now: now), read) }
    }

    /// All that are not answered, and counted for their askers.
    private var waiting: [ObjectIdentifier: HistoryRead] = [:]
    private func isWaiting(_ read: HistoryRead) -> Bool { waiting[ObjectIdentifier(read)] != nil }

    private func perform(_ action: HistoryPager.Action, _ read: HistoryRead) {
        switch action {
        case .nothing: break
        case .ask(let start, let countMax): ask(read, start, countMax: countMax)
        case .finish(let page):
            end(read, bytes: page.messages.reduce(0) { $0 + $1.envelope.count })
            read.answer(.success(page))
        case .refuse(let problem):
            end(read, bytes: 0)
            read.answer(.failure(problem))
        }
    }

    private func ask(_ read: HistoryRead, _ start: AttachStart, countMax: UInt16) {
        // A late answer to an earlier question finds nobody.
        if let number = read.number { _ = table.take(number) }
        guard let number = table.insert(read) else { preconditionFailure("more pages are read than the gate lets in") }
        read.number = number
        let key = read.key
        let address = ReturnAddress(connectionID: ConnectionAddress(shard: runtime.index).connectionID, id: number | Self.mark)
        let request = AttachRequest(key: key, address: address, start: start, stay: .page, countMax: countMax)
        runtime.post(.attach(request, epoch: shell.view?.epoch ?? 0), to: runtime.shardIndex(key.slot))
    }

    private func end(_ read: HistoryRead, bytes: Int) {
        if let number = read.number { _ = table.take(number) }
        read.number = nil
        guard waiting.removeValue(forKey: ObjectIdentifier(read)) != nil else { return }
        gate.close(read.owner, bytes: bytes, now: Moment.now().monotonic)
        // Bytes that were put together for one connection, in this turn.
        runtime.spendTurn(requests: bytes / FairScheduler.bytesARequest)
    }
}

/// One page that is being read.
final class HistoryRead {
    private var pager: HistoryPager
    let owner: ByteOwner
    let answer: (Result<HistoryPage, Problem>) -> Void
    /// Of the question that waits for its answer.
    fileprivate(set) var number: UInt64?

    fileprivate init(_ query: HistoryQuery, owner: ByteOwner, now: Int64, answer: @escaping (Result<HistoryPage, Problem>) -> Void) {
        pager = HistoryPager(query, now: now)
        self.owner = owner
        self.answer = answer
    }

    var key: Key { pager.query.key }

    fileprivate func begin(now: Int64) -> HistoryPager.Action { pager.ask(now: now) }
    fileprivate func onTick(now: Int64) -> HistoryPager.Action { pager.onTick(now: now) }

    fileprivate func onAnswer(_ result: Result<AttachReply, Problem>, now: Int64) -> HistoryPager.Action {
        switch result {
        case .success(let reply): pager.onReply(reply, now: now)
        case .failure(let problem): pager.onRefusal(problem, now: now)
        }
    }
}
