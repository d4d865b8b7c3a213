// A JSON object or array taken apart into the bytes of its values: whoever wants one of them decodes that one.

/// An object's members in their order, as they were written. Names are compared as bytes once they are decoded; no two have the same.
package struct JSONObject: Sendable {
    /// Members of an object that anybody here reads.
    package static let countMax = 64

    /// Each with its quotes, and with its value.
    package let members: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)]

    /// Takes a text apart that passes `JSONText.isValid`.
    ///
    /// - Throws: that it is no object, has too many members, or one twice.
    package init(valid json: ArraySlice<UInt8>, countMax: Int = Self.countMax) throws(JSONFault) {
        var walk = JSONWalk(json)
        guard walk.take(UInt8(ascii: "{")) else { throw .notAnObject }
        var members: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)] = []
        while walk.byte == UInt8(ascii: "\"") {
            if members.count >= countMax { throw .tooManyMembers(max: countMax) }
            let name = walk.takeValue()
            guard walk.take(UInt8(ascii: ":")) else { throw .malformed }
            members.append((name, walk.takeValue()))
            guard walk.take(UInt8(ascii: ",")) else { break }
        }
        self.members = members
        if let name = Self.repeatedName(members) {
            throw .repeatedMember(String(decoding: name.dropFirst().dropLast().prefix(64), as: UTF8.self))
        }
    }

    /// Checks a whole text and takes it apart.
    ///
    /// - Parameter depthMax: levels that it may have.
    /// - Throws: why it is not taken.
    package init(_ json: [UInt8], depthMax: Int = JSONText.nestingMax) throws(JSONFault) {
        if let fault = json.withUnsafeBytes({ JSONText.fault(in: $0, depthMax: depthMax) }) { throw fault }
        try self.init(valid: json[...])
    }

    /// Few are compared each with each, which allocates nothing; many by their hashes.
    private static func repeatedName(_ members: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)]) -> ArraySlice<UInt8>? {
        if members.count > 8 || members.contains(where: { $0.name.contains(UInt8(ascii: "\\")) }) {
            var names: Set<[UInt8]> = []
            // Half a surrogate pair is no text, but two of them that are written alike are one name all the same.
            return members.first { !names.insert(JSONText.unquoted($0.name) ?? Array($0.name)).inserted }?.name
        }
        for index in members.indices {
            for earlier in 0..<index where members[earlier].name == members[index].name { return members[index].name }
        }
        return nil
    }

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
