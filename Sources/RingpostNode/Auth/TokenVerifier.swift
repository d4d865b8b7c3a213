// The tokens' keys as they are at this moment, and who waits for newer ones: files that are read again when they change, and a published set
// that is fetched now and then, or when a token names a key nobody knows. A check itself is a function on the event loop that asks.
import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import RingpostCore
import Synchronization

final class TokenVerifier: Sendable {
    /// Requests that wait for one fetch; more are refused at once.
    static let waitersMax = 4_096
    static let fetchSecondsMax: Int64 = 5
    /// Files and the published set are looked after so often.
    static let tickMilliseconds = 1_000

    private struct State {
        var fromFiles: [TokenKey] = []
        var fromURL: [TokenKey]?
        var machine = KeyRefreshMachine()
        var waiters: [@Sendable () -> Void] = []
        /// Grows with every change of the keys: what was found good with earlier ones has to be looked at again.
        var generation: UInt64 = 0
        var failedFetches: UInt64 = 0
    }

    /// What came of a check.
    enum Answer {
        case granted(ClientGrant)
        case refused(AuthRefusal)
        /// The keys have never been fetched yet: nobody can tell.
        case keysMissing
        /// Ask again when the function that ``awaitKeys(_:)`` was given is called.
        case mayHelpToFetch
    }

    let check: TokenCheck
    let warningSeconds: Int64
    private let path: String?
    private let url: String?
    private let logger: Logger
    private let state = Mutex(State())

    init(_ configuration: AuthConfiguration, logger: Logger) {
        check = TokenCheck(configuration)
        warningSeconds = configuration.warningSeconds
        path = configuration.tokenKeysPath
        url = configuration.tokenKeysURL
        self.logger = logger
    }

    var generation: UInt64 { state.withLock { $0.generation } }
    var keyCount: Int { state.withLock { $0.fromFiles.count + ($0.fromURL?.count ?? 0) } }
    var failedFetches: UInt64 { state.withLock { $0.failedFetches } }

    // MARK: Checking

    /// - Parameter isSecondTry: newer keys have been waited for already.
    func verify(_ token: [UInt8], nowSeconds: Int64, isSecondTry: Bool = false) -> Answer {
        let (keys, isMissing) = state.withLock { state in
            (TokenKeySet(keys: state.fromFiles + (state.fromURL ?? [])), url != nil && state.fromURL == nil)
        }
        do throws(AuthRefusal) {
            return .granted(try check.check(token, keys: keys, nowSeconds: nowSeconds))
        } catch {
            guard error.error == .unknownKey, url != nil else { return .refused(error) }
            if isSecondTry { return isMissing ? .keysMissing : .refused(error) }
            return .mayHelpToFetch
        }
    }

    /// Calls back when the published keys are as new as they get: at once, or after one fetch, whoever has caused it.
    func awaitKeys(_ body: @escaping @Sendable () -> Void) {
        let answer = state.withLock { state in
            if state.waiters.count >= Self.waitersMax { return KeyRefreshMachine.Answer.refuse }
            let answer = state.machine.onUnknownKey(now: MonotonicClock.nowMilliseconds())
            if answer != .refuse { state.waiters.append(body) }
            return answer
        }
        switch answer {
        case .refuse: body()
        case .wait: break
        case .fetch: Task { await fetch() }
        }
    }

    // MARK: Keys

    /// Reads the files and makes one attempt to fetch.
    ///
    /// - Throws: `NodeError` when the files can't be used. That nothing could be fetched is an error in the log: it goes on trying.
    func load() async throws {
        if let url { try Self.check(url) }
        try await readFiles()
        if url != nil, state.withLock({ $0.machine.onTick(now: MonotonicClock.nowMilliseconds()) }) { await fetch() }
    }

    /// The paths to watch.
    var paths: [String] { path.map { [$0] } ?? [] }

    /// The files have changed.
    func reload(onAlarm: @escaping @Sendable () -> Void) {
        Task {
            do { try await readFiles() } catch {
                onAlarm()
                logger.error("the tokens' earlier keys stay in use: \(error)")
            }
        }
    }

    /// Keeps the published set fresh until the task is cancelled.
    func run() async {
        guard url != nil else { return }
        while (try? await Task.sleep(for: .milliseconds(Self.tickMilliseconds))) != nil {
            if state.withLock({ $0.machine.onTick(now: MonotonicClock.nowMilliseconds()) }) { await fetch() }
        }
    }

    private func readFiles() async throws {
        guard let path else { return }
        let keys = try await TokenKeyFile.load(path, logger: logger)
        state.withLock { state in
            state.fromFiles = keys
            state.generation += 1
        }
        logger.info("keys for tokens", metadata: ["from": "\(path)", "keys": "\(Self.names(keys))"])
    }

    /// For the log. Whoever publishes keys chooses their names.
    private static func names(_ keys: [TokenKey]) -> String {
        let names = keys.prefix(16).map { "\(LogText.escaped($0.id ?? "any")):\($0.algorithm)" }.joined(separator: ", ")
        return keys.count > 16 ? names + ", …" : names
    }

    /// Who can put himself between would choose the keys.
    private static func check(_ url: String) throws {
        guard let parsed = URL(string: url), let host = parsed.host, !host.isEmpty else {
            throw NodeError("\"\(url)\" is no address of a key set (--token-jwks): give https://host/path")
        }
        if parsed.scheme != "https", !(parsed.scheme == "http" && LoopbackPolicy.isLoopback(host)) {
            throw NodeError("keys for tokens are fetched over https only, except from this machine: \(url) (--token-jwks)")
        }
    }

    func fetch() async {
        guard let url else { return }
        do {
            let (keys, maxAge) = try await download(url)
            state.withLock { state in
                state.fromURL = keys
                state.generation += 1
                state.machine.onFetched(maxAgeSeconds: maxAge, now: MonotonicClock.nowMilliseconds())
            }
            logger.info("keys for tokens", metadata: ["from": "\(url)", "keys": "\(Self.names(keys))"])
        } catch {
            state.withLock { state in
                state.failedFetches += 1
                state.machine.onFailed(now: MonotonicClock.nowMilliseconds())
            }
            logger.error("keys for tokens could not be fetched; those that are known stay in use", metadata: ["why": "\(error)"])
        }
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter() }
    }

    private func download(_ url: String) async throws -> (keys: [TokenKey], maxAgeSeconds: Int64?) {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(Self.fetchSecondsMax))
        guard response.status == .ok else { throw NodeError("\(url) answers HTTP \(response.status.code)") }
        let body = try await response.body.collect(upTo: TokenKeyFile.bytesMax)
        let keys = try await TokenKeyFile.load(
            set: Data(body.readableBytesView), defaultID: nil, allowsSecrets: false, source: url, logger: logger)
        if keys.isEmpty { throw NodeError("\(url) holds no key that can be used") }
        let directives = response.headers[canonicalForm: "cache-control"].map { $0.lowercased() }
        let maxAge = directives.first { $0.hasPrefix("max-age=") }.flatMap { Int64($0.dropFirst("max-age=".count)) }
        return (keys, maxAge)
    }
}
