// SPDX-License-Identifier: GPL-2.0-or-later
// What raises an interrupt as time passes, as pure functions of register values and the counter:
// the generic timer's two comparators (ARM DDI 0406C, B8.1.5), and an overflow that pmu.h foresees.
//
// The registers belong to the CPU's thread. Platform::timers_changed runs there: it takes a
// TimerRegisters with timer_registers() and hands it to whoever watches deadlines; nobody else
// reads cp15.cnt*.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::arm {

enum TimerControlBit : uint32_t {
  kTimerEnable = 1u << 0,
  kTimerImask = 1u << 1,
  kTimerIstatus = 1u << 2,  // read-only; computed
};

// One comparator, in its own count: the physical timer counts CNTPCT, the virtual one CNTPCT -
// CNTVOFF.
struct Timer {
  uint32_t control = 0;
  uint64_t compare_value = 0;
  uint64_t offset = 0;  // CNTVOFF, 0 for the physical timer

  // ISTATUS: the condition is met. It needs ENABLE, not IMASK.
  constexpr bool status(uint64_t counter) const {
    return (control & kTimerEnable) && counter - offset >= compare_value;
  }
  // The output signal, a level, to the interrupt controller.
  constexpr bool output(uint64_t counter) const { return status(counter) && !(control & kTimerImask); }
  // CNTx_CTL as read.
  constexpr uint32_t read_control(uint64_t counter) const {
    return (control & (kTimerEnable | kTimerImask)) | (status(counter) ? kTimerIstatus : 0u);
  }
  // CNTx_TVAL as read: a signed 32-bit down counter.
  constexpr uint32_t read_timer_value(uint64_t counter) const {
    return static_cast<uint32_t>(compare_value - (counter - offset));
  }
  // The counter value (CNTPCT) at which the output rises; nothing when it is high already or will
  // not rise: disabled, masked, or beyond the counter's 64 bits.
  constexpr std::optional<uint64_t> deadline(uint64_t counter) const {
    if (!(control & kTimerEnable) || (control & kTimerImask) || status(counter)) return std::nullopt;
    const uint64_t at = compare_value + offset;
    if (at <= counter) return std::nullopt;  // wrapped: centuries away
    return at;
  }
};

// CVAL for a write of TVAL: counter + SignExtend(TVAL).
constexpr uint64_t compare_value_from_timer_value(uint64_t count, uint32_t timer_value) {
  return count + static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(timer_value)));
}

// The overflow interrupt of the performance monitors: a level that rises by itself when a counter
// overflows, and then stays until a register is written.
struct OverflowInterrupt {
  bool level = false;
  uint64_t rises_at = 0;  // CNTPCT; 0: it does not rise

  constexpr bool output(uint64_t counter) const { return level || (rises_at != 0 && counter >= rises_at); }
  constexpr std::optional<uint64_t> deadline(uint64_t counter) const {
    if (rises_at == 0 || output(counter)) return std::nullopt;
    return rises_at;
  }
};

struct TimerRegisters {
  Timer physical, virtual_timer;
  OverflowInterrupt overflow{};
};

inline TimerRegisters timer_registers(const GuestCpu& cpu) {
  return {{cpu.cp15.cntp_ctl, cpu.cp15.cntp_cval, 0},
          {cpu.cp15.cntv_ctl, cpu.cp15.cntv_cval, cpu.cp15.cntvoff},
          {cpu.performance.interrupt != 0, cpu.performance.interrupt_at}};
}

// The outputs at `counter`, and the next counter value at which one of them rises.
struct TimerOutputs {
  bool physical = false, virtual_timer = false, overflow = false;
  std::optional<uint64_t> next_deadline;
};

inline TimerOutputs evaluate_timers(const TimerRegisters& timers, uint64_t counter) {
  TimerOutputs out{timers.physical.output(counter), timers.virtual_timer.output(counter),
                   timers.overflow.output(counter), std::nullopt};
  for (const auto& deadline :
       {timers.physical.deadline(counter), timers.virtual_timer.deadline(counter), timers.overflow.deadline(counter)}) {
    if (deadline && (!out.next_deadline || *deadline < *out.next_deadline)) out.next_deadline = deadline;
  }
  return out;
}

}  // namespace crosswalk::arm
