// The file of API keys as the commands change it: lines come and go, all others stay as they are, comments too. Nodes read it again when
// it changes, so it is never there by half: a new line is one write, and a line goes by a new file that takes the old one's place.
import Crypto
import FoundationEssentials
import RingpostCore
import RingpostWire

import Glibc

/// A new key: the text, which is shown once and kept nowhere, and the record, which stays.
struct NewAPIKey {
    static let prefix = "rp_"
    /// Letters and digits of an id.
    private static let idLength = 12
    private static let idAlphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789")
    private static let secretBytes = 32

    let text: String
    let record: APIKeyRecord

    /// - Parameter expires: in seconds since 1970; `nil` for never.
    init(scopes: [APIScope], names: [String], note: String?, expires: Int64?, rate: Int?, isNamed: Bool = false) {
        // The system's generator: nobody can foresee it.
        var generator = SystemRandomNumberGenerator()
        let id = String((0..<Self.idLength).map { _ in Self.idAlphabet[Int.random(in: 0..<Self.idAlphabet.count, using: &generator)] })
        let secret = Data((0..<Self.secretBytes).map { _ in UInt8.random(in: 0...255, using: &generator) }).base64URL
        let digest = SHA256.hash(data: Data(secret.utf8)).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        text = "\(Self.prefix)\(id)_\(secret)"
        record = APIKeyRecord(
            id: id, hash: APIKeyRecord.hashPrefix + digest, scopes: scopes, names: names.isEmpty ? nil : names, note: note,
            expires: expires, rate: rate, named: isNamed ? true : nil)
    }
}

extension Data {
    /// RFC 4648, 5, without padding.
    var base64URL: String {
        base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

/// A file with one key a line.
struct KeyFile {
    /// What all lines together may have.
    private static let bytesMax = 64 * 1_024 * 1_024
    private static let newline = UInt8(ascii: "\n")

    let path: String

    /// One line: a key, or what should be one.
    enum Line {
        case key(APIKeyRecord)
        /// With the line's number, from 1.
        case unreadable(Int, String)
    }

    /// All keys, and what is no key and no comment.
    func lines() throws(SecretError) -> [Line] {
        try Self.split(SecretFile.bytes(of: path, what: "API keys", bytesMax: Self.bytesMax)).enumerated().compactMap { index, line in
            guard Self.isKey(line) else { return nil }
            do throws(JSONFault) { try JSONText.check(document: Array(line)) } catch { return .unreadable(index + 1, error.message) }
            do {
                let record = try JSONDecoder().decode(APIKeyRecord.self, from: Data(line))
                return record.fault.map { .unreadable(index + 1, $0) } ?? .key(record)
            } catch {
                return .unreadable(index + 1, "is no key")
            }
        }
    }

    /// Adds a key, to a new file if there is none.
    func append(_ record: APIKeyRecord) throws(SecretError) {
        let descriptor = try lock(creating: true)
        defer { close(descriptor) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let json: Data
        do { json = try encoder.encode(record) } catch { throw SecretError("the key can't be written: \(error)") }
        let old = try SecretFile.bytes(of: path, what: "API keys", bytesMax: Self.bytesMax)
        // Somebody's editor may have left the last line without its end.
        let start = old.isEmpty || old.last == Self.newline ? [] : [Self.newline]
        try SecretFile.write(start + Array(json) + [Self.newline], to: descriptor, path)
    }

    /// Takes a key out; false if it is not there.
    func remove(_ id: String) throws(SecretError) -> Bool {
        let descriptor = try lock(creating: false)
        defer { close(descriptor) }
        let lines = Self.split(try SecretFile.bytes(of: path, what: "API keys", bytesMax: Self.bytesMax))
        let staying = lines.filter { line in
            guard Self.isKey(line), let record = try? JSONDecoder().decode(APIKeyRecord.self, from: Data(line)) else { return true }
            return record.id != id
        }
        if staying.count == lines.count { return false }
        var text: [UInt8] = []
        for line in staying { text += line + [Self.newline] }
        try replace(with: text, likeFileOf: descriptor)
        return true
    }

    private static func split(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var lines = bytes.split(separator: newline, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    private static func isKey(_ line: ArraySlice<UInt8>) -> Bool {
        guard let first = line.first(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { return false }
        return first != UInt8(ascii: "#")
    }

    /// Opens the file for this command alone: two that change it at one moment must not undo each other's work.
    private func lock(creating: Bool) throws(SecretError) -> Int32 {
        while true {
            let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | (creating ? O_CREAT : 0), 0o600)
            guard descriptor >= 0 else { throw SecretError("can't open \(path): \(SecretFile.reason)") }
            guard flock(descriptor, LOCK_EX) == 0 else {
                let reason = SecretFile.reason
                close(descriptor)
                throw SecretError("can't lock \(path): \(reason)")
            }
            // Another command may have put a new file into this one's place while this one waited.
            var (mine, there) = (stat(), stat())
            if fstat(descriptor, &mine) == 0, stat(path, &there) == 0, mine.st_ino == there.st_ino, mine.st_dev == there.st_dev {
                return descriptor
            }
            close(descriptor)
        }
    }

    /// With the owner and the mode of the old one, because the node that reads it may be another user's.
    private func replace(with bytes: [UInt8], likeFileOf old: Int32) throws(SecretError) {
        var status = stat()
        guard fstat(old, &status) == 0 else { throw SecretError("can't read \(path): \(SecretFile.reason)") }
        let draft = path + ".new"
        unlink(draft)
        try SecretFile.create(draft, bytes)
        _ = chown(draft, status.st_uid, status.st_gid)
        guard chmod(draft, status.st_mode & 0o777) == 0, rename(draft, path) == 0 else {
            let reason = SecretFile.reason
            unlink(draft)
            throw SecretError("can't replace \(path): \(reason)")
        }
    }
}
