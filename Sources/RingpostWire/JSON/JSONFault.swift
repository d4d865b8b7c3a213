// Why a JSON text is not taken: one list of reasons, with a sentence for whoever has sent it.
import NIOCore

/// What is wrong with a JSON text.
package enum JSONFault: Error, Equatable, Sendable {
    /// It is not JSON in UTF-8.
    case malformed
    /// It has more levels of arrays and objects than ``JSONText/nestingMax``.
    case tooDeep
    /// It is valid, but no object.
    case notAnObject
    /// It is an object of more members than anybody needs here.
    case tooManyMembers(max: Int)
    /// Two programs would read it in two ways (RFC 8259, 4). The name as it was written, without its quotes, cut to 64 bytes.
    case repeatedMember(String)

    /// A sentence for whoever has sent it.
    package var message: String {
        switch self {
        case .malformed: "this is not valid JSON"
        case .tooDeep: "arrays and objects are nested in more than \(JSONText.nestingMax) levels"
        case .notAnObject: "this is not a JSON object"
        case .tooManyMembers(let most): "the JSON object has more than \(most) members"
        case .repeatedMember(let name): "the member \"\(name)\" stands there twice"
        }
    }
}

extension JSONText {
    /// A byte order mark, which some programs put before a text (RFC 8259, 8.1 lets a reader pass over it).
    package static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// The text without a byte order mark before it.
    package static func withoutByteOrderMark<Bytes: Collection<UInt8>>(_ text: Bytes) -> Bytes.SubSequence {
        text.starts(with: byteOrderMark) ? text.dropFirst(byteOrderMark.count) : text[...]
    }

    /// Steps over a byte order mark at the beginning of a buffer.
    package static func skipByteOrderMark(_ text: inout ByteBuffer) {
        guard text.getInteger(at: text.readerIndex, as: UInt8.self) == byteOrderMark[0], text.readableBytesView.starts(with: byteOrderMark)
        else { return }
        text.moveReaderIndex(forwardBy: byteOrderMark.count)
    }

    /// Checks a document whose every object is read: valid, not too deep, and no member twice in any object.
    ///
    /// - Throws: the first fault.
    package static func check(document: [UInt8]) throws(JSONFault) {
        if let fault = document.withUnsafeBytes({ fault(in: $0) }) { throw fault }
        var rest = [document[...]]
        while let value = rest.popLast() {
            switch value.first(where: { $0 > 0x20 }) {
            case UInt8(ascii: "{"): rest += try JSONObject(valid: value, countMax: .max).members.map(\.value)
            case UInt8(ascii: "["): rest += JSONArray.elements(of: value, countMax: .max - 1) ?? []
            default: break
            }
        }
    }
}
