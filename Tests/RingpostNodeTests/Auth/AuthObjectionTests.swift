// Settings with which a node does not start, because anybody could come in.

import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct AuthObjectionTests {
    private static func objection(_ change: (inout NodeConfiguration) -> Void = { _ in }) -> String? {
        var configuration = NodeConfiguration(id: "n1")
        change(&configuration)
        return AuthObjection.find(in: configuration)
    }

    private static let outside = ["0.0.0.0", "::", "10.0.0.1", "node-1.example"]

    @Test func onLoopbackNobodyHasToBeAsked() { #expect(Self.objection() == nil) }

    @Test(arguments: outside)
    func theClientPortNeedsKeysForTokens(host: String) {
        let sentence = Self.objection { $0.client = ListenAddress(host: host, port: 8_080) }
        #expect(sentence?.contains("the client port") == true && sentence?.contains("--token-keys FILE") == true, "\(sentence ?? "-")")
        #expect(
            Self.objection {
                $0.client = ListenAddress(host: host, port: 8_080)
                $0.auth.apiKeysFile = "keys"
            } != nil, "API keys are for the other port")
        #expect(
            Self.objection {
                $0.client = ListenAddress(host: host, port: 8_080)
                $0.auth.tokenKeysPath = "keys"
            } == nil)
        #expect(
            Self.objection {
                $0.client = ListenAddress(host: host, port: 8_080)
                $0.auth.tokenKeysURL = "https://login.example/keys"
            } == nil)
    }

    @Test(arguments: outside)
    func theAPIPortNeedsAPIKeys(host: String) {
        let sentence = Self.objection { $0.api = ListenAddress(host: host, port: 8_081) }
        #expect(sentence?.contains("the API port") == true && sentence?.contains("--api-keys FILE") == true, "\(sentence ?? "-")")
        #expect(
            Self.objection {
                $0.api = ListenAddress(host: host, port: 8_081)
                $0.auth.tokenKeysPath = "keys"
            } != nil)
        #expect(
            Self.objection {
                $0.api = ListenAddress(host: host, port: 8_081)
                $0.auth.apiKeysFile = "keys"
            } == nil)
    }

    @Test func withTokensTheTokenSaysWhatMayBePublished() {
        for open in [{ $0.clientPublish = .all }, { $0.clientPublishUsers = .all }] as [(inout NodeConfiguration) -> Void] {
            #expect(Self.objection(open) == nil)
            let sentence = Self.objection {
                $0.auth.tokenKeysPath = "keys"
                open(&$0)
            }
            #expect(sentence?.contains("leave out --client-publish") == true)
        }
    }

    @Test func issuersWithoutKeysWouldCheckNothing() {
        #expect(Self.objection { $0.auth.issuers = ["login"] }?.contains("--token-issuer") == true)
        #expect(Self.objection { $0.auth.audiences = ["chat"] }?.contains("--token-audience") == true)
        #expect(
            Self.objection {
                $0.auth.issuers = ["login"]
                $0.auth.tokenKeysPath = "keys"
            } == nil)
    }
}
