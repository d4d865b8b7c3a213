// What happens to nodes with disks, besides all that happens to others. Gentle schedules take nothing that does not come back in time, with
// disks that keep what they have promised: there nobody may be told `gap`.

import HashRing
import RingpostCore

extension RandomSchedule {
    /// A share of the seeds has disks.
    static func disks(_ seed: UInt64) -> DiskMix {
        guard seed % 5 == 0 else { return .none }
        return seed / 5 % 3 == 2 ? .mixed : .fsync
    }

    var hasDisks: Bool { !simulation.settings.disks.isNone }

    func beginDisks() {
        guard hasDisks else { return }
        if case .fsync = simulation.settings.disks, isGentle { return }
        // Everything may be lost; what remains is that nothing is lost without a word.
        simulation.coverage.excuse(forMilliseconds: 1_000_000)
    }

    func strikeDisks() {
        switch random.below(isGentle ? 6 : 9) {
        case 0, 1, 2: killAll()
        case 3, 4: slowDisk()
        case 5: diskFails()
        case 6: damage()
        case 7: emptyDisk()
        default: olderDirectory()
        }
    }

    /// All that run die at once, and are back before anybody begins anew.
    private func killAll() {
        let some = nodes.filter { $0.isOn && (isGentle || random.percent(80)) }
        let power = random.percent(50)
        simulation.play("kill \(some.map(\.id))\(power ? ", some with their machines" : "")")
        let duration: Int64 = 2_500_000
        for node in some {
            node.kill(silently: power && random.percent(70))
            simulation.after(random.draw(1_000...duration)) { node.start() }
        }
        trouble(nil, for: duration) {}
    }

    private func slowDisk() {
        guard let node = random.pick(nodes.filter { $0.disk != nil }), let disk = node.disk else { return }
        let duration = random.draw(500_000...8_000_000)
        (disk.isSlow, disk.slowMicroseconds) = (true, random.percent(70) ? 100_000 : 1_500_000)
        simulation.play("the disk of \(node.id) takes up to \(disk.slowMicroseconds / 1_000) ms, for \(duration / 1_000) ms")
        simulation.after(duration) { disk.heal() }
    }

    private func diskFails() {
        guard let node = pickNode(where: { $0.isRunning && $0.disk != nil }), let disk = node.disk else { return }
        simulation.play("the disk of \(node.id) fails once")
        disk.failures = 1
        trouble(node, for: 2_000_000) {
            disk.heal()
            self.simulation.play("start \(node.id) if it has ended")
            node.start()
        }
    }

    private func damage() {
        guard let node = pickNode(where: { $0.isOn && $0.disk != nil }), let disk = node.disk else { return }
        simulation.play("kill \(node.id); what it has can't be read for a while")
        node.kill()
        disk.damagedSlots = Set(simulation.keys.map(\.slot))
        simulation.after(8_000_000) { disk.damagedSlots = [] }
        trouble(node, for: random.draw(10_000...2_000_000)) { node.start() }
    }

    private func emptyDisk() {
        guard let node = pickNode(where: { $0.isOn && $0.disk != nil }), let disk = node.disk else { return }
        simulation.play("kill \(node.id), which gets an empty disk")
        node.kill(silently: random.percent(50))
        node.disk = SimDisk(disk.durability)
        trouble(node, for: random.draw(10_000...6_000_000)) { node.start() }
    }

    private func olderDirectory() {
        guard let node = pickNode(where: { $0.isOn && $0.disk != nil }), let disk = node.disk else { return }
        simulation.play("kill \(node.id) and copy its directory")
        node.kill()
        let copy = SimDisk(copyOf: disk)
        let pause = random.draw(2_000_000...6_000_000)
        simulation.after(random.draw(10_000...1_000_000)) { node.start() }
        trouble(node, for: pause + 3_000_000) { node.start() }
        simulation.after(pause) {
            self.simulation.play("\(node.id) gets the older copy of its directory")
            node.kill()
            node.disk = copy
        }
    }
}
