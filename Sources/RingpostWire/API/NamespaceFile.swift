// The file of namespaces, taken whole or refused with a sentence: {"chat":{"history":{"messages":100,"seconds":3600},"publish":"tokens"}}.
import RingpostCore

/// Reads namespaces.
public enum NamespaceFile {
    /// The largest file.
    public static let bytesMax = 1_048_576

    /// - Throws: what is wrong with the file, as a sentence that names the place.
    public static func read(_ file: [UInt8]) throws(NamespaceFault) -> NamespaceTable {
        if file.count > bytesMax { throw NamespaceFault("it has \(file.count) bytes; at most \(bytesMax) are taken") }
        let json = Array(JSONText.withoutByteOrderMark(file))
        let members: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)]
        do throws(JSONFault) {
            try JSONText.check(document: json)
            members = try JSONObject(valid: json[...], countMax: NamespaceTable.countMax).members
        } catch {
            if case .tooManyMembers(let most) = error { throw NamespaceFault("it has more than \(most) namespaces") }
            throw NamespaceFault(error.message)
        }
        var namespaces: [Namespace] = []
        for (name, value) in members { namespaces.append(try namespace(name, value)) }
        guard let table = NamespaceTable(namespaces) else { throw NamespaceFault("a namespace stands there twice") }
        return table
    }

    private static func namespace(_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) throws(NamespaceFault) -> Namespace {
        guard let bytes = JSONText.unquoted(name), var namespace = Namespace(name: bytes) else {
            let shown = String(decoding: name.dropFirst().dropLast().prefix(64), as: UTF8.self)
            throw NamespaceFault(
                "\"\(shown)\" is no namespace: give what stands before a channel's first colon, 1 to \(Namespace.nameBytesMax) bytes without colons"
            )
        }
        for (member, value) in try members(value, Field(namespace.text)) {
            try set(&namespace, Field(namespace.text, member), value)
        }
        return namespace
    }

    private static func set(_ namespace: inout Namespace, _ field: Field, _ value: ArraySlice<UInt8>) throws(NamespaceFault) {
        switch field.name {
        case "history":
            for (member, value) in try members(value, field) {
                let field = Field("\(field.namespace)", "history.\(member)")
                switch member {
                case "messages": namespace.historyMessages = try number(value, field, 0...Namespace.historyMessagesMax)
                case "bytes": namespace.historyBytes = try number(value, field, 1...Namespace.historyBytesMax)
                case "seconds": namespace.historySeconds = try number(value, field, 1...Namespace.secondsMax)
                default: throw field.isUnknown("messages, bytes, seconds")
                }
            }
        case "ttl": namespace.timeToLiveSeconds = UInt32(try number(value, field, 0...Namespace.secondsMax))
        case "presence": namespace.allowsPresence = try flag(value, field)
        case "publish": namespace.publish = try audience(value, field)
        case "subscribe": namespace.subscribe = try audience(value, field)
        case "rate": namespace.messagesPerSecond = try number(value, field, 1...Namespace.countMax)
        case "subscribers": namespace.subscribers = try number(value, field, 1...Namespace.countMax)
        case "payload": namespace.payloadBytes = try number(value, field, 1...Namespace.payloadBytesMax)
        case "channels": namespace.channels = try number(value, field, 1...Namespace.channelsMax)
        case "bytes": namespace.bytes = try number(value, field, 1...Namespace.bytesMax)
        default:
            throw field.isUnknown("history, ttl, presence, publish, subscribe, rate, subscribers, payload, channels, bytes")
        }
    }

    // MARK: Values

    /// Where a value stands, for sentences.
    private struct Field {
        let namespace: String
        let name: String

        init(_ namespace: String, _ name: String = "") {
            self.namespace = namespace
            self.name = name
        }

        var place: String { name.isEmpty ? "\"\(namespace)\"" : "\"\(name)\" of \"\(namespace)\"" }

        func mustBe(_ form: String, _ value: ArraySlice<UInt8>) -> NamespaceFault {
            NamespaceFault("\(place) must be \(form), not \(String(decoding: value.prefix(40), as: UTF8.self))")
        }

        func isUnknown(_ known: String) -> NamespaceFault {
            NamespaceFault("\"\(namespace)\" has \"\(name.prefix(64))\", which is no rule: there are \(known)")
        }
    }

    private static func members(
        _ value: ArraySlice<UInt8>, _ field: Field
    ) throws(NamespaceFault) -> [(name: String, value: ArraySlice<UInt8>)] {
        guard let object = try? JSONObject(valid: value) else { throw field.mustBe("an object with its rules", value) }
        return object.members.map { (JSONText.string($0.name) ?? "", $0.value) }
    }

    private static func number(_ value: ArraySlice<UInt8>, _ field: Field, _ range: ClosedRange<Int>) throws(NamespaceFault) -> Int {
        guard let number = Int(String(decoding: value, as: UTF8.self)), range.contains(number) else {
            throw field.mustBe("a whole number from \(range.lowerBound) to \(range.upperBound)", value)
        }
        return number
    }

    private static func flag(_ value: ArraySlice<UInt8>, _ field: Field) throws(NamespaceFault) -> Bool {
        if value.elementsEqual("true".utf8) { return true }
        if value.elementsEqual("false".utf8) { return false }
        throw field.mustBe("true or false", value)
    }

    private static func audience(_ value: ArraySlice<UInt8>, _ field: Field) throws(NamespaceFault) -> Namespace.Audience {
        guard let audience = JSONText.string(value).flatMap(Namespace.Audience.init) else {
            throw field.mustBe(Namespace.Audience.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "), value)
        }
        return audience
    }
}

/// What is wrong with a file of namespaces.
public struct NamespaceFault: Error, Hashable, Sendable {
    /// A sentence, which goes on after the file's name.
    public let message: String

    init(_ message: String) { self.message = message }
}
