// The tokens' keys as they are at this moment, and who waits for newer ones: files that are read again when they change, and published sets
// that are fetched now and then, or when a token names a key nobody knows. A check itself is a function on the event loop that asks.
import Logging
import RingpostCore
import RingpostWire
import Synchronization

final class TokenVerifier: Sendable {
    /// Requests that wait for fetches; more are refused at once.
    static let waitersMax = 4_096
    /// So long a request waits for keys that may never come; looked at in every tick.
    static let waitMillisecondsMax: Int64 = 2_000
    /// Files and published sets are looked after so often.
    static let tickMilliseconds = 500

    /// A published set.
    private struct Source {
        let address: KeyAddress
        /// `nil` as long as it has never been fetched.
        var keys: [TokenKey]?
        var machine = KeyRefreshMachine()
    }

    /// Somebody who waits for fetches.
    private struct Waiter {
        /// Indices of the sources that may have the key.
        var sources: Set<Int>
        let until: Int64
        let body: @Sendable () -> Void
    }

    private struct State {
        var fromFiles: [TokenKey] = []
        var sources: [Source]
        /// All of them.
        var keys = TokenKeySet(keys: [])
        var waiters: [Waiter] = []
        /// Grows with every change of the keys: what was found good with earlier ones has to be looked at again.
        var generation: UInt64 = 0
        var failedFetches: UInt64 = 0
        var onKeys: @Sendable (_ old: TokenKeySet, _ new: TokenKeySet) -> Void = { _, _ in }

        /// The sources that may have a key for this issuer's tokens.
        func sources(for issuer: String?) -> [Int] {
            sources.indices.filter { sources[$0].address.issuer == nil || sources[$0].address.issuer == issuer }
        }
    }

    /// What came of a check.
    enum Answer {
        case granted(ClientGrant)
        case refused(AuthRefusal)
        /// The keys have never been fetched yet: nobody can tell.
        case keysMissing
        /// Ask again when the function that ``awaitKeys(of:_:)`` was given is called.
        case mayHelpToFetch(issuer: String?)
    }

    let check: TokenCheck
    let warningSeconds: Int64
    private let path: String?
    private let hasSources: Bool
    private let logger: Logger
    private let state: Mutex<State>

    init(_ configuration: AuthConfiguration, logger: Logger) {
        check = TokenCheck(configuration)
        warningSeconds = configuration.warningSeconds
        path = configuration.tokenKeysPath
        let addresses = KeyAddress.all(configuration)
        hasSources = !addresses.isEmpty
        state = Mutex(State(sources: addresses.map { Source(address: $0) }))
        self.logger = logger
    }

    var generation: UInt64 { state.withLock { $0.generation } }
    var keyCount: Int { state.withLock { $0.keys.keys.count } }
    var failedFetches: UInt64 { state.withLock { $0.failedFetches } }

    /// Calls back whenever there are other keys than before, in order. Set once, before anything is read.
    func onKeys(_ body: @escaping @Sendable (_ old: TokenKeySet, _ new: TokenKeySet) -> Void) { state.withLock { $0.onKeys = body } }

    // MARK: Checking

    /// - Parameter isSecondTry: newer keys have been waited for already.
    func verify(_ token: [UInt8], nowSeconds: Int64, isSecondTry: Bool = false) -> Answer {
        let keys = state.withLock { $0.keys }
        do throws(AuthRefusal) {
            return .granted(try check.check(token, keys: keys, nowSeconds: nowSeconds))
        } catch {
            guard error.error == .unknownKey, hasSources, let text = try? TokenText(token) else { return .refused(error) }
            let issuer = TokenCheck.issuer(of: text)
            let (mayHelp, isMissing) = state.withLock { state in
                let sources = state.sources(for: issuer)
                return (!sources.isEmpty, sources.contains { state.sources[$0].keys == nil })
            }
            guard mayHelp else { return .refused(error) }
            if isSecondTry { return isMissing ? .keysMissing : .refused(error) }
            return .mayHelpToFetch(issuer: issuer)
        }
    }

    /// Calls back when the published keys are as new as they get: at once, after one fetch, whoever has caused it, or when that takes too long.
    ///
    /// - Parameter issuer: whom the token says it is of.
    func awaitKeys(of issuer: String? = nil, _ body: @escaping @Sendable () -> Void) {
        let now = MonotonicClock.nowMilliseconds()
        let (fetches, waits) = state.withLock { state -> ([Int], Bool) in
            if state.waiters.count >= Self.waitersMax { return ([], false) }
            var (fetches, awaited): ([Int], Set<Int>) = ([], [])
            for index in state.sources(for: issuer) {
                switch state.sources[index].machine.onUnknownKey(now: now) {
                case .refuse: continue
                case .wait: break
                case .fetch: fetches.append(index)
                }
                awaited.insert(index)
            }
            if awaited.isEmpty { return ([], false) }
            state.waiters.append(Waiter(sources: awaited, until: now + Self.waitMillisecondsMax, body: body))
            return (fetches, true)
        }
        for index in fetches { Task { await fetch(index) } }
        if !waits { body() }
    }

