import Foundation

/// When to hand over to a larger model: where an answer's confidence is below `threshold`.
///
/// The confidence of an answer is the smallest `probability` of any token chosen in it, its stop token included.
/// `risk` is the share of wrong answers among those kept, `coverage` the share that is kept, on held-out items; `curve`
/// has both at other thresholds, in rising order.
public struct Fallback: Codable, Equatable, Sendable {
    /// With this `threshold` the share `coverage` of the answers is kept, and `risk` of those is wrong.
    public struct Operating: Codable, Equatable, Sendable {
        public let threshold: Double
        public let coverage: Double
        public let risk: Double

        var isSound: Bool { [threshold, coverage, risk].allSatisfy { (0...1).contains($0) } }
    }

    public let threshold: Double
    public let temperature: Double
    public let risk: Double
    public let coverage: Double
    public let curve: [Operating]

    public func keeps(confidence: Double) -> Bool { confidence >= threshold }

    /// Of the chosen token: softmax(logits / temperature). Logits that are no numbers make it 0.
    public func probability(of chosen: Int, logits: [Float]) -> Double {
        let largest = Double(logits.max() ?? 0)
        let weights = logits.map { exp((Double($0) - largest) / temperature) }
        let probability = weights[chosen] / weights.reduce(0, +)
        return probability >= 0 ? probability : 0
    }

    /// Whether it says what a fallback can say.
    var isSound: Bool {
        temperature > 0 && curve.allSatisfy(\.isSound)
            && Operating(threshold: threshold, coverage: coverage, risk: risk).isSound
    }
}
