// A chat log of its own making, for a replay without a file: the same for the same seed. Few users get most messages and most get few,
// messages are short and now and then very long, some address nobody, and names are what people choose for themselves.
import HashRing

/// Makes chat records, in the form that ``ReplayPlan`` reads.
package struct GeneratedChat {
    /// A text has at most so many characters.
    package static let textLengthMax = 4_000
    /// Days over which the chat goes, each with its channel.
    package static let days = 5

    /// Forms of names; the number keeps them apart. Quotes, escapes, spaces, slashes, percent signs, other scripts, long ones.
    private static let forms: [@Sendable (Int) -> String] = [
        { "ann\($0)" }, { "user:\($0)" }, { "Zoë-\($0)" }, { "|guest \($0)|" }, { "日本\($0)" }, { "o'brien\($0)" }, { "a/b/\($0)" },
        { "100%\($0)" }, { "\"\($0)\"" }, { "back\\slash\($0)" }, { "\($0)@example.com" }, { "..\($0)" }, { "?user=\($0)&x" },
        { "🦊\($0)" }, { "semi;colon\($0)" }, { "e\u{301}\($0)" }, { String(repeating: "long", count: 60) + "\($0)" }, { "#room,\($0)" },
    ]
    private static let words = [
        "yes", "no", "hello", "thanks", "where", "is", "the", "log", "try", "again", "it", "works", "now", "restart", "naïve", "größer",
        "привет",
        "你好", "\"quoted\"", "C:\\temp", "<b>", "&amp;", "\u{1F44B}", "{}", "[1,2]", "null",
    ]

    /// The records, one a line.
    package let log: [UInt8]

    /// - Parameters:
    ///   - seed: decides everything.
    ///   - users: how many users take part, at least 2.
    ///   - messages: how many messages to users there are; beside them about half as many address nobody.
    package init(seed: UInt64, users: Int, messages: Int) {
        var dice = SplitMix64(seed: seed)
        let names = (0..<max(2, users)).map { Self.forms[$0 % Self.forms.count]($0) }
        // Zipf's law: the n-th user is addressed in proportion to 1/n.
        var sums: [Double] = []
        for number in names.indices { sums.append((sums.last ?? 0) + 1 / Double(number + 1)) }
        func someone() -> Int {
            let point = Double.random(in: 0..<(sums.last ?? 1), using: &dice)
            var (low, high) = (0, sums.count - 1)
            while low < high {
                let middle = (low + high) / 2
                if sums[middle] > point { high = middle } else { low = middle + 1 }
            }
            return low
        }
        var output = ""
        var sent = 0
        while sent < messages {
            let addressesNobody = Int.random(in: 0..<3, using: &dice) == 0
            let (from, to) = (someone(), someone())
            let minute = sent * (Self.days * 24 * 60 - 1) / max(1, messages)
            output += "{\"at\":\"\(Self.stamp(minute))\",\"from\":\(Self.quoted(names[from])),"
            output += "\"to\":\(addressesNobody ? "null" : Self.quoted(names[to])),\"text\":\(Self.quoted(Self.text(&dice)))}\n"
            if !addressesNobody { sent += 1 }
        }
        log = Array(output.utf8)
    }

    private static func stamp(_ minute: Int) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "2024-03-\(two(1 + minute / 1_440))T\(two(minute / 60 % 24)):\(two(minute % 60))"
    }

    /// One text of fifty is about fifty times as long as the others.
    private static func text(_ dice: inout SplitMix64) -> String {
        let isLong = Int.random(in: 0..<50, using: &dice) == 0
        let count = isLong ? Int.random(in: 50...600, using: &dice) : Int.random(in: 1...12, using: &dice)
        let text = (0..<count).map { _ in words[Int.random(in: words.indices, using: &dice)] }.joined(separator: " ")
        return String(text.prefix(textLengthMax))
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"", "\\": quoted += "\\\(character)"
            default: quoted.unicodeScalars.append(character)
            }
        }
        return quoted + "\""
    }
}
