// What happens to a cluster in a run: drawn from the seed, or a story by name.

import RingpostCore

/// One way to treat a cluster.
package struct Schedule: Sendable {
    /// For the command line and the tests.
    package let name: String
    /// What it is about.
    package let summary: String
    /// How many nodes it takes.
    package let nodes: Int
    /// How many copies the cluster begins with; `nil`: the seed says.
    let copies: Int?
    /// Which of them have disks, by the seed.
    let disks: @Sendable (UInt64) -> DiskMix
    /// What memory keeps of a mailbox where a node has a disk.
    let memoryMessagesMax: Int
    private let body: @Sendable (Simulation) -> Void

    init(
        _ name: String, _ summary: String, nodes: Int = 5, copies: Int? = 2,
        disks: @escaping @Sendable (UInt64) -> DiskMix = { _ in .none }, memoryMessagesMax: Int = MailboxLimits().memoryMessagesMax,
        _ body: @escaping @Sendable (Simulation) -> Void
    ) {
        self.name = name
        self.summary = summary
        self.nodes = nodes
        self.copies = copies
        self.disks = disks
        self.memoryMessagesMax = memoryMessagesMax
        self.body = body
    }

    /// A story about a cluster that is told step by step.
    init(
        _ name: String, _ summary: String, nodes: Int, copies: Int = 2, disks: DiskMix = .none,
        memoryMessagesMax: Int = MailboxLimits().memoryMessagesMax, story: @escaping @Sendable (Story) -> Void
    ) {
        self.init(name, summary, nodes: nodes, copies: copies, disks: { _ in disks }, memoryMessagesMax: memoryMessagesMax) {
            story(Story($0))
        }
    }

    func play(on simulation: Simulation) { body(simulation) }

    /// All that have a name.
    package static let named: [Schedule] = copies + fences + links + outages + lives + channels + lineages + disks + threeCopies
}
