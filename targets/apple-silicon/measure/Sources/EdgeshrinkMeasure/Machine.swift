import Foundation

#if canImport(UIKit)
import UIKit
#endif

/// The device as it describes itself, in the fields of the event `device`.
public enum Machine {
    /// Seconds since boot, on a clock that nobody sets.
    public static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// `iPhone16,1`; on other systems the kind of processor.
    public static var model: String {
        var name = utsname()
        uname(&name)
        return withUnsafeBytes(of: &name.machine) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    public static var facts: [String: Any] {
        let process = ProcessInfo.processInfo
        var facts: [String: Any] = [
            "model": model,
            "os": process.operatingSystemVersionString,
            "cores": process.processorCount,
            "ram_bytes": process.physicalMemory,
            "page_bytes": pageBytes,
            "thermal": thermal,
            "simulator": isSimulator,
        ]
        #if canImport(UIKit) && !os(tvOS) && !os(visionOS)
        let device = UIDevice.current
        device.isBatteryMonitoringEnabled = true
        facts["system"] = device.systemName
        if device.batteryLevel >= 0 {
            facts["battery_percent"] = Int((device.batteryLevel * 100).rounded())
            facts["battery_status"] = device.batteryState == .unplugged ? "Discharging" : "Charging"
        }
        facts["low_power_mode"] = process.isLowPowerModeEnabled
        #elseif os(macOS)
        facts["system"] = "macOS"
        #else
        facts["system"] = "Linux"
        #endif
        return facts
    }

    /// What the system says of its heat; it shows no degrees.
    public static var thermal: String {
        #if os(Linux)
        return "unknown"
        #else
        switch ProcessInfo.processInfo.thermalState {
        case .nominal: return "nominal"
        case .fair: return "fair"
        case .serious: return "serious"
        case .critical: return "critical"
        @unknown default: return "unknown"
        }
        #endif
    }

    static var pageBytes: Int {
        Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    static var isSimulator: Bool {
        #if targetEnvironment(simulator)
        return true
        #else
        return false
        #endif
    }
}
