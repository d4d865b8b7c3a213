// A place where a process can run: it is started, killed, stopped, suspended. What a process knew is gone with it.

import RingpostCore

/// One node of the cluster, running or not.
final class SimNode {
    unowned let simulation: Simulation
    let index: Int
    let id: String
    private(set) var process: SimProcess?
    /// The weight that its next process will ask for.
    var weight: UInt16
    /// What its processes compute rings with is wrong while this is on.
    let ringFault = RingFault()
    /// What its next process opens; `nil` where copies are in memory only.
    var disk: SimDisk?

    init(index: Int, weight: UInt16, disk: SimDisk?, simulation: Simulation) {
        self.disk = disk
        self.index = index
        self.simulation = simulation
        self.weight = weight
        id = "n\(index + 1)"
    }

    /// A process that is there, suspended or not.
    var isOn: Bool { process != nil }
    /// A process that does something.
    var isRunning: Bool { process.map { !$0.isPaused } ?? false }

    func start() {
        if isOn { return }
        let process = SimProcess(node: self, simulation: simulation)
        self.process = process
        process.begin()
    }

    /// The process ends at once. Its peers are told by the kernel, unless the whole machine is gone.
    func kill(silently: Bool = false) {
        guard let process else { return }
        simulation.coverage.willLose(process)
        process.die(silently: silently)
        self.process = nil
        if silently, let disk { disk.losePower(kept: simulation.random.below(disk.unsyncedCount + 1)) }
        simulation.coverage.hasLost()
        simulation.zooKeeper.refresh()
    }

    /// The run is over.
    func forget() {
        process?.forget()
        process = nil
    }

    func pause() {
        process?.isPaused = true
        simulation.zooKeeper.refresh()
    }

    func resume() {
        guard let process, process.isPaused else { return }
        process.isPaused = false
        simulation.zooKeeper.refresh()
        process.catchUp()
    }
}

/// A switch that a ring builder looks at. One simulation runs in one thread.
final class RingFault: @unchecked Sendable {
    var isOn = false
}
