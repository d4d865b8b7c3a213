// Reads the names that a grant has in a token's claims.
import RingpostCore

extension ClaimsMap {
    /// The patterns of a grant; none where the claims don't say any.
    ///
    /// - Parameters:
    ///   - grant: which.
    ///   - claims: a document that passes ``JSONText/check(document:)``.
    ///   - user: the token's.
    /// - Throws: which claim has a form that is not taken.
    package func patterns(of grant: GrantClaim, in claims: JSONObject, user: [UInt8]?) throws(ClaimsMapFault) -> NamePatterns {
        var names: [String] = []
        let sources = sources(of: grant)
        for source in sources {
            guard let value = try Self.value(at: source, in: claims) else { continue }
            names += try Self.names(value, source, grant)
        }
        guard let patterns = NamePatterns(names, user: user) else {
            let claims = sources.map { "\"\($0.text)\"" }.joined(separator: " and ")
            throw ClaimsMapFault(
                "\(claims) take\(sources.count == 1 ? "s" : "") at most \(NamePatterns.countMax) names of 1 to \(NamePattern.bytesMax) bytes each"
                    + (names.contains { $0.hasSuffix("\(NamePattern.placeholder)*") }
                        ? "; a * can't stand right behind \(NamePattern.placeholder)" : ""))
        }
        return patterns
    }

    private static func value(at source: Source, in claims: JSONObject) throws(ClaimsMapFault) -> ArraySlice<UInt8>? {
        var object = claims
        for (level, name) in source.path.enumerated() {
            let member = object.members.first { JSONText.unquoted($0.name)?.elementsEqual(name.utf8) == true }
            guard let value = member?.value, !value.elementsEqual("null".utf8) else { return nil }
            if level == source.path.count - 1 { return value }
            guard let next = try? JSONObject(valid: value, countMax: .max) else {
                throw ClaimsMapFault("\"\(source.path[...level].joined(separator: "."))\" must be an object")
            }
            object = next
        }
        return nil
    }

    private static func names(_ value: ArraySlice<UInt8>, _ source: Source, _ grant: GrantClaim) throws(ClaimsMapFault) -> [String] {
        var names: [String?]
        if let elements = JSONArray.elements(of: value, countMax: NamePatterns.countMax) {
            names = elements.map { JSONText.string($0) }
        } else if source.reading == .names, let object = try? JSONObject(valid: value, countMax: .max) {
            // One more shows that there are too many.
            names = object.members.prefix(NamePatterns.countMax + 1).map { JSONText.string($0.name) }
        } else {
            names = [nil]
        }
        return try names.map { name throws(ClaimsMapFault) in
            guard let name else {
                throw ClaimsMapFault(
                    "\"\(source.text)\" must be \(grant.form)\(source.reading == .names ? ", or an object with such names" : "")")
            }
            if let reason = objection(to: name, source.reading) {
                throw ClaimsMapFault("\"\(source.text)\" has \"\(name.prefix(64))\": \(reason)")
            }
            return name
        }
    }

    /// Why a name that means something else where it comes from is not taken.
    private static func objection(to name: String, _ reading: Reading) -> String? {
        switch reading {
        case .patterns: nil
        case .topics where name == "*": nil
        case .topics where name.contains { $0 == "{" || $0 == "}" }:
            "URI templates are not taken; name the topics, or all of them with *"
        case .names, .topics:
            name.hasSuffix("*") || name.contains(NamePattern.placeholder)
                ? "this names one channel there, and would name several here" : nil
        }
    }
}
