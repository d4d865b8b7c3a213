// Revocations of a node without ZooKeeper, kept over a restart: a file with one JSON object a line. It says names in clear, because the secret
// that hashes them is another one after each start.
import Dispatch
import Foundation
import HashRing
import RingpostCore
import RingpostWire

import Glibc

/// One line.
struct RevocationRecord: Codable, Hashable, Sendable {
    let user: String?
    let token: String?
    let key: String?
    let issuedBefore: Int64?
    let until: Int64
    let maker: String?

    /// - Parameter seconds: since 1970: all tokens of a user are those that were issued in this second or before.
    init(_ tokens: RevokedTokens, seconds: Int64, until: Int64, maker: String?) {
        (user, self.until, self.maker) = (tokens.user?.text, until, maker)
        switch tokens {
        case .user: (token, key, issuedBefore) = (nil, nil, seconds)
        case .token(_, let id): (token, key, issuedBefore) = (id, nil, nil)
        case .key(let id, let before): (token, key, issuedBefore) = (nil, id, before)
        case .everybody(let before): (token, key, issuedBefore) = (nil, nil, before)
        }
    }

    /// What it means; `nil` for a line that means nothing.
    func tokens(_ hasher: KeyHasher) -> RevokedTokens? {
        if let user {
            guard let key = try? Key(.user, name: Array(user.utf8), hasher: hasher), token != nil || issuedBefore != nil else { return nil }
            return RevokedTokens(of: key, tokenID: token)
        }
        if let key { return .key(id: key, issuedBefore: issuedBefore) }
        return issuedBefore.map { .everybody(issuedBefore: $0) }
    }

    func revocation(_ hasher: KeyHasher) -> Revocation? {
        tokens(hasher).map { Revocation($0, seconds: issuedBefore ?? 0, until: until, maker: maker, hasher: hasher) }
    }
}

/// The file.
struct RevocationFile: Sendable {
    /// A longer line is none of this node's.
    private static let lineBytesMax = RevocationNote.jsonBytesMax
    private static let bytesMax = RevocationList.takenMax * lineBytesMax

    let path: String

    /// Why it can't be used.
    struct Fault: Error {
        let sentence: String
    }

    /// All records; none if the file is not there yet.
    ///
    /// - Throws: that a line can't be read: what it has revoked would be good again.
    func read() throws(Fault) -> [RevocationRecord] {
        if access(path, F_OK) != 0, errno == ENOENT { return [] }
        let bytes: [UInt8]
        do throws(NodeError) {
            bytes = try CredentialFile.read(
                path, "the file of revocations", option: "--revocations-file", bytesMax: Self.bytesMax, mayBeEmpty: true)
        } catch { throw Fault(sentence: error.description) }
        var records: [RevocationRecord] = []
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
            guard line.count <= Self.lineBytesMax, (try? JSONText.check(document: Array(line))) != nil,
                let record = try? JSONDecoder().decode(RevocationRecord.self, from: Data(line))
            else {
                throw fault("has a line \(index + 1) that is no revocation: mend it, or remove it if nobody's tokens depend on it")
            }
            records.append(record)
        }
        return records
    }

    /// As ``write(_:)``, on a thread of its own: a disk may take its time. What is asked for later is written later.
    ///
    /// - Returns: why it could not be kept.
    func fault(writing records: [RevocationRecord]) async -> Fault? {
        await withCheckedContinuation { continuation in
            Self.queue.async {
                do throws(Fault) {
                    try write(records)
                    continuation.resume(returning: nil)
                } catch { continuation.resume(returning: error) }
            }
        }
    }

    private static let queue = DispatchQueue(label: "revocations")

    /// Puts a new file into its place: there is the old one or the new one, whenever the machine stops.
    ///
    /// - Throws: why it could not be kept; the old one is still there.
    func write(_ records: some Sequence<RevocationRecord>) throws(Fault) {
        var text = Data()
        for record in records { text += JSONDocument.encode(record) }
        let draft = path + ".new"
        let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw fault("can't be written: \(Self.reason)") }
        let isWritten = text.withUnsafeBytes { DescriptorWriter.write($0, to: file) == $0.count } && fsync(file) == 0
        let reason = Self.reason
        close(file)
        guard isWritten else { throw fault("can't be written: \(reason)") }
        guard rename(draft, path) == 0 else { throw fault("can't be replaced: \(Self.reason)") }
        try syncFolder()
    }

    /// The new name must be on the disk too.
    private func syncFolder() throws(Fault) {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw fault("can't be kept: \(Self.reason)") }
        defer { close(file) }
        if fsync(file) != 0 { throw fault("can't be kept: \(Self.reason)") }
    }

    private func fault(_ what: String) -> Fault { Fault(sentence: "the file of revocations \(path) \(what) (--revocations-file)") }
    private static var reason: String { String(cString: strerror(errno)) }
}
