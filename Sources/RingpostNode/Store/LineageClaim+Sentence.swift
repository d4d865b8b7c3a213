// What is said when a data directory counts no more.
import RingpostCore

extension LineageClaim.Objection {
    /// Why, in the middle of a sentence.
    var sentence: String {
        switch self {
        case .givenUp: "an operator has said that this node does not come back (ringpost forget)"
        case .unnamed: "the roster does not name this node any more"
        case .otherStore: "another store has been registered as this node since"
        case .unknownBoot(let identity):
            "it is an old copy: the roster names \(identity) with the same store, and this directory does not know of it"
        }
    }
}
