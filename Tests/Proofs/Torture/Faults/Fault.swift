// The deck: what can be done to a cluster. Cards are drawn in an order that the seed decides; when all have been drawn, the deck is
// shuffled again.

import ArgumentParser

/// A card of the deck.
enum Fault: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// SIGKILL; started again at once, or after the others have taken over.
    case kill
    /// SIGTERM, and started again: a deploy.
    case restart
    /// SIGSTOP for longer than the session, then SIGCONT.
    case freeze
    /// Two nodes join; one of them is drained by command, the other stopped by SIGTERM.
    case visit
    case weight
    case zookeeper
    case zookeeperLong = "zookeeper-long"
    /// Needs an ensemble.
    case leader
    case link
    case cutFromZooKeeper = "cut-from-zookeeper"
    case cutFromAll = "cut-from-all"
    case pair
    case killWithoutZooKeeper = "kill-without-zookeeper"
    /// All servers stand still for longer than the sessions, as on a machine that is moved.
    case zookeeperPause = "zookeeper-pause"
    /// All nodes stand still for longer than their sessions.
    case freezeAll = "freeze-all"
    /// All nodes are killed at once and started again, in any order.
    case killAll = "kill-all"
    /// The same of two: with disks, or where the cluster keeps three copies.
    case killTwo = "kill-two"
    /// SIGTERM to all at once, and all are started again: a deploy that recreates.
    case restartAll = "restart-all"

    /// What only disks survive.
    var needsDisks: Bool { [.killAll, .restartAll].contains(self) }
    /// What takes all copies that there are in memory, where there are only two.
    var needsDisksOrThreeCopies: Bool { self == .killTwo }
    var needsCuts: Bool { [.link, .cutFromZooKeeper, .cutFromAll, .pair].contains(self) }
}
