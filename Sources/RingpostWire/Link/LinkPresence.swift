// Frames about who listens to a channel.
import NIOCore
import RingpostCore

extension LinkEncoder {
    static func write(_ report: PresenceReport, _ attachment: UInt64, _ key: Key, into buffer: inout ByteBuffer) {
        framed(.presenceReport, &buffer) { buffer in
            buffer.writeInteger(attachment, endianness: .little)
            write(key, into: &buffer)
            buffer.writeInteger(
                (report.isWhole ? LinkFlag.isWhole : 0) | (report.wantsNews ? LinkFlag.wantsNews : 0)
                    | (report.wantsList ? LinkFlag.wantsList : 0))
            buffer.writeInteger(report.others, endianness: .little)
            buffer.writeInteger(UInt16(clamping: report.listeners.count), endianness: .little)
            for listener in report.listeners {
                buffer.writeInteger(listener.count.sockets, endianness: .little)
                buffer.writeInteger(listener.count.lingers ? LinkFlag.lingers : 0)
                buffer.writeShort(listener.user)
            }
        }
    }

    static func write(_ news: PresenceNews, _ attachment: UInt64, into buffer: inout ByteBuffer) {
        framed(.presenceNews, &buffer) { buffer in
            buffer.writeInteger(attachment, endianness: .little)
            buffer.writeInteger(news.isWhole ? LinkFlag.isWhole : 0)
            buffer.writeInteger(news.subscribers, endianness: .little)
            buffer.writeInteger(UInt16(clamping: news.joined.count), endianness: .little)
            buffer.writeInteger(UInt16(clamping: news.left.count), endianness: .little)
            for user in news.joined + news.left { buffer.writeShort(user) }
        }
    }
}

extension LinkDecoder {
    static func presenceReport(_ body: inout LinkReader) -> LinkFrame? {
        guard let attachment = body.readWord(), let key = key(&body), let flags = body.readInteger(as: UInt8.self),
            let others = body.readInteger(as: UInt32.self),
            let count = body.readInteger(as: UInt16.self), Int(count) <= LinkProtocol.presenceNamesMax
        else { return nil }
        var listeners: [PresenceReport.Listener] = []
        for _ in 0..<count {
            guard let sockets = body.readInteger(as: UInt32.self), let marks = body.readInteger(as: UInt8.self),
                let user = userName(&body)
            else { return nil }
            listeners.append(.init(user: user, count: PresenceCount(sockets: sockets, lingers: marks & LinkFlag.lingers != 0)))
        }
        let report = PresenceReport(
            isWhole: flags & LinkFlag.isWhole != 0, wantsNews: flags & LinkFlag.wantsNews != 0,
            wantsList: flags & LinkFlag.wantsList != 0, others: others, listeners: listeners)
        return .presenceReport(attachment: attachment, key: key, report)
    }

    static func presenceNews(_ body: inout LinkReader) -> LinkFrame? {
        guard let attachment = body.readWord(), let flags = body.readInteger(as: UInt8.self),
            let subscribers = body.readInteger(as: UInt32.self),
            let joinedCount = body.readInteger(as: UInt16.self),
            let leftCount = body.readInteger(as: UInt16.self),
            Int(joinedCount) + Int(leftCount) <= LinkProtocol.presenceNamesMax, let joined = userNames(joinedCount, &body),
            let left = userNames(leftCount, &body)
        else { return nil }
        let news = PresenceNews(isWhole: flags & LinkFlag.isWhole != 0, subscribers: subscribers, joined: joined, left: left)
        return .presenceNews(attachment: attachment, news)
    }

    private static func userNames(_ count: UInt16, _ body: inout LinkReader) -> [[UInt8]]? {
        var users: [[UInt8]] = []
        for _ in 0..<count {
            guard let user = userName(&body) else { return nil }
            users.append(user)
        }
        return users
    }

    private static func userName(_ body: inout LinkReader) -> [UInt8]? {
        body.readShort().flatMap { !$0.isEmpty && $0.count <= Key.userBytesMax ? $0 : nil }
    }
}
