// Files that say whom to trust: read whole, bounded, unless others could have written them, with a sentence for each way in which that fails.
import Glibc

enum CredentialFile {
    /// A chain of certificates has some kilobytes, an authority bundle of a whole system some hundred.
    static let bytesMax = 4 * 1_024 * 1_024

    /// - Parameters:
    ///   - what: "the certificate of the client and API ports".
    ///   - option: where the path was given.
    ///   - bytesMax: a longer file is not what it should be.
    ///   - mayBeEmpty: nothing in it is an answer too.
    static func read(
        _ path: String, _ what: String, option: String, bytesMax: Int = bytesMax, mayBeEmpty: Bool = false
    ) throws(NodeError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw NodeError("\(what) can't be read: \(path): \(reason(errno)) (\(option))") }
        defer { close(file) }
        if let sentence = FileExposure(descriptor: file).objection(to: path, what) { throw NodeError("\(sentence) (\(option))") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw NodeError("\(what) can't be read: \(path): \(reason(errno)) (\(option))") }
            if count == 0 { break }
            bytes += chunk[..<count]
            if bytes.count > bytesMax { throw NodeError("\(what) is no such file: \(path) has more than \(bytesMax) bytes (\(option))") }
        }
        if bytes.isEmpty, !mayBeEmpty { throw NodeError("\(what) is empty: \(path) (\(option))") }
        return bytes
    }

    private static func reason(_ number: Int32) -> String {
        switch number {
        case ENOENT: "there is no such file"
        case EACCES: "the node's user may not read it: chown or chmod it"
        case EISDIR: "it is a directory"
        default: String(cString: strerror(number))
        }
    }
}
