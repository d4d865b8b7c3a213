// A producer's frames: what it may publish is asked of each, and a refusal ends neither its link nor what else is under way.
import NIOCore
import RingpostCore
import RingpostWire

extension LinkServer {
    func handleProducer(_ frame: LinkFrame, stream: UInt64, _ pass: LinkPass) throws(LinkError) {
        switch frame {
        case .produce(let produce):
            do throws(ProblemReport) {
                try publish(produce, stream: stream, pass)
            } catch {
                runtime.counters.count(.failure(error.problem))
                send(.answer(request: produce.request, .failure(error.problem), message: error.message))
            }
        case .ping(let query, let sentAt, _): send(.pong(query: query, sentAt: sentAt, links.node.standing(links.shell.view)))
        case .pong: break
        default: throw LinkError("a frame that a producer doesn't send")
        }
    }

    private func publish(_ produce: LinkProduce, stream: UInt64, _ pass: LinkPass) throws(ProblemReport) {
        let publisher = links.publisher
        let message = try publisher.message(produce, by: pass)
        // Before it is sent off: the answer may come at once.
        inFlight += 1
        if inFlight >= Self.producerInFlightMax, !isPaused {
            isPaused = true
            setReading(false)
        }
        let address = ReturnAddress(connectionID: connectionID, id: produce.request)
        publisher.send(message, PublishContext(address: address, stream: stream, restarts: produce.restarts))
    }
}
