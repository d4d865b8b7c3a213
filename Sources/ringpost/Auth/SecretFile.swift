// Secrets on this machine's disk: read with a word of warning where others can read them too, written so that they can't.
import RingpostClient
import RingpostNode

import Glibc

/// What is wrong with a secret, or with the file that has it.
struct SecretError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A file with one secret in it.
struct SecretFile: Sendable {
    /// A longer file is something else.
    static let bytesMax = 65_536

    private let path: String
    private let what: String

    /// - Parameter what: what is expected in it, for sentences.
    init(_ path: String, what: String) {
        self.path = path
        self.what = what
    }

    /// The first line that says something.
    func read() throws(SecretError) -> String {
        let bytes = try Self.bytes(of: path, what: what)
        for line in bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) where line.first != UInt8(ascii: "#") {
            let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
            let text = line.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
            if !text.isEmpty { return String(decoding: text, as: UTF8.self) }
        }
        throw SecretError("\(path) is empty; expected a line with the \(what)")
    }

    /// A sentence if every user can read it.
    var warning: String? { FileExposure(path: path).warning(about: path, "the \(what)").map { "warning: \($0)" } }

    // MARK: Options and environment

    /// From the option's file, the variable, or the file that the variable with `_FILE` names, in this order; `nil` if none is given.
    static func secret(option: String?, variable: String, what: String) throws -> String? {
        guard let file = try name(option: option, variable: variable) else { return Environment.text(variable) }
        let secret = SecretFile(file, what: what)
        if let warning = secret.warning { Console.note(warning) }
        do throws(SecretError) { return try secret.read() } catch { throw Console.fail(error) }
    }

    /// The file; `nil` if the variable itself has the secret, or nothing is given.
    static func name(option: String?, variable: String) throws -> String? {
        option ?? (Environment.text(variable) == nil ? Environment.text(variable + "_FILE") : nil)
    }

    // MARK: Bytes

    /// All of a file.
    static func bytes(of path: String, what: String, bytesMax: Int = bytesMax) throws(SecretError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SecretError("can't read the \(what) in \(path): \(reason)") }
        defer { close(descriptor) }
        if let sentence = FileExposure(descriptor: descriptor).objection(to: path, "the \(what)") { throw SecretError(sentence) }
        var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress.map { $0 + filled }, $0.count - filled) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SecretError("can't read the \(what) in \(path): \(reason)") }
            if count == 0 { break }
            filled += count
        }
        if filled > bytesMax { throw SecretError("\(path) has more than \(bytesMax) bytes: is it the \(what)?") }
        return Array(bytes[..<filled])
    }

    /// Writes a file that is not there yet.
    ///
    /// - Parameter mode: 0600 for what only its owner may read.
    static func create(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o600) throws(SecretError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            let why = errno == EEXIST ? "it is there already; remove it first if nobody needs it any more" : reason
            throw SecretError("can't create \(path): \(why)")
        }
        defer { close(descriptor) }
        try write(bytes, to: descriptor, path)
    }

    /// All of it, and onto the disk: what is printed once must not be lost.
    static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(SecretError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SecretError("can't write \(path): \(reason)") }
            written += count
        }
        guard fsync(descriptor) == 0 else { throw SecretError("can't write \(path): \(reason)") }
    }

    static var reason: String { String(cString: strerror(errno)) }
}
