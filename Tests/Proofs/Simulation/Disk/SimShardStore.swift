// A process's side of its disk, as ShardStore and SlotStore are in a node: what a turn has changed goes there, and what follows from it is
// held until it is there. A batch takes all that waits; while one is written, the next ticks collect.

import HashRing
import RingpostCore

/// Between one process and its disk.
final class SimShardStore {
    private unowned let process: SimProcess
    let disk: SimDisk
    private var gate = StoreGate()
    private var encoder: SlotEncoder
    /// Times of what is read are counted from here.
    private let clock: StoreClock
    /// Ticks that wait for the batch before to be written.
    private var waiting: [StoreTick] = []
    /// Ticks that are written now, and that the kernel has not got yet.
    private var underWay: [StoreTick] = []
    private var isScheduled = false
    private var isWriting = false
    private var hasFailed = false
    private var random: SplitMix64
    /// Answers that are held and are another owner's words.
    private var relayed: Set<ReturnAddress> = []

    init(_ disk: SimDisk, _ opening: SimOpening, process: SimProcess, random: SplitMix64) {
        self.disk = disk
        self.process = process
        self.random = random
        clock = opening.clock
        encoder = SlotEncoder(clock: opening.clock, present: opening.heads.keys, limits: process.simulation.loopLimits.mailbox)
    }

    private var simulation: Simulation { process.simulation }

    /// - Returns: whether the action is performed now.
    func admit(_ action: ShardAction) -> Bool {
        let goesNow = gate.admit(action, hasChanges: process.loop.hasChanges) || simulation.settings.has(.sayBeforeStored)
        if !goesNow, process.isRelaying, case .answer(let address, _) = action { relayed.insert(address) }
        return goesNow
    }

    /// The machine has decided: what has changed goes to the store when all that has come with it was looked at.
    func onDecided() {
        if isScheduled || !process.loop.hasChanges { return }
        isScheduled = true
        process.after(milliseconds: 0) {
            self.isScheduled = false
            self.handOver()
        }
    }

    private func handOver() {
        if hasFailed { return }
        if let tick = process.loop.takeTick(now: process.now) {
            gate.handOver(bytes: tick.bytes, now: tick.now)
            waiting.append(tick)
            writeNext()
        }
        process.loop.setStoreIsBehind(gate.isFull)
    }

    private func onStored() {
        if hasFailed { return }
        gate.onStored()
        process.perform {
            guard let action = self.nextAction() else { return nil }
            if case .answer(let address, _) = action { return (action, self.relayed.remove(address) != nil) }
            return (action, false)
        }
        process.loop.setStoreIsBehind(gate.isFull)
    }

    private func nextAction() -> ShardAction? {
        while let action = gate.next() {
            if case .send(_, let frame) = action, !process.loop.mayLeave(frame, now: process.moment) { continue }
            return action
        }
        return nil
    }

    func linkIsDown(_ handle: UInt32) { gate.linkIsDown(handle) }

    // MARK: The thread that writes

    private func writeNext() {
        guard !isWriting, !waiting.isEmpty, !hasFailed else { return }
        isWriting = true
        let ticks = waiting
        (underWay, waiting) = (ticks, [])
        after(random.draw(5...60)) {
            var batch = SimBatch()
            for tick in self.underWay { self.encoder.encode(tick, into: &batch) }
            self.encoder.finish(into: &batch)
            self.underWay = []
            if self.disk.failures > 0 { return self.fail(batch) }
            self.disk.add(batch)
            guard self.disk.durability == .fsync else { return self.isThere(ticks.count) }
            self.after(self.syncMicroseconds) {
                if self.disk.failures > 0 { return self.fail(nil) }
                self.disk.sync()
                self.isThere(ticks.count)
            }
        }
        // The kernel writes it some time.
        if disk.durability == .written { after(random.draw(500_000...4_000_000)) { self.disk.sync() } }
    }

    private var syncMicroseconds: Int64 {
        if disk.isSlow || random.percent(2) { return random.draw(1_000...disk.slowMicroseconds) }
        return random.draw(60...900)
    }

    private func isThere(_ ticks: Int) {
        isWriting = false
        for _ in 0..<ticks { onStored() }
        writeNext()
    }

    /// The batch is there or not; nobody is told of it, and the node ends.
    private func fail(_ batch: SimBatch?) {
        disk.failures -= 1
        if let batch, random.percent(50) { disk.add(batch) }
        hasFailed = true
        simulation.alarm(process.name, "its disk fails")
        process.after(milliseconds: random.draw(0...20)) { self.process.node.kill() }
    }

    /// Everything that waits is written, and the store is put down in order.
    func close() {
        if hasFailed { return }
        if let tick = process.loop.takeTick(now: process.now) { waiting.append(tick) }
        writeAll()
        disk.close()
    }

    /// The lineage was given up. What waits still belongs to the one before, and becomes hearsay with the rest.
    func begin(lineage: UInt64) {
        if hasFailed || disk.lineage == lineage { return }
        if let tick = process.loop.takeTick(now: process.now) {
            gate.handOver(bytes: tick.bytes, now: tick.now)
            waiting.append(tick)
        }
        writeAll()
        disk.begin(lineage: lineage)
        writeNext()
    }

    /// At once; it is told as if it had taken its time.
    private func writeAll() {
        var batch = SimBatch()
        for tick in underWay + waiting { encoder.encode(tick, into: &batch) }
        encoder.finish(into: &batch)
        underWay = []
        waiting = waiting.map { StoreTick(now: $0.now, slots: []) }
        disk.add(batch)
    }

    private func after(_ microseconds: Int64, _ body: @escaping () -> Void) {
        simulation.after(microseconds) { [weak process] in process?.enter(isTimer: true, body) }
    }

    // MARK: Reading

    func load(_ slot: Int, _ head: SlotHead) {
        guard let hasher = process.view?.hasher else { return }
        let asked = process.now
        let request = process.loop.slotLoad(slot, head, hasher: hasher, now: asked)
        let isLong = random.percent(10) || disk.readMicroseconds > 40_000
        let time = isLong ? random.draw(1_000...disk.readMicroseconds) : random.draw(50...1_000)
        after(time) {
            let result = self.disk.load(request, clock: self.clock)
            self.simulation.say(self.process.name, "has read slot \(slot)\(result.isDamaged ? ", which is damaged" : "")")
            self.process.withLoop { $0.onLoaded(slot, result, asked: asked, now: self.process.moment, actions: &$1) }
        }
    }

    func read(_ number: UInt64, _ load: HistoryLoad) {
        let time = random.percent(10) ? random.draw(1_000...disk.readMicroseconds) : random.draw(50...1_000)
        after(time) {
            let part = self.disk.read(load, clock: self.clock)
            self.simulation.say(self.process.name, "has read \(part.messages.count) messages of \(load.key.text) after \(load.after)")
            self.process.withLoop { $0.onRead(number, .success(part), now: self.process.moment, actions: &$1) }
        }
    }
}

extension Result<StoredSlot, StoreDamage> {
    fileprivate var isDamaged: Bool { if case .failure = self { true } else { false } }
}
