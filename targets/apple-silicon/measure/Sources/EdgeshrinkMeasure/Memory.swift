import Foundation

/// This process's memory, in bytes; -1 where the system does not tell.
///
/// On Apple's systems `anon` is the physical footprint, which the system limits an app by: clean pages of a mapped
/// file are not in it. `hwm` is the highest footprint so far.
public struct Memory {
    public var peak: Int64 = -1
    public var resident: Int64 = -1
    public var anonymous: Int64 = -1
    public var file: Int64 = -1

    public static func now() -> Memory {
        var memory = Memory()
        #if canImport(Darwin)
        var info = task_vm_info_data_t()
        var count = mach_msg_type_number_t(MemoryLayout<task_vm_info_data_t>.size / MemoryLayout<natural_t>.size)
        let status = withUnsafeMutablePointer(to: &info) {
            $0.withMemoryRebound(to: integer_t.self, capacity: Int(count)) {
                task_info(mach_task_self_, task_flavor_t(TASK_VM_INFO), $0, &count)
            }
        }
        if status == KERN_SUCCESS {
            memory.resident = Int64(info.resident_size)
            memory.anonymous = Int64(info.phys_footprint)
            memory.file = Int64(info.external)
            memory.peak = Int64(info.ledger_phys_footprint_peak)
        }
        #else
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        func field(_ name: String) -> Int64 {
            for line in text.split(separator: "\n") where line.hasPrefix("\(name):") {
                let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
                return words.count > 1 ? (Int64(words[1]) ?? -1) * 1024 : -1
            }
            return -1
        }
        memory = Memory(
            peak: field("VmHWM"), resident: field("VmRSS"), anonymous: field("RssAnon"), file: field("RssFile"))
        #endif
        return memory
    }

    func fields(_ phase: String) -> [String: Any] {
        ["phase": phase, "t": Machine.now(), "hwm": peak, "rss": resident, "anon": anonymous, "file": file]
    }
}