    // MARK: Keys

    /// Reads the files and makes one attempt to fetch.
    ///
    /// - Throws: `NodeError` when the files can't be used. That nothing could be fetched is an error in the log: it goes on trying.
    func load() async throws {
        let addresses = state.withLock { $0.sources.map(\.address) }
        if addresses.count > KeyAddress.countMax {
            throw NodeError("keys for tokens are fetched from \(KeyAddress.countMax) addresses at most")
        }
        for address in addresses {
            try KeyAddress.check(address.url, option: address.issuer == nil ? "--token-jwks" : "--token-issuer, --token-jwks")
        }
        try await readFiles()
        await fetchWhatIsDue()
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

    /// Published sets are fetched now, whether they are due or not: what an operator means by SIGHUP.
    func refetch() {
        let now = MonotonicClock.nowMilliseconds()
        let ordered = state.withLock { state in state.sources.indices.filter { state.sources[$0].machine.onOrder(now: now) } }
        for index in ordered { Task { await fetch(index) } }
    }

    /// Keeps published sets fresh until the task is cancelled, and nobody waiting for too long.
    func run() async {
        if !hasSources { return }
        while (try? await Task.sleep(for: .milliseconds(Self.tickMilliseconds))) != nil {
            wake { $0.until <= MonotonicClock.nowMilliseconds() }
            for index in due() { Task { await fetch(index) } }
        }
    }

    private func due() -> [Int] {
        let now = MonotonicClock.nowMilliseconds()
        return state.withLock { state in state.sources.indices.filter { state.sources[$0].machine.onTick(now: now) } }
    }

    /// Side by side: one that is silent takes its time for itself.
    private func fetchWhatIsDue() async {
        await withTaskGroup(of: Void.self) { group in
            for index in due() { group.addTask { await self.fetch(index) } }
        }
    }

    private func readFiles() async throws {
        guard let path else { return }
        let keys = try await TokenKeyFile.load(path, logger: logger)
        change { $0.fromFiles = keys }
        logger.info("keys for tokens", metadata: ["from": "\(path)", "keys": "\(Self.names(keys))"])
    }

    /// The lock is held while it is told: changes are told in the order in which they were made.
    private func change(_ body: (inout State) -> Void) {
        state.withLock { state in
            let old = state.keys
            body(&state)
            state.keys = TokenKeySet(keys: state.fromFiles + state.sources.flatMap { $0.keys ?? [] })
            state.generation += 1
            if state.keys.signers != old.signers { state.onKeys(old, state.keys) }
        }
    }

    /// For the log. Whoever publishes keys chooses their names.
    private static func names(_ keys: [TokenKey]) -> String {
        let names = keys.prefix(16).map { "\(LogText.escaped($0.id ?? "any")):\($0.algorithm)" }.joined(separator: ", ")
        return keys.count > 16 ? names + ", …" : names
    }

    // MARK: Fetching

    func fetch(_ index: Int = 0) async {
        let address = state.withLock { $0.sources[index].address }
        do {
            let fetched = try await address.fetch(logger: logger)
            change { state in
                state.sources[index].keys = fetched.keys
                state.sources[index].machine.onFetched(maxAgeSeconds: fetched.maxAgeSeconds, now: MonotonicClock.nowMilliseconds())
            }
            logger.info("keys for tokens", metadata: ["from": "\(address.url)", "keys": "\(Self.names(fetched.keys))"])
        } catch {
            state.withLock { state in
                state.failedFetches += 1
                state.sources[index].machine.onFailed(now: MonotonicClock.nowMilliseconds())
            }
            logger.error("keys for tokens could not be fetched; those that are known stay in use", metadata: ["why": "\(error)"])
        }
        wake { waiter in
            waiter.sources.remove(index)
            return waiter.sources.isEmpty
        }
    }

    /// - Parameter isOver: true for one who waits no longer.
    private func wake(_ isOver: (inout Waiter) -> Bool) {
        let woken = state.withLock { state in
            var (staying, woken): ([Waiter], [Waiter]) = ([], [])
            for var waiter in state.waiters { if isOver(&waiter) { woken.append(waiter) } else { staying.append(waiter) } }
            state.waiters = staying
            return woken
        }
        for waiter in woken { waiter.body() }
    }
}
