// The node's credentials for ZooKeeper, as they stand in their file.
import RingpostCore
import ZooKeeperClient

extension NodeConfiguration {
    /// Reads who this node is for ZooKeeper: a file with one line, `user:password`.
    ///
    /// - Throws: ``NodeError`` when it can't be read or holds something else.
    public mutating func readZooKeeperCredentials(_ path: String) throws(NodeError) {
        let bytes = try CredentialFile.read(path, "the credentials for ZooKeeper", option: "--zookeeper-auth-file")
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        guard lines.count == 1, let credentials = ZooKeeperCredentials(line: String(decoding: lines[0], as: UTF8.self)) else {
            throw NodeError("\(path) does not hold \(ZooKeeperCredentials.lineForm) (--zookeeper-auth-file)")
        }
        zookeeperCredentials = credentials
        zookeeperAuthFile = path
    }
}
