// What is refused before the C library sees it: a NUL would cut a path short without a word, a request above the server's limit makes
// the server cut the connection, and a bad path inside a multi-operation makes the library free memory that it does not own.

import CZooKeeper

/// The limits of one request, and what a path must look like.
enum RequestCheck {
    /// The bytes of data and paths in one request. Servers cut the connection above `jute.maxbuffer`, 1,048,575 bytes with framing.
    static let requestBytesMax = 1_000_000
    /// The parts of one multi-operation; far above a change of membership, which has two.
    static let multiOperationsMax = 1_000

    /// Throws `badArguments` unless the path is absolute and normal (no empty part, no `.`, no `..`, no control character) and the
    /// request small enough. At least as strict as `isValidPath` of the C library.
    static func check(_ operation: String, _ path: String, dataBytes: Int = 0) throws(ZooKeeperError) {
        guard isValid(path), path.utf8.count + dataBytes <= requestBytesMax else {
            throw ZooKeeperError(ZBADARGUMENTS, operation: operation, path: path)
        }
    }

    /// Throws `badArguments` for the first part that is wrong, or for `multi` when the whole is too large.
    static func check(_ operations: [ZooKeeperOperation]) throws(ZooKeeperError) {
        var bytes = 0
        for operation in operations {
            try check(operation.name, operation.path, dataBytes: operation.data.count)
            bytes += operation.path.utf8.count + operation.data.count
        }
        guard operations.count <= multiOperationsMax, bytes <= requestBytesMax else {
            throw ZooKeeperError(ZBADARGUMENTS, operation: "multi", path: operations.first?.path ?? "/")
        }
    }

    private static func isValid(_ path: String) -> Bool {
        if path == "/" { return true }
        guard path.utf8.first == UInt8(ascii: "/"), path.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return false }
        return path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && $0 != "." && $0 != ".."
        }
    }
}
