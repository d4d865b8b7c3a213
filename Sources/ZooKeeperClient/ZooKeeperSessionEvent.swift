// What a session reports by itself: changes of its connection, and watches that fired. Requests are answered by their own calls.

import CZooKeeper

/// Something that happened to a session or to a watched znode.
///
/// A client learns of its session's expiry **only when it reconnects**: while no server can be reached there is `connecting` and then
/// silence, however long ago the ensemble gave the session up. Whoever acts on the session being alive needs a clock of its own, from
/// `connecting` on at the latest.
public enum ZooKeeperSessionEvent: Sendable, Equatable {
    /// Connected, for the first time or again with the same session. Watches that were set before are set again by then.
    case connected(sessionID: Int64, negotiatedTimeoutMilliseconds: Int)
    /// The connection was lost; the library goes on trying. Not reported before the first connection.
    case connecting
    /// The ensemble has given the session up; nothing but `close` makes sense any more.
    case expired
    /// The server refused the credentials; nothing but `close` makes sense any more.
    case authenticationFailed
    /// A child of the watched znode came or went.
    case childrenChanged(path: String)
    /// The watched znode's data was set.
    case dataChanged(path: String)
    /// The watched znode was created.
    case created(path: String)
    /// The watched znode was deleted.
    case deleted(path: String)

    /// A fired watch as the C library reports it, `nil` for a type that brings no news (a watch removed by the server).
    init?(watchType type: Int32, path: String) {
        switch type {
        case ZOO_CHILD_EVENT: self = .childrenChanged(path: path)
        case ZOO_CHANGED_EVENT: self = .dataChanged(path: path)
        case ZOO_CREATED_EVENT: self = .created(path: path)
        case ZOO_DELETED_EVENT: self = .deleted(path: path)
        default: return nil
        }
    }
}
