// Stories about who is there.

extension Schedule {
    static let channels: [Schedule] = [channelOwnerKilled, channelOwnerLeaves, subscribersCutOff]

    private static let channelOwnerKilled = Schedule(
        "channel-owner-killed", "a channel's owner is killed; of those who listen on other nodes nobody leaves", nodes: 4
    ) { (story: Story) in
        story.start(4)
        for _ in 0..<2 {
            let owner = story.owner()
            story.beginWatching(awayFrom: owner)
            story.kill(owner, silently: story.random.percent(30))
            story.wait(12_000)
            story.endWatching()
            story.start(owner ?? story.nodes[0])
            story.settle()
        }
    }

    private static let channelOwnerLeaves = Schedule(
        "channel-owner-leaves", "a channel's owner leaves in order, and comes back; of those who listen on other nodes nobody leaves",
        nodes: 4
    ) { (story: Story) in
        story.start(4)
        let owner = story.owner()
        story.beginWatching(awayFrom: owner)
        story.say("stop \(owner?.id ?? "nobody") in order")
        owner?.process?.stop()
        let isGone = story.wait(atMost: 14_000) { owner?.isOn == false }
        story.require(isGone, "the owner leaves")
        story.wait(6_000)
        story.start(owner ?? story.nodes[0])
        story.settle()
        story.wait(6_000)
        story.endWatching()
    }

    private static let subscribersCutOff = Schedule(
        "subscribers-cut-off", "nodes with subscribers are cut from a channel's owner: they leave, and are back when the cut heals",
        nodes: 4
    ) { (story: Story) in
        story.start(4)
        let leaves = story.simulation.checker.leaves
        let owner = story.owner()
        story.beginWatching(awayFrom: owner)
        story.endWatching()
        let clients = story.channelClients.filter { !$0.polls }
        // One is where the owner is, and hears of the others.
        let isThere = story.wait(atMost: 15_000) {
            // Whoever is on its way somewhere can't be sent elsewhere before it has arrived.
            if clients[0].node != owner?.index { clients[0].move(to: owner?.index) }
            return clients[0].node == owner?.index && clients[0].present != nil
        }
        story.require(isThere, "one is where the owner is")
        story.wait(1_500)
        let cut = story.cut([owner], from: story.others(than: [owner]))
        story.wait(story.random.draw(8_000...9_500))
        story.require(story.simulation.checker.leaves > leaves, "the one at the owner is told that others leave")
        story.heal(cut)
        story.settle()
    }
}

extension Story {
    /// Those who listen to the channel of the slot that stories are about.
    var channelClients: [SimClient] { simulation.clients.filter { $0.key.kind == .channel && $0.key.slot == slot } }

    /// From now on none of the channel's clients may be said to leave; all of them are on other nodes than one.
    func beginWatching(awayFrom node: SimNode?) {
        let others = others(than: [node]).filter(\.isOn)
        for (index, client) in channelClients.enumerated() { client.move(to: others[index % others.count].index) }
        let isThere = wait(atMost: 15_000) {
            let users = Set(self.channelClients.map(\.user))
            return self.channelClients.allSatisfy { $0.node != node?.index && ($0.polls || $0.present == users) }
        }
        require(isThere, "all are there, and not at \(node?.id ?? "nobody")")
        // Pollers go where they like, also to nodes that are about to die.
        simulation.checker.stayers = Set(channelClients.filter { !$0.polls }.map(\.user))
    }

    func endWatching() { simulation.checker.stayers = [] }
}
