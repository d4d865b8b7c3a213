// What is said when a data directory counts no more.
import RingpostCore

extension LineageClaim.Objection {
    /// Why, in the middle of a sentence.
    var sentence: String {
        switch self {
        case .givenUp: "an operator has said that this node does not come back (ringpost forget)"
        case .unnamed: "the roster does not name this node any more"
        case .otherStore: "another store has been registered as this node since"
        case .olderList(let seen, let epoch):
            "ZooKeeper holds an older state than this directory has seen (its list of members is at epoch \(epoch), the directory was at \(seen)), "
                + "and whoever began at that state may have gone on without it"
        case .unknownBoot(let identity):
            "it is an old copy: the roster names \(identity) with the same store, and this directory does not know of it"
        }
    }
}
