// What a shard does with what its links bring.
import RingpostCore
import RingpostWire

extension Shard: LinkDelegate {
    package func onForward(_ publish: Publish, _ context: PublishContext) { publisher.send(publish, context) }

    package func onForwardAnswer(_ request: UInt64, _ result: PublishResult) {
        decide { $0.onAnswer(request: request, result, now: $1, actions: &$2) }
    }

    package func onQuestion(_ question: LinkQuestion, _ argument: [UInt8], _ answer: @escaping @Sendable ([UInt8]) -> Void) {
        group.onQuestion(question, argument, on: eventLoop, answer)
    }

    package func onLinkChange(isUp: Bool) {
        if isUp { subscriptions.onLinkUp() }
        shared.setLinked(Set(links.allDialled.filter(\.isUp).map(\.member)), ofShard: index)
    }
}
