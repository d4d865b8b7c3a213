// Finds functions and their length by matching braces. It is no parser; where brackets don't match it says so instead of guessing.

/// A function, initializer or subscript with a body: from the line of its keyword to that of its closing brace.
struct FunctionSpan: Equatable {
    var name: String
    var firstLine: Int
    var lineCount: Int
}

struct UnmatchedBrackets: Error, Equatable {
    var line: Int
}

extension SwiftSource {
    private struct Header {
        var name: String
        var line: Int
    }

    /// What is known between an opening brace and its closing one.
    private struct Scope {
        /// The function whose body this is, if it is one.
        var function: Header?
        /// Open parentheses and brackets, counted anew within every pair of braces.
        var parentheses = 0
        /// A function that has been declared here, but whose body hasn't begun.
        var pending: Header?
    }

    /// Every function with a body. A nested one is counted by itself and within the outer one.
    func functions() throws(UnmatchedBrackets) -> [FunctionSpan] {
        var found: [FunctionSpan] = []
        var scopes: [Scope] = []
        var scope = Scope()
        for (index, line) in self.lines.enumerated() {
            // A protocol's function has no body: whatever follows has another one.
            if scope.parentheses == 0, index > 0, !Self.continuesHeader(line, after: self.lines[index - 1]) { scope.pending = nil }
            let declarations = Self.declarations(in: line)
            for (column, character) in line.utf8.enumerated() {
                if scope.parentheses == 0, let name = declarations[column] { scope.pending = Header(name: name, line: index + 1) }
                switch character {
                case UInt8(ascii: "("), UInt8(ascii: "["): scope.parentheses += 1
                case UInt8(ascii: ")"), UInt8(ascii: "]"): scope.parentheses -= 1
                case UInt8(ascii: "{"):
                    var inner = Scope()
                    // Within parentheses it is a closure, such as a default argument.
                    if scope.parentheses == 0 { swap(&inner.function, &scope.pending) }
                    scopes.append(scope)
                    scope = inner
                case UInt8(ascii: "}"):
                    guard scope.parentheses == 0, let outer = scopes.popLast() else { throw UnmatchedBrackets(line: index + 1) }
                    if let header = scope.function {
                        found.append(FunctionSpan(name: header.name, firstLine: header.line, lineCount: index + 2 - header.line))
                    }
                    scope = outer
                default: break
                }
                if scope.parentheses < 0 { throw UnmatchedBrackets(line: index + 1) }
            }
        }
        guard scopes.isEmpty, scope.parentheses == 0 else { throw UnmatchedBrackets(line: self.lines.count) }
        return found.sorted { $0.firstLine < $1.firstLine }
    }

    private static func continuesHeader(_ line: String, after previous: String) -> Bool {
        let line = line.drop { $0 == " " }
        let word = String(line.prefix { $0.isLetter })
        return ["{", ")", "->"].contains { line.hasPrefix($0) } || ["where", "async", "throws", "rethrows"].contains(word)
            || previous.last { $0 != " " }.map { ",:&>(=".contains($0) } ?? false
    }

    /// Columns (in bytes) where `func`, `init`, `deinit` or `subscript` declare, with a name to show.
    private static func declarations(in line: String) -> [Int: String] {
        let bytes = Array(line.utf8)
        var found: [Int: String] = [:]
        var column = 0
        while column < bytes.count {
            let word = String(decoding: bytes[column...].prefix(while: self.isWord), as: UTF8.self)
            let after = column + max(word.utf8.count, 1)
            let before = column > 0 ? bytes[column - 1] : UInt8(ascii: " ")
            let next = after < bytes.count ? bytes[after] : UInt8(ascii: " ")
            if word == "func" {
                let name = bytes[after...].drop { $0 == UInt8(ascii: " ") }.prefix { !"(< ".utf8.contains($0) }
                found[column] = String(decoding: name, as: UTF8.self)
            } else if word == "deinit" || (["init", "subscript"].contains(word) && "(<?!".utf8.contains(next)), !".`".utf8.contains(before)
            {
                found[column] = word
            }
            column = after
        }
        return found
    }

    static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "_"), 0x80...: true
        default: false
        }
    }
}
