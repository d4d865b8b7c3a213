// A producer's payload as JSON, ready to stand in an envelope: JSON as it came, text as a JSON string.
import NIOCore
import RingpostCore
import RingpostWire

enum Payload {
    /// What a producer says its payload is.
    enum Kind {
        case json
        case text
        /// Nothing, or the form type that curl says by itself: JSON if it is an object or an array, else text.
        case unsaid
    }

    /// The kind that a request declares; `nil` for a type that this node doesn't take. The usual types are known by their
    /// bytes, because taking a header apart as text cost 7 % of a publish.
    static func kind(of head: HTTPRequestHead) -> Kind? {
        if !head.has(.contentType) { return .unsaid }
        if head.equalsIgnoringCase(.contentType, "application/json") { return .json }
        if head.equalsIgnoringCase(.contentType, "text/plain") { return .text }
        if head.equalsIgnoringCase(.contentType, "application/x-www-form-urlencoded") { return .unsaid }
        return kind(contentType: head[.contentType])
    }

    /// Reads the kind from a Content-Type; `nil` for a type that this node doesn't take.
    static func kind(contentType: String?) -> Kind? {
        guard let contentType else { return .unsaid }
        let parts = contentType.lowercased().split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" && $0 != "\"" } }
        let charset = parts.dropFirst().first { $0.hasPrefix("charset=") }.map { $0.dropFirst(8) }
        if let charset, charset != "utf-8", charset != "us-ascii", charset != "utf8" { return nil }
        guard let type = parts.first, !type.isEmpty else { return .unsaid }
        if type == "application/json" || (type.hasPrefix("application/") && type.hasSuffix("+json")) { return .json }
        if type == "application/x-www-form-urlencoded" { return .unsaid }
        return type.hasPrefix("text/") ? .text : nil
    }

    /// - Throws: a problem for the producer: not JSON, not UTF-8, or too large.
    static func encode(_ body: ByteBuffer, kind: Kind, bytesMax: Int) throws(ProblemReport) -> [UInt8] {
        if body.readableBytes > bytesMax {
            throw ProblemReport(.tooLarge, "the payload has \(body.readableBytes) bytes; at most \(bytesMax) are taken")
        }
        let encoded = try encode(body, kind: kind)
        // Quoted text can be six times as long, and what fits into no frame would never reach a mirror.
        if encoded.count > LinkProtocol.payloadBytesMax {
            throw ProblemReport(
                .tooLarge, "as JSON the payload has \(encoded.count) bytes; at most \(LinkProtocol.payloadBytesMax) are taken")
        }
        return encoded
    }

    private static func encode(_ body: ByteBuffer, kind: Kind) throws(ProblemReport) -> [UInt8] {
        switch kind {
        case .json:
            do throws(JSONFault) { return try json(body) } catch {
                throw ProblemReport(.badJSON, error == .malformed ? nil : error.message)
            }
        case .text: return try text(body)
        case .unsaid:
            let first = JSONText.withoutByteOrderMark(body.readableBytesView).first { $0 > 0x20 }
            guard first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else { return try text(body) }
            do throws(JSONFault) { return try json(body) } catch {
                // What is too deep is JSON all the same: as text it would come to its readers as something else.
                if error == .tooDeep { throw ProblemReport(.badJSON, error.message) }
                return try text(body)
            }
        }
    }

    private static func json(_ body: ByteBuffer) throws(JSONFault) -> [UInt8] {
        var body = body
        JSONText.skipByteOrderMark(&body)
        if let fault = body.withUnsafeReadableBytes({ JSONText.fault(in: $0) }) { throw fault }
        return JSONText.compactLineBreaks(Array(body.readableBytesView))
    }

    private static func text(_ body: ByteBuffer) throws(ProblemReport) -> [UInt8] {
        guard body.withUnsafeReadableBytes({ UTF8Check.isValid($0) }) else {
            throw ProblemReport(.unsupportedMediaType, "the payload is neither JSON nor text in UTF-8")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.readableBytes + 16)
        body.withUnsafeReadableBytes { JSONText.appendQuoted($0, to: &bytes) }
        return bytes
    }
}
