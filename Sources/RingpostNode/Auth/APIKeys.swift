// The API keys of producers and operators as they are at this moment: a file of hashes, read again when it changes.
import Crypto
import FoundationEssentials
import Logging
import RingpostCore
import RingpostWire
import Synchronization

final class APIKeys: Sendable {
    /// One key, as it stands in the file. A file that is read anew makes new ones.
    final class Entry: Sendable {
        let hash: [UInt8]
        let grant: APIGrant

        init(hash: [UInt8], grant: APIGrant) {
            self.hash = hash
            self.grant = grant
        }
    }

    private struct Known {
        let entry: Entry
        /// How fast messages come with it.
        var pace: Pace
    }

    let path: String
    private let messagesPerSecond: Int
    private let logger: Logger
    /// By id.
    private let known = Mutex<[String: Known]>([:])
    private let changes = Atomic<UInt64>(0)
    /// What a secret is held against where there is no such key, so that the time says nothing about which ids there are.
    private static let nobodysHash = [UInt8](repeating: 0, count: SHA256.byteCount)

    /// - Parameter messagesPerSecond: of a key that does not say.
    init(path: String, messagesPerSecond: Int, logger: Logger) {
        self.path = path
        self.messagesPerSecond = messagesPerSecond
        self.logger = logger
    }

    /// Grows with every change of the file.
    var generation: UInt64 { changes.load(ordering: .acquiring) }

    /// By the keys' ids, what tells one from another.
    var marks: [String: Mark] {
        known.withLock { $0 }.mapValues { Mark(hash: $0.entry.hash, grant: $0.entry.grant) }
    }

    struct Mark: Equatable {
        let hash: [UInt8]
        let grant: APIGrant
    }

    /// What somebody with this key may do; `nil` for a stranger.
    func grant(_ credential: [UInt8], nowSeconds: Int64) -> APIGrant? { entry(credential, nowSeconds: nowSeconds)?.grant }

    /// The key that somebody shows; `nil` for a stranger.
    func entry(_ credential: [UInt8], nowSeconds: Int64) -> Entry? {
        guard let key = APIKeyText(credential) else { return nil }
        let entry = known.withLock { $0[key.id]?.entry }
        // Digests compare in constant time.
        guard SHA256.hash(data: key.secret) == entry?.hash ?? Self.nobodysHash, let entry,
            !entry.grant.isOver(nowSeconds: nowSeconds)
        else { return nil }
        return entry
    }

    /// The same key as it stands in the file now, with the same secret; `nil` when there is none.
    func successor(of entry: Entry) -> Entry? {
        guard let id = entry.grant.id, let current = known.withLock({ $0[id]?.entry }) else { return nil }
        return current.hash == entry.hash ? current : nil
    }

    /// Whether one more message is taken that comes with a key; a problem if not.
    func objection(to grant: APIGrant, now: Moment) -> ProblemReport? {
        guard let id = grant.id else { return nil }
        return known.withLock { known in
            // It may have been taken out of the file since.
            guard let index = known.index(forKey: id), !known.values[index].entry.grant.isOver(nowSeconds: now.wall / 1_000) else {
                return ProblemReport(.unauthorized, AuthError.wrongKey.message)
            }
            let rate = known.values[index].entry.grant.rate ?? messagesPerSecond
            if known.values[index].pace.take(now: now.monotonic, ratePerSecond: rate, burst: 2 * rate) { return nil }
            return ProblemReport(.tooFast, "at most \(rate) messages a second are taken with this key")
        }
    }

    /// Reads the file.
    ///
    /// - Throws: ``NodeError``; what was read before stays in use then.
    func load() throws(NodeError) {
        let bytes = try CredentialFile.read(path, "the file of API keys", option: "--api-keys")
        let entries = try Self.entries(bytes, path: path)
        known.withLock { known in
            known = Dictionary(uniqueKeysWithValues: entries.map { ($0, Known(entry: $1, pace: known[$0]?.pace ?? Pace())) })
        }
        // Behind the keys: who sees the number sees them too.
        changes.add(1, ordering: .releasing)
        if entries.isEmpty { logger.warning("there is no API key: nobody can publish or ask", metadata: ["file": "\(path)"]) }
        logger.info("API keys", metadata: ["from": "\(path)", "keys": "\(entries.count)"])
    }

    private static func entries(_ bytes: [UInt8], path: String) throws(NodeError) -> [String: Entry] {
        var entries: [String: Entry] = [:]
        for (index, line) in JSONText.withoutByteOrderMark(bytes).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            let line = line.drop { $0 == 0x20 || $0 == 0x09 }
            if line.isEmpty || line.first == 0x0D || line.first == UInt8(ascii: "#") { continue }
            func fault(_ what: String) -> NodeError { NodeError("line \(index + 1) of \(path) \(what) (--api-keys)") }
            guard line.count <= APIKeyRecord.lineBytesMax else { throw fault("has more than \(APIKeyRecord.lineBytesMax) bytes") }
            do throws(JSONFault) { try JSONText.check(document: Array(line)) } catch { throw fault("is no key: \(error.message)") }
            guard let record = try? JSONDecoder().decode(APIKeyRecord.self, from: Data(line)) else {
                throw fault("is no key: `ringpost key new --file \(path)` makes one")
            }
            if let sentence = record.fault { throw fault(sentence) }
            if entries[record.id] != nil { throw fault("has the id \(record.id), which another one has") }
            entries[record.id] = Entry(hash: hash(record), grant: APIGrant(record))
            if entries.count > APIKeyRecord.countMax { throw fault("is the \(APIKeyRecord.countMax + 1)st key, which is one too many") }
        }
        return entries
    }

    private static func hash(_ record: APIKeyRecord) -> [UInt8] {
        let digits = Array(record.hash.utf8.dropFirst(APIKeyRecord.hashPrefix.utf8.count))
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16)
        }
    }
}
