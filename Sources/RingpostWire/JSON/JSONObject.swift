// A JSON object or array taken apart into the bytes of its values: whoever wants one of them decodes that one.

/// An object's members in their order, as they were written. Names are compared as bytes once they are decoded; of several with one name
/// the first counts.
package struct JSONObject: Sendable {
    /// Members of an object that anybody here reads.
    package static let countMax = 64

    /// Each with its quotes, and with its value.
    package let members: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)]

    /// Takes a text apart that passes `JSONText.isValid`; `nil` when it is no object, or has more members than that.
    package init?(_ json: ArraySlice<UInt8>, countMax: Int = Self.countMax) {
        var walk = JSONWalk(json)
        guard walk.take(UInt8(ascii: "{")) else { return nil }
        var members: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)] = []
        while walk.byte == UInt8(ascii: "\"") {
            if members.count >= countMax { return nil }
            let name = walk.takeValue()
            guard walk.take(UInt8(ascii: ":")) else { return nil }
            members.append((name, walk.takeValue()))
            guard walk.take(UInt8(ascii: ",")) else { break }
        }
        self.members = members
    }

    /// Takes a whole text apart.
    package init?(_ json: [UInt8]) { self.init(json[...]) }

    /// The value of that name, as it was written; `nil` when there is none.
    package subscript(name: StaticString) -> ArraySlice<UInt8>? { members.first { Self.isName($0.name, name) }?.value }

    /// How many members there are.
    package var count: Int { members.count }

    /// The members' names, decoded; `nil` when one of them stands for no text (see ``JSONText/unquoted(_:)``).
    package var names: [[UInt8]]? {
        var names: [[UInt8]] = []
        for member in members {
            guard let name = JSONText.unquoted(member.name) else { return nil }
            names.append(name)
        }
        return names
    }

    private static func isName(_ json: ArraySlice<UInt8>, _ name: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        if !json.contains(UInt8(ascii: "\\")) { return json.dropFirst().dropLast().elementsEqual(wanted) }
        return JSONText.unquoted(json)?.elementsEqual(wanted) == true
    }
}

/// Operations on arrays.
package enum JSONArray {
    /// The elements of a text that passes `JSONText.isValid`, as they were written; `nil` when it is no array. Where there are more than so
    /// many, the first of them and one more.
    package static func elements(of json: ArraySlice<UInt8>, countMax: Int) -> [ArraySlice<UInt8>]? {
        var walk = JSONWalk(json)
        guard walk.take(UInt8(ascii: "[")) else { return nil }
        if walk.take(UInt8(ascii: "]")) { return [] }
        var elements: [ArraySlice<UInt8>] = []
        repeat { elements.append(walk.takeValue()) } while elements.count <= countMax && walk.take(UInt8(ascii: ","))
        return elements
    }
}
