import Foundation

/// One measuring session: load, warm up, time prefill and decode, look at memory in between. The same order, the same
/// events and the same meaning of every figure as the native runner's `bench`.
public struct Session {
    private static let warmUpTokens = 8
    let plan: Plan
    let lines: Lines

    public init(plan: Plan, lines: Lines) {
        self.plan = plan
        self.lines = lines
    }

    public func run(_ engine: inout some Engine, text: String) throws {
        do {
            try measure(&engine, text: text)
        } catch {
            try lines.say("error", ["code": "model", "what": String(describing: error)])
            throw error
        }
    }

    private func measure(_ engine: inout some Engine, text: String) throws {
        try lines.say(
            "hello",
            [
                "protocol": 1, "build": plan.build, "llama": plan.llama, "features": [String](),
                "artifact": plan.artifactSha256, "plan": plan.told,
                "page_bytes": Machine.pageBytes, "pid": Int(ProcessInfo.processInfo.processIdentifier),
                "t": Machine.now(),
            ])
        try lines.say("device", Machine.facts)
        try look("start")
        let began = Machine.now()
        let loaded = try engine.load(context: plan.context, threads: plan.threads, gpuLayers: plan.gpuLayers)
        try lines.say(
            "loaded",
            [
                "ms": 1e3 * (Machine.now() - began), "model_bytes": loaded.modelBytes,
                "parameters": loaded.parameters, "context": loaded.context, "vocab": loaded.vocabulary,
                "backend": loaded.backend, "gpu_layers": loaded.gpuLayers, "threads": loaded.threads, "mapped": true,
            ])
        let longest = max(plan.promptTokens.max() ?? 1, plan.depths.max() ?? 1, 32)
        let (ids, origin) = prompt(engine, text: text, count: longest, vocabulary: loaded.vocabulary)
        try lines.say("prompt", ["ids": ids, "origin": origin])
        try warmUp(&engine, ids)
        try look("loaded")
        for (place, length) in plan.promptTokens.enumerated() {
            let repetitions = place == 0 ? max(plan.repetitions, plan.firstRepetitions) : plan.repetitions
            for repetition in 0..<repetitions {
                try timePrefill(&engine, Array(ids.prefix(length)), repetition)
            }
        }
        for depth in plan.depths {
            for repetition in 0..<plan.repetitions {
                try timeDecode(&engine, Array(ids.prefix(depth)), depth, repetition)
            }
        }
        try look("end")
        try lines.say("device", Machine.facts)
        try lines.say("end", ["t": Machine.now()])
    }

    private func warmUp(_ engine: inout some Engine, _ ids: [Int32]) throws {
        engine.reset()
        var id = try engine.prefill(Array(ids.prefix(32)))
        for _ in 0..<Session.warmUpTokens {
            id = try engine.decode(id)
        }
    }

    private func timePrefill(_ engine: inout some Engine, _ ids: [Int32], _ repetition: Int) throws {
        engine.reset()
        let from = Machine.now()
        _ = try engine.prefill(ids)
        let to = Machine.now()
        try lines.say(
            "prefill",
            ["tokens": ids.count, "repetition": repetition, "from": from, "to": to, "ms": 1e3 * (to - from)])
        try look("prefill")
    }

    private func timeDecode(_ engine: inout some Engine, _ ids: [Int32], _ depth: Int, _ repetition: Int) throws {
        engine.reset()
        // An empty context has nothing to choose the first id from.
        var id = ids.isEmpty ? 0 : try engine.prefill(ids)
        var steps = [Double]()
        steps.reserveCapacity(plan.decodeTokens)
        let from = Machine.now()
        for _ in 0..<plan.decodeTokens {
            let began = Machine.now()
            id = try engine.decode(id)
            steps.append(1e3 * (Machine.now() - began))
        }
        try lines.say(
            "decode",
            ["depth": depth, "repetition": repetition, "from": from, "to": Machine.now(), "steps_ms": steps])
        try look("decode")
    }

    private func prompt(
        _ engine: some Engine, text: String, count: Int, vocabulary: Int
    ) -> (ids: [Int32], origin: String) {
        var ids = engine.tokenize(text)
        if ids.count > 1 {
            let body = ids.dropFirst()
            while ids.count < count { ids += body }
            return (Array(ids.prefix(count)), "tokens of shipped text")
        }
        // A linear congruential generator: the same ids every time.
        var state: UInt64 = 20_261_121
        ids = (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int32((state >> 33) % UInt64(max(1, vocabulary)))
        }
        return (ids, "random ids")
    }

    private func look(_ phase: String) throws {
        try lines.say("memory", Memory.now().fields(phase))
    }
}
