// Grants in a token's claims, under every map. The first line of an input is a pair of a map, the rest are the claims.
import RingpostCore
import RingpostWire

enum ClaimsFuzzer {
    static let words = [
        "\"subscribe\":[", "\"channels\":[\"", "\"subs\":{\"", "\"mercure\":{\"subscribe\":[\"*\"", "subscribe=",
        "publish=mercure.publish\n",
        "{user}", "*", ":", "null", "\\u002a", ".", "://",
    ]
    private static let user = Array("u".utf8)

    static func check(_ input: UnsafeRawBufferPointer) {
        let lines = Array(input).split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        let json = Array(lines.last ?? [])
        guard (try? JSONText.check(document: json)) != nil, let claims = try? JSONObject(valid: json[...], countMax: .max) else { return }
        var maps = [["ringpost"], ["centrifugo"], ["mercure"], ["ringpost", "centrifugo", "mercure"]]
        if lines.count > 1 { maps.append([String(decoding: lines[0], as: UTF8.self)]) }
        for texts in maps {
            let map: ClaimsMap
            do throws(ClaimsMapFault) { map = try ClaimsMap(texts) } catch {
                demand(!error.message.isEmpty && error.message.utf8.count <= 1_024, "a map's fault says nothing, or too much")
                continue
            }
            for grant in GrantClaim.allCases { check(grant, map, claims, isForeign: texts == ["centrifugo"] || texts == ["mercure"]) }
        }
    }

    private static func check(_ grant: GrantClaim, _ map: ClaimsMap, _ claims: JSONObject, isForeign: Bool) {
        do throws(ClaimsMapFault) {
            let patterns = try map.patterns(of: grant, in: claims, user: user)
            let nobody = try map.patterns(of: grant, in: claims, user: nil)
            let stranger = try map.patterns(of: grant, in: claims, user: Array("*".utf8))
            demand(nobody == stranger, "an id with a star has got something")
            demand(claims.count > 0 || patterns.isEmpty, "something is granted by nothing")
            // In other people's claims a name is one name; only Mercure has a star, which stands for all of them.
            guard isForeign, grant == .subscribe else { return }
            let strange = ["mercure\u{7F}subscribe", "\u{7F}"].map { patterns.matches(Array($0.utf8)) }
            demand(strange[0] == strange[1], "a name became the beginning of several")
        } catch {
            demand(!error.message.isEmpty, "a claim's fault says nothing")
        }
    }
}
