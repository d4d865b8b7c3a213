// Settings with which a node does not start, because anybody could come in.

import RingpostCore
import Testing
import ZooKeeperClient

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

    @Test(arguments: outside)
    func theLinkPortNeedsASecretOrCertificates(host: String) {
        let link = ListenAddress(host: host, port: 8_082)
        let sentence = Self.objection { $0.link = link }
        #expect(sentence?.contains("the link port") == true && sentence?.contains("--link-secret-file") == true, "\(sentence ?? "-")")
        #expect(
            Self.objection {
                $0.link = link
                $0.auth.apiKeysFile = "keys"
            } != nil, "API keys are for producers")
        for protect in [
            { $0.linkSecretFile = "secret" }, { $0.linkTLS = TLSFiles(certificate: "c", key: "k", authority: "a") },
        ] as [(inout NodeConfiguration) -> Void] {
            #expect(
                Self.objection {
                    $0.link = link
                    protect(&$0)
                } == nil)
        }
    }

    // MARK: Producers on the link port

    private static func producers(_ change: (inout NodeConfiguration) -> Void) -> LinkProducers {
        var configuration = NodeConfiguration(id: "n1")
        change(&configuration)
        return LinkProducers(configuration)
    }

    @Test(arguments: outside)
    func producersNeedKeysWhereOthersReachThePort(host: String) {
        let link = ListenAddress(host: host, port: 8_082)
        for protect in [
            { $0.linkSecretFile = "secret" }, { $0.linkTLS = TLSFiles(certificate: "c", key: "k", authority: "a") },
        ] as [(inout NodeConfiguration) -> Void] {
            let withoutKeys = Self.producers {
                $0.link = link
                protect(&$0)
            }
            guard case .nobody(let sentence) = withoutKeys else {
                Issue.record("\(withoutKeys)")
                continue
            }
            #expect(sentence.contains("--api-keys"))
            #expect(
                Self.producers {
                    $0.link = link
                    $0.auth.apiKeysFile = "keys"
                    protect(&$0)
                } == .withKey)
        }
    }

    @Test func producersCanBeKeptOff() {
        #expect(Self.producers { _ in } == .anybody)
        #expect(Self.producers { $0.auth.apiKeysFile = "keys" } == .withKey)
        for keys in [nil, "keys"] {
            let off = Self.producers {
                $0.takesLinkProducers = false
                $0.auth.apiKeysFile = keys
            }
            guard case .nobody(let sentence) = off else {
                Issue.record("\(off)")
                continue
            }
            #expect(sentence.contains("--link-producers off"))
        }
    }

    // MARK: ZooKeeper

    @Test func anOpenZooKeeperIsTheOperatorsWord() throws {
        let servers = try ZooKeeperServers("127.0.0.1:2181")
        let credentials = try #require(ZooKeeperCredentials(line: "ringpost:word"))
        func objection(_ change: @escaping (inout NodeConfiguration) -> Void) -> String? {
            Self.objection {
                $0.zookeeper = servers
                $0.auth.apiKeysFile = "keys"
                $0.auth.tokenKeysPath = "keys"
                $0.linkSecretFile = "secret"
                change(&$0)
            }
        }
        #expect(objection { _ in } == nil, "only this machine reaches the node")
        for port in [\.client, \.api, \.link] as [WritableKeyPath<NodeConfiguration, ListenAddress>] {
            let open = { (node: inout NodeConfiguration) in node[keyPath: port] = ListenAddress(host: "10.0.0.1", port: 1) }
            let sentence = objection(open)
            #expect(sentence?.contains("--zookeeper-auth-file FILE") == true && sentence?.contains("--zookeeper-open") == true)
            #expect(
                objection {
                    open(&$0)
                    $0.zookeeperCredentials = credentials
                } == nil)
            #expect(
                objection {
                    open(&$0)
                    $0.allowsOpenZooKeeper = true
                } == nil)
            #expect(
                objection {
                    open(&$0)
                    $0.zookeeper = nil
                } == nil)
        }
        #expect(
            objection {
                $0.zookeeperCredentials = credentials
                $0.allowsOpenZooKeeper = true
            }?.contains("exclude each other") == true)
        #expect(Self.objection { $0.allowsOpenZooKeeper = true }?.contains("none is given") == true)
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
