// Paging through what users and channels were sent.

extension OperatorClient {
    /// A page of a user's messages.
    ///
    /// - Parameters:
    ///   - since: reads forwards, after the message with this cursor, or from `earliest` on.
    ///   - before: without `since`, reads backwards from the message with this cursor; without both, the newest messages. With `since` the page
    ///     ends before it.
    ///   - limit: ``MessagePage/countMax`` at most; `nil` for what nodes give then.
    public func messages(
        ofUser user: String, since: String? = nil, before: String? = nil, limit: Int? = nil
    ) async throws(OperatorError) -> MessagePage {
        try await page(Self.historyPath(user: user, since: since, before: before, limit: limit))
    }

    /// A page of a channel's messages; see ``messages(ofUser:since:before:limit:)``.
    public func messages(
        ofChannel channel: String, since: String? = nil, before: String? = nil, limit: Int? = nil
    ) async throws(OperatorError) -> MessagePage {
        try await page(Self.historyPath(channel: channel, since: since, before: before, limit: limit))
    }

    /// Where a page of a user's messages is asked for.
    public static func historyPath(user: String, since: String?, before: String?, limit: Int?) -> String {
        "\(path(user: user))/messages\(query(since, before, limit))"
    }

    /// Where a page of a channel's messages is asked for.
    public static func historyPath(channel: String, since: String?, before: String?, limit: Int?) -> String {
        "\(path(channel: channel))/messages\(query(since, before, limit))"
    }

    private static func query(_ since: String?, _ before: String?, _ limit: Int?) -> String {
        let parts = [
            since.map { "since=\($0.percentEncoded)" }, before.map { "before=\($0.percentEncoded)" }, limit.map { "limit=\($0)" },
        ].compactMap { $0 }
        return parts.isEmpty ? "" : "?\(parts.joined(separator: "&"))"
    }

    private func page(_ path: String) async throws(OperatorError) -> MessagePage { try Self.page(await get(path)) }

    /// Reads a page; a public way in for callers that keep the bytes too.
    public static func page(_ body: [UInt8]) throws(OperatorError) -> MessagePage {
        guard let page = MessagePage(body) else { throw .unreadable("it is no page of messages") }
        return page
    }
}
