// What a shard does with messages from itself and from the node's other shards.
import RingpostCore

extension Shard: ShardMessageReceiver {
    func receive(_ message: ShardMessage) {
        switch message {
        case .submit(let publish, let context): decide { $0.submit(publish, context, now: $1, actions: &$2) }
        case .attach(let request, let epoch):
            let fromLink = ConnectionAddress(request.address).connection != 0
            if !fromLink, request.key.kind == .channel, request.stay == .never { return subscriptions.channels.ask(request) }
            decide { $0.attach(request, epoch: epoch, fromLink: fromLink, now: $1, actions: &$2) }
        case .detach(let address, let key): detachAtSlot(address, key)
        case .addShard(let channel, let shard): subscriptions.channels.addShard(shard, to: channel)
        case .removeShard(let channel, let shard): subscriptions.channels.removeShard(shard, from: channel)
        case .listeners(let channel, let shard, let report): subscriptions.channels.onReport(report, from: shard, on: channel)
        case .report(let channel, let address, let node, let report):
            decide { $0.report(report, on: channel, from: address, node: node, fromLink: true, now: $1, actions: &$2) }
        case .presence(let address, let news): onPresence(address, news)
        case .presenceNews(let channel, let news): subscriptions.channels.onPresence(news, of: channel)
        case .fanOut(let channel, let item): subscriptions.channels.deliver(item, to: channel)
        case .channelLost(let channel, let reason): subscriptions.channels.onLost(channel, reason)
        case .answer(let address, let result): onAnswer(address, result)
        case .attached(let address, let result): onAttached(address, result)
        case .deliver(let address, let incarnation, let message): onDeliver(address, incarnation: incarnation, message)
        case .detached(let address): onDetached(address)
        case .slotRequest(let frame, let member, let connectionID):
            decide { $0.onRequest(frame, from: member, connectionID: connectionID, now: $1, actions: &$2) }
        case .slotReply(let connectionID, let frame): links.accepted(connectionID)?.send(.slot(frame))
        case .closeConnection(let connectionID): links.accepted(connectionID)?.closeNow()
        case .connectionEnded(let connectionID): decide { machine, now, _ in machine.connectionEnded(connectionID, now: now) }
        case .streamEnded(let stream): decide { machine, _, _ in machine.streamEnded(stream) }
        }
    }
}
