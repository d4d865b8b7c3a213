// Ways to publish: over a link, as the producer library does it, and by plain HTTP. Each says what came of one attempt; repeating is for
// whoever asked.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import RingpostClient
import Synchronization

/// What the two ways' receipts have in common.
struct PublishReceipt: Equatable, Sendable {
    let sequence: UInt64
    let owner: String
    let isMirrored: Bool
}

/// What came of one attempt.
enum PublishOutcome: Sendable {
    case receipt(PublishReceipt)
    /// Certainly not appended; another attempt may do better.
    case refused(String)
    /// Nobody knows whether it was appended.
    case unknown(String)
    /// No attempt will do better.
    case hopeless(String)
}

protocol Publisher: Sendable {
    /// The node that takes the messages, as far as known.
    var node: String { get }
    func publish(_ payload: [UInt8], to destination: Producer.Destination, key: String) async -> PublishOutcome
    func close() async
}

/// Over a link to one node; when that goes, to the next.
final class LinkPublisher: Publisher {
    private let producer: Producer
    private let last: Mutex<String>

    /// - Parameter nodes: the one to begin with first.
    init(_ nodes: [TortureNode]) {
        producer = Producer(links: nodes.map(\.link), apiKey: nodes.first?.credentials.apiKey)
        last = Mutex(nodes.first?.id ?? "")
    }

    var node: String { last.withLock { $0 } }

    func publish(_ payload: [UInt8], to destination: Producer.Destination, key: String) async -> PublishOutcome {
        do throws(ProducerError) {
            let receipt = try await producer.send(.json(payload), to: destination, idempotency: .key(key))
            last.withLock { $0 = receipt.via }
            return .receipt(PublishReceipt(sequence: receipt.sequence, owner: receipt.owner, isMirrored: receipt.isMirrored))
        } catch {
            switch error {
            case .outcomeUnknown: return .unknown("no answer on the link")
            case .refused(let problem, _): return error.isWorthARepeat ? .refused(problem.code) : .hopeless("\(error)")
            case .notSent: return .refused("no link")
            default: return error.isWorthARepeat ? .refused("\(error)") : .hopeless("\(error)")
            }
        }
    }

    func close() async { await producer.close() }
}

/// By HTTP, always to one node.
struct HTTPPublisher: Publisher {
    /// A node answers within the budget of a publish, 10 s; this is for one that doesn't.
    static let timeoutSeconds: Int64 = 12
    private static let answerBytesMax = 65_536

    private struct Answer: Decodable {
        struct Problem: Decodable {
            let code: String
            let message: String
        }
        let seq: UInt64?
        let owner: String?
        let mirrored: Bool?
        let error: Problem?
    }

    let node: String
    private let api: Endpoint
    private let apiKey: String

    init(_ node: TortureNode) {
        self.node = node.id
        api = node.api
        apiKey = node.credentials.apiKey
    }

    func publish(_ payload: [UInt8], to destination: Producer.Destination, key: String) async -> PublishOutcome {
        let path =
            switch destination {
            case .user(let name): "users/\(name.percentEncoded)"
            case .channel(let name): "channels/\(name.percentEncoded)"
            }
        var request = HTTPClientRequest(url: "\(api.url)/v1/\(path)/messages")
        request.method = .POST
        request.headers.add(name: "Authorization", value: "Bearer \(apiKey)")
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "Idempotency-Key", value: key)
        request.body = .bytes(payload)
        do {
            let response = try await Self.client.execute(request, timeout: .seconds(Self.timeoutSeconds))
            let body = try await response.body.collect(upTo: Self.answerBytesMax)
            return Self.outcome(Int(response.status.code), Data(body.readableBytesView))
        } catch {
            let isRefused = (error as? IOError)?.errnoCode == ECONNREFUSED
            let isUnsent = isRefused || error is NIOConnectionError || error as? HTTPClientError == .connectTimeout
            return isUnsent ? .refused("no connection") : .unknown("no answer by HTTP")
        }
    }

    func close() {}

    private static func outcome(_ status: Int, _ body: Data) -> PublishOutcome {
        let answer = try? JSONDecoder().decode(Answer.self, from: body)
        if status == 200, let sequence = answer?.seq, let owner = answer?.owner {
            return .receipt(PublishReceipt(sequence: sequence, owner: owner, isMirrored: answer?.mirrored ?? false))
        }
        let code = answer?.error?.code ?? "HTTP \(status)"
        if code == "outcome_unknown" { return .unknown(code) }
        return status >= 500 || status == 429 || status == 408 ? .refused(code) : .hopeless("\(code): \(answer?.error?.message ?? "")")
    }

    /// Connections that fail are the run's business, so the pool must not retry on its own.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .milliseconds(2_500)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        return HTTPClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
    }()
}

extension Producer {
    /// One with a key.
    convenience init(links: [Endpoint], apiKey: String?) {
        var options = Options()
        options.apiKey = apiKey
        self.init(links: links, options: options)
    }
}
