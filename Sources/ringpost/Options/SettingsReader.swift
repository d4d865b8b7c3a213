// Reads settings strictly: a value is taken whole or refused with a sentence, never dropped or bent. Where several places have a
// setting, the first of them counts: options, the environment, the configuration file.
import Configuration
import Foundation
import RingpostNode
import RingpostWire

struct SettingsReader {
    private struct Source {
        /// "the option", for sentences.
        let name: String
        let provider: any ConfigProvider
    }

    /// The largest configuration file.
    static let fileBytesMax = 1_048_576
    /// Texts in a list.
    static let listMax = 4_096

    private var sources: [Source]

    /// - Parameter options: what was given on the command line.
    init(options: [AbsoluteConfigKey: ConfigValue]) {
        // An empty variable is how scripts take one back.
        let variables = ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty }
        let environment = EnvironmentVariablesProvider(environmentVariables: variables).prefixKeys(with: "ringpost")
        sources = [
            Source(name: "the option", provider: InMemoryProvider(values: options)), Source(name: "the environment", provider: environment),
        ]
    }

    /// Adds a configuration file: a JSON object with settings as its members.
    ///
    /// - Parameter known: the settings that there are.
    /// - Throws: that it can't be read, isn't such an object, or has a member that is no setting.
    mutating func add(file path: String, known: Set<String>) throws(NodeError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw NodeError("can't read the configuration file \(path): there is none, or this user may not read it")
        }
        guard data.count <= Self.fileBytesMax else {
            throw NodeError("the configuration file \(path) has \(data.count) bytes; at most \(Self.fileBytesMax) are taken")
        }
        let object: JSONObject
        do throws(JSONFault) { object = try JSONObject(Array(JSONText.withoutByteOrderMark(data))) } catch {
            throw NodeError("the configuration file \(path) can't be used: \(error.message)")
        }
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for member in object.members {
            let name = JSONText.string(member.name) ?? String(decoding: member.name, as: UTF8.self)
            guard known.contains(name) else {
                throw NodeError("the configuration file \(path) has \"\(name)\", which is no setting; `ringpost node --help` lists them")
            }
            guard let content = Self.content(member.value) else {
                let given = String(decoding: member.value.prefix(40), as: UTF8.self)
                throw NodeError(
                    "\(name) in \(path) must be a text, a whole number, true, false, or a list of at most \(Self.listMax) texts, not \(given)"
                )
            }
            values[AbsoluteConfigKey([name])] = ConfigValue(content, isSecret: false)
        }
        sources.append(Source(name: path, provider: InMemoryProvider(values: values)))
    }

    private static func content(_ json: ArraySlice<UInt8>) -> ConfigContent? {
        if let text = JSONText.string(json) { return .string(text) }
        let word = String(decoding: json, as: UTF8.self)
        if let number = Int(word) ?? Double(word).flatMap(Int.init(exactly:)) { return .int(number) }
        if word == "true" || word == "false" { return .bool(word == "true") }
        guard let elements = JSONArray.elements(of: json, countMax: Self.listMax), elements.count <= Self.listMax else { return nil }
        let texts = elements.compactMap(JSONText.string)
        return texts.count == elements.count ? .stringArray(texts) : nil
    }

    // MARK: Settings

    /// A text; `nil` when nobody has said one.
    func text(_ key: String) throws(NodeError) -> String? {
        guard let (content, source) = try value(key, [.string], "a text"), case .string(let text) = content else { return nil }
        if text.isEmpty { throw NodeError("\(key) in \(source) is empty: leave it out, or say something") }
        return text
    }

    /// Several texts; one alone counts as a list of one. Empty when nobody has said any.
    func list(_ key: String) throws(NodeError) -> [String] {
        guard let (content, source) = try value(key, [.stringArray, .string], "a text or a list of texts") else { return [] }
        let texts =
            switch content {
            case .stringArray(let texts): texts.map { $0.trimmingCharacters(in: .whitespaces) }
            case .string(let text): [text]
            default: [String]()
            }
        if texts.contains("") { throw NodeError("\(key) in \(source) has an empty entry") }
        return texts
    }

    /// A whole number in a range; `nil` when nobody has said one.
    func number(_ key: String, _ range: ClosedRange<Int>) throws(NodeError) -> Int? {
        let form = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let (content, source) = try value(key, [.int, .string], form) else { return nil }
        switch content {
        case .int(let number) where range.contains(number): return number
        case .int(let number): throw NodeError("\(key) in \(source) must be \(form), not \(number)")
        case .string(let text): throw NodeError("\(key) in \(source) must be \(form), not \"\(text)\"")
        default: return nil
        }
    }

    /// Yes or no; no when nobody has said it.
    func flag(_ key: String) throws(NodeError) -> Bool {
        guard let (content, _) = try value(key, [.bool], "true or false"), case .bool(let flag) = content else { return false }
        return flag
    }

    /// The first source that has the key, in the first of the types that it has it in.
    private func value(_ key: String, _ types: [ConfigType], _ form: String) throws(NodeError) -> (ConfigContent, source: String)? {
        let key = AbsoluteConfigKey([key])
        for source in sources {
            var isThere = false
            for type in types {
                do {
                    if let value = try source.provider.value(forKey: key, type: type).value { return (value.content, source.name) }
                } catch {
                    isThere = true
                }
            }
            if isThere { throw NodeError("\(key) in \(source.name) must be \(form)") }
        }
        return nil
    }
}
